// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tiercecache/tierce/cachetest"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/faulttier"
	"github.com/tiercecache/tierce/internal/pause"
	"github.com/tiercecache/tierce/tiers"
	"github.com/tiercecache/tierce/tiers/guard"
)

func TestTimeout(t *testing.T) {
	t.Run("a tier that hangs", func(t *testing.T) { synctest.Test(t, testTierHangs) })
	t.Run("a tier that does not hear", func(t *testing.T) { synctest.Test(t, testTierDoesNotHear) })
	t.Run("a tier that does not close", func(t *testing.T) { synctest.Test(t, testTierDoesNotClose) })
	t.Run("an answer that comes too late is closed", func(t *testing.T) { synctest.Test(t, testLateAnswerIsClosed) })
	t.Run("a caller that gives up", func(t *testing.T) { synctest.Test(t, testCallerGivesUp) })
	t.Run("the tier is told", func(t *testing.T) { synctest.Test(t, testTierIsTold) })
	t.Run("a connection that notices first", testConnectionNoticesFirst)
	t.Run("a panic is the caller's", testPanicIsTheCallers)
}

func testTierHangs(t *testing.T) {
	hangs := faulttier.New(cachetest.NewFull(t), faulttier.Rule{Fault: faulttier.Hang()})
	c := guard.New(hangs, guard.Options{Failures: -1, Budget: time.Hour})
	for _, op := range []struct {
		name string
		call func() error
	}{
		{"Get", func() error { _, err := c.Get(t.Context(), keyOf("a")); return err }},
		{"Put", func() error { return c.Put(t.Context(), keyOf("a"), interfaces.Text("body")) }},
		{"Insert", func() error { _, err := c.Insert(t.Context(), keyOf("a"), interfaces.Text("body")); return err }},
		{"Stat", func() error { _, err := c.Stat(t.Context(), keyOf("a")); return err }},
		{"Delete", func() error { return c.Delete(t.Context(), keyOf("a")) }},
		{"Ping", func() error { return c.Ping(t.Context()) }},
		{"GetBatch", func() error {
			return c.GetBatch(t.Context(), []interfaces.Key{keyOf("a")}, func(int, interfaces.Entry, error) error { return nil })
		}},
		{"PutBatch", func() error {
			return c.PutBatch(t.Context(), []interfaces.Item{{Key: keyOf("a"), Entry: interfaces.Text("body")}})
		}},
		{"List", func() error {
			for _, err := range c.List(t.Context()) {
				return err
			}
			return nil
		}},
	} {
		start := time.Now()
		wantReason(t, op.name, op.call(), guard.NoAnswer)
		took(t, op.name, start, 2*time.Second)
	}
}

func testTierDoesNotHear(t *testing.T) {
	over := make(chan struct{})
	c := guard.New(&remote{onGet: deaf(over)}, guard.Options{Timeout: time.Second})
	start := time.Now()
	_, err := c.Get(t.Context(), keyOf("a"))
	wantReason(t, "Get", err, guard.NoAnswer)
	took(t, "Get", start, time.Second)
	close(over)
}

func testTierDoesNotClose(t *testing.T) {
	over := make(chan struct{})
	c := guard.New(open{over}, guard.Options{})
	start := time.Now()
	wantReason(t, "Close", c.Close(), guard.NoAnswer)
	took(t, "Close", start, 2*time.Second)
	close(over)
}

func testLateAnswerIsClosed(t *testing.T) {
	over, body := make(chan struct{}), &trickle{closed: make(chan struct{})}
	c := guard.New(&remote{onGet: func(context.Context, int) (interfaces.Entry, error) {
		<-over
		return interfaces.Stream(body, 5), nil
	}}, guard.Options{})
	_, err := c.Get(t.Context(), keyOf("a"))
	wantReason(t, "Get", err, guard.NoAnswer)
	close(over)
	<-body.closed // or the bubble is stuck
}

func testCallerGivesUp(t *testing.T) {
	over := make(chan struct{})
	c := guard.New(&remote{onGet: deaf(over)}, guard.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	if _, err := c.Get(ctx, keyOf("a")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get: error %v, want the context's", err)
	}
	took(t, "Get", start, time.Second)
	close(over)
}

func testTierIsTold(t *testing.T) {
	start := time.Now()
	c := guard.New(&remote{onGet: func(ctx context.Context, _ int) (interfaces.Entry, error) {
		if deadline, ok := ctx.Deadline(); !ok || deadline.Sub(start) != 2*time.Second {
			t.Errorf("deadline %v (%t), want 2 s from the start", deadline.Sub(start), ok)
		}
		return interfaces.Entry{}, cacheerr.ErrMiss
	}}, guard.Options{})
	if _, err := c.Get(t.Context(), keyOf("a")); err != cacheerr.ErrMiss {
		t.Errorf("Get: error %v, want the bare miss", err)
	}
}

func testConnectionNoticesFirst(t *testing.T) {
	c := guard.New(&remote{onGet: func(context.Context, int) (interfaces.Entry, error) {
		return interfaces.Entry{}, context.DeadlineExceeded
	}}, guard.Options{})
	_, err := c.Get(t.Context(), keyOf("a"))
	wantReason(t, "Get", err, guard.NoAnswer)
}

func testPanicIsTheCallers(t *testing.T) {
	c := guard.New(&remote{onGet: func(context.Context, int) (interfaces.Entry, error) { panic("the test says so") }}, guard.Options{})
	defer func() {
		if reason := recover(); reason != "the test says so" {
			t.Errorf("recovered %v, want the tier's panic", reason)
		}
	}()
	_, err := c.Get(t.Context(), keyOf("a"))
	t.Errorf("Get returned (error %v), want a panic", err)
}

// A stream may take as long as it likes while it moves, and not when it stalls,
// whichever way it goes.
func TestStreams(t *testing.T) {
	t.Run("one that moves", func(t *testing.T) { synctest.Test(t, testStreamMoves) })
	t.Run("one that stalls", func(t *testing.T) { synctest.Test(t, testStreamStalls) })
	t.Run("one that is put", func(t *testing.T) { synctest.Test(t, testStreamIsPut) })
	t.Run("a source that is slow itself", func(t *testing.T) { synctest.Test(t, testSlowSource) })
	t.Run("nobody reads a body that was given up", func(t *testing.T) { synctest.Test(t, testBodyGivenUp) })
}

func testStreamMoves(t *testing.T) {
	body := &trickle{pieces: 20, every: 1900 * time.Millisecond, closed: make(chan struct{})}
	c := guard.New(&remote{onGet: func(context.Context, int) (interfaces.Entry, error) {
		return interfaces.Stream(body, 100), nil
	}}, guard.Options{})
	entry, err := c.Get(t.Context(), keyOf("a"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(entry.Reader())
	if err != nil || string(got) != strings.Repeat("piece", 20) {
		t.Errorf("read %q and error %v, want 20 pieces", got, err)
	}
	if err := entry.Close(); err != nil {
		t.Error(err)
	}
	<-body.closed
	if vain, all := c.Waited(); vain != 0 || all != 38*time.Second {
		t.Errorf("waited %v, of which %v in vain, want 38 s and nothing", all, vain)
	}
}

func testStreamStalls(t *testing.T) {
	over := make(chan struct{})
	body := &trickle{pieces: 2, every: time.Second, until: over, closed: make(chan struct{})}
	c := guard.New(&remote{onGet: func(context.Context, int) (interfaces.Entry, error) {
		return interfaces.Stream(body, 100), nil
	}}, guard.Options{})
	entry, err := c.Get(t.Context(), keyOf("a"))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	got, err := io.ReadAll(entry.Reader())
	wantReason(t, "reading", err, guard.NoAnswer)
	took(t, "reading", start, 4*time.Second)
	if string(got) != "piecepiece" {
		t.Errorf("read %q, want what came", got)
	}
	for range 2 { // as whoever reads and whoever lends do
		if err := entry.Close(); err != nil {
			t.Error(err)
		}
	}
	if vain, _ := c.Waited(); vain != 2*time.Second {
		t.Errorf("waited %v in vain, want 2 s", vain)
	}
	close(over)
	<-body.closed // though it was still being read when the caller closed it
}

func testStreamIsPut(t *testing.T) {
	c := guard.New(&remote{onPut: func(ctx context.Context, _ int, entry interfaces.Entry) error {
		for range 10 {
			if err := pause.For(ctx, 1500*time.Millisecond); err != nil {
				return err
			}
			if _, err := io.CopyN(io.Discard, entry.Reader(), 1<<15); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return ctx.Err()
	}}, guard.Options{Budget: time.Hour})
	start := time.Now()
	err := c.Put(t.Context(), keyOf("a"), interfaces.Text(strings.Repeat("long", 1<<18)))
	wantReason(t, "Put", err, guard.NoAnswer)
	took(t, "Put", start, 17*time.Second) // ten times 1.5 s, and 2 s without a move
}

func testSlowSource(t *testing.T) {
	c := guard.New(&remote{onPut: func(_ context.Context, _ int, entry interfaces.Entry) error {
		_, err := io.Copy(io.Discard, entry.Reader())
		return err
	}}, guard.Options{})
	err := c.Put(t.Context(), keyOf("a"), interfaces.Stream(&trickle{pieces: 3, every: time.Minute}, 15))
	if err != nil {
		t.Errorf("Put: %v", err)
	}
	if vain, all := c.Waited(); vain != 0 || all != 0 {
		t.Errorf("waited %v, %v in vain, want nothing: it was the caller that took its time", all, vain)
	}
}

func testBodyGivenUp(t *testing.T) {
	over, read := make(chan struct{}), make(chan error)
	c := guard.New(&remote{onPut: func(_ context.Context, _ int, entry interfaces.Entry) error {
		<-over
		_, err := entry.Reader().Read(make([]byte, 10))
		read <- err
		return err
	}}, guard.Options{})
	body := &trickle{pieces: 1}
	wantReason(t, "Put", c.Put(t.Context(), keyOf("a"), interfaces.Stream(body, 5)), guard.NoAnswer)
	close(over)
	if err := <-read; err == nil || body.pieces != 1 {
		t.Errorf("the tier read the body with error %v after Put had returned", err)
	}
}

func TestRetries(t *testing.T) {
	failing := func(times int, err error) *remote {
		return &remote{
			onGet: func(_ context.Context, n int) (interfaces.Entry, error) {
				if n <= times {
					return interfaces.Entry{}, err
				}
				return interfaces.Text("body"), nil
			},
			onPut: func(_ context.Context, n int, entry interfaces.Entry) error {
				_, readErr := entry.Bytes()
				if n <= times {
					return err
				}
				return readErr
			},
		}
	}
	get := func(ctx context.Context, c *guard.Cache) error { _, err := c.Get(ctx, keyOf("a")); return err }
	put := func(ctx context.Context, c *guard.Cache) error {
		return c.Put(ctx, keyOf("a"), interfaces.Text("body"))
	}
	putStream := func(ctx context.Context, c *guard.Cache) error {
		return c.Put(ctx, keyOf("a"), interfaces.Stream(strings.NewReader("body"), 4))
	}
	for _, test := range []struct {
		name  string
		tier  *remote
		opts  guard.Options
		call  func(context.Context, *guard.Cache) error
		calls int
		fails bool
	}{
		{"a Get", failing(1, errAway), guard.Options{}, get, 2, false},
		{"a Put", failing(1, errAway), guard.Options{}, put, 2, false},
		{"not a body that was read", failing(1, errAway), guard.Options{}, putStream, 1, true},
		{"once", failing(2, errAway), guard.Options{}, get, 2, true},
		{"as often as asked for", failing(2, errAway), guard.Options{Retries: 2}, get, 3, false},
		{"never", failing(1, errAway), guard.Options{Retries: -1}, get, 1, true},
		{"not what does not pass", failing(1, errBroken), guard.Options{}, get, 1, true},
		{"not a miss", failing(1, cacheerr.ErrMiss), guard.Options{}, get, 1, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seen := &events{}
				test.opts.Observer = seen
				err := test.call(t.Context(), guard.New(test.tier, test.opts))
				gets, puts := test.tier.counts()
				if (err != nil) != test.fails || gets+puts != test.calls {
					t.Errorf("error %v after %d calls, want %d (failing: %t)", err, gets+puts, test.calls, test.fails)
				}
				if n, _ := seen.count(tiers.Retried); n != test.calls-1 {
					t.Errorf("%d events of retries, want %d", n, test.calls-1)
				}
			})
		})
	}
	t.Run("never an Insert or a Delete", testNoRetryOfChanges)
	t.Run("not a batch that was answered in part", testNoRetryOfHalfABatch)
}

func testNoRetryOfChanges(t *testing.T) {
	away := faulttier.New(cachetest.NewFull(t), faulttier.Rule{When: faulttier.UpTo(2), Fault: faulttier.Fail(errAway)})
	c := guard.New(away, guard.Options{})
	_, err := c.Insert(t.Context(), keyOf("a"), interfaces.Text("body"))
	wantReason(t, "Insert", err, errAway.Reason)
	wantReason(t, "Delete", c.Delete(t.Context(), keyOf("a")), errAway.Reason)
	if n, m := away.Count(faulttier.Insert), away.Count(faulttier.Delete); n != 1 || m != 1 {
		t.Errorf("asked %d times to insert and %d times to delete, want once each", n, m)
	}
}

func testNoRetryOfHalfABatch(t *testing.T) {
	calls := 0
	c := guard.New(batcher{func(each func(int, interfaces.Entry, error) error) error {
		calls++
		return errors.Join(each(0, interfaces.Entry{}, cacheerr.ErrMiss), errAway)
	}}, guard.Options{})
	answers := 0
	err := c.GetBatch(t.Context(), make([]interfaces.Key, 2), func(int, interfaces.Entry, error) error { answers++; return nil })
	if !errors.Is(err, errAway) || calls != 1 || answers != 1 {
		t.Errorf("error %v, asked %d times, answered %d times, want the tier's error and once each", err, calls, answers)
	}
}

// batcher is a tier with a GetBatch of the test's.
type batcher struct {
	getBatch func(each func(int, interfaces.Entry, error) error) error
}

func (batcher) Get(context.Context, interfaces.Key) (interfaces.Entry, error) {
	return interfaces.Entry{}, cacheerr.ErrMiss
}
func (batcher) Put(context.Context, interfaces.Key, interfaces.Entry) error { return nil }
func (b batcher) GetBatch(_ context.Context, _ []interfaces.Key, each func(int, interfaces.Entry, error) error) error {
	return b.getBatch(each)
}

// A batch may take as long as it likes while answers come, and the caller may
// take its time with each.
func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		c := guard.New(batcher{func(each func(int, interfaces.Entry, error) error) error {
			for i := range 10 {
				<-time.After(1500 * time.Millisecond)
				if err := each(i, interfaces.Text("body"), nil); err != nil {
					return err
				}
			}
			<-over // deaf
			return each(10, interfaces.Text("too late"), nil)
		}}, guard.Options{})
		start, answers := time.Now(), 0
		err := c.GetBatch(t.Context(), make([]interfaces.Key, 11), func(int, interfaces.Entry, error) error {
			answers++
			<-time.After(time.Minute)
			return nil
		})
		wantReason(t, "GetBatch", err, guard.NoAnswer)
		took(t, "GetBatch", start, 10*time.Minute+17*time.Second)
		if vain, all := c.Waited(); vain != 0 || all != 17*time.Second {
			t.Errorf("waited %v, of which %v in vain, want 17 s and nothing, since something came of it", all, vain)
		}
		close(over)
		synctest.Wait()
		if answers != 10 {
			t.Errorf("%d answers, want 10: none when GetBatch has returned", answers)
		}
	})
}

// A batch tells of each key what became of it and does not fail itself. The
// guard judges it by that.
func TestBatchWithoutHits(t *testing.T) {
	each := func(took time.Duration, err error) batcher {
		return batcher{func(each func(int, interfaces.Entry, error) error) error {
			<-time.After(took)
			return errors.Join(each(0, interfaces.Entry{}, cacheerr.ErrMiss), each(1, interfaces.Entry{}, err))
		}}
	}
	ask := func(t *testing.T, c *guard.Cache) error {
		return c.GetBatch(t.Context(), make([]interfaces.Key, 2), func(int, interfaces.Entry, error) error { return nil })
	}
	t.Run("that fails is a failure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := guard.New(each(0, errBroken), guard.Options{})
			for range 5 {
				if err := ask(t, c); err != nil {
					t.Errorf("error %v, want none: the keys have theirs", err)
				}
			}
			wantReason(t, "after five", ask(t, c), guard.LeftAlone)
		})
	})
	t.Run("that misses is in vain, and no failure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := guard.New(each(100*time.Millisecond, cacheerr.ErrMiss), guard.Options{Budget: 2050 * time.Millisecond, BudgetShare: -1})
			for range 20 {
				if err := ask(t, c); err != nil {
					t.Errorf("error %v, want none", err)
				}
			}
			wantReason(t, "after two seconds", ask(t, c), guard.BudgetUsed)
			<-time.After(time.Second) // the tier does not hear that it was given up
		})
	})
}

// A stream within a batch that stalls in a tier that does not hear: the caller
// goes on, and the tier has its stream for itself.
func TestBatchStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over, body := make(chan struct{}), &trickle{pieces: 1, closed: make(chan struct{})}
		body.until = over
		c := guard.New(batcher{func(each func(int, interfaces.Entry, error) error) error {
			err := each(0, interfaces.Stream(body, 100), nil)
			return errors.Join(err, body.Close())
		}}, guard.Options{})
		err := c.GetBatch(t.Context(), make([]interfaces.Key, 1), func(_ int, entry interfaces.Entry, _ error) error {
			_, err := entry.Bytes()
			wantReason(t, "reading", err, guard.NoAnswer)
			return nil
		})
		wantReason(t, "GetBatch", err, guard.NoAnswer)
		select {
		case <-body.closed:
			t.Error("the tier has closed what it was still reading")
		default:
		}
		close(over)
		<-body.closed
	})
}

func TestConcurrency(t *testing.T) {
	t.Run("operations", func(t *testing.T) { synctest.Test(t, testMostOperations) })
	t.Run("what was given up still counts", func(t *testing.T) { synctest.Test(t, testGivenUpCounts) })
	t.Run("bytes", func(t *testing.T) { synctest.Test(t, testMostBytes) })
}

func testMostOperations(t *testing.T) {
	var mu sync.Mutex
	now, most := 0, 0
	c := guard.New(&remote{onGet: func(ctx context.Context, _ int) (interfaces.Entry, error) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		err := pause.For(ctx, 100*time.Millisecond)
		mu.Lock()
		now--
		mu.Unlock()
		return interfaces.Text("body"), err
	}}, guard.Options{Concurrency: 3})
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			if _, err := c.Get(t.Context(), keyOf("a")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most != 3 {
		t.Errorf("%d operations at the same time, want 3", most)
	}
}

func testGivenUpCounts(t *testing.T) {
	over := make(chan struct{})
	tier := &remote{onGet: deaf(over)}
	c := guard.New(tier, guard.Options{Concurrency: 2, Failures: -1, Budget: time.Hour})
	for i := range 4 {
		_, err := c.Get(t.Context(), keyOf("a"))
		if i < 2 {
			wantReason(t, "Get", err, guard.NoAnswer)
		} else {
			wantReason(t, "Get", err, guard.TooBusy)
		}
	}
	if gets, _ := tier.counts(); gets != 2 {
		t.Errorf("%d operations hang, want 2 at most", gets)
	}
	close(over)
}

func testMostBytes(t *testing.T) {
	c := guard.New(&remote{onPut: func(ctx context.Context, _ int, _ interfaces.Entry) error {
		return pause.For(ctx, time.Second)
	}}, guard.Options{Bytes: 100, Timeout: time.Minute, Budget: time.Hour})
	start := time.Now()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := c.Put(t.Context(), keyOf("a"), interfaces.Text(strings.Repeat("x", 40))); err != nil {
				t.Error(err)
			}
		})
	}
	synctest.Wait()
	all.Go(func() { // alone, since it is more than there may be
		if err := c.Put(t.Context(), keyOf("b"), interfaces.Text(strings.Repeat("x", 400))); err != nil {
			t.Error(err)
		}
	})
	all.Wait()
	took(t, "four Puts of 40 bytes, two at a time, and a large one", start, 3*time.Second)
}

// open is a tier that closes when the test is over.
type open struct{ until <-chan struct{} }

func (open) Get(context.Context, interfaces.Key) (interfaces.Entry, error) {
	return interfaces.Entry{}, cacheerr.ErrMiss
}
func (open) Put(context.Context, interfaces.Key, interfaces.Entry) error { return nil }
func (o open) Close() error {
	<-o.until
	return nil
}

// connecting is a tier that makes connections ahead.
type connecting struct {
	*remote
	asked int // for how many
}

func (c *connecting) Connect(_ context.Context, n int) { c.asked += n }

// TestConnect: no more connections are made ahead than operations may be under
// way, and none by a tier that has none or is closed.
func TestConnect(t *testing.T) {
	guard.New(&remote{}, guard.Options{}).Connect(t.Context(), 5)
	tier := &connecting{remote: &remote{}}
	c := guard.New(tier, guard.Options{Concurrency: 2})
	c.Connect(t.Context(), 5)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	c.Connect(t.Context(), 5)
	if tier.asked != 2 {
		t.Errorf("%d connections, want 2", tier.asked)
	}
}
