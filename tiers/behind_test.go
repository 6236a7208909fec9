// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tiercecache/tierce/cachetest"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// behind is a stack of a near layer and one that is written behind.
type behind struct {
	*tiers.Stack
	near, far *fake
	events    *events
}

// newBehind returns a behind that the test closes, with one worker unless opts
// says otherwise.
func newBehind(t *testing.T, opts tiers.Options) *behind {
	t.Helper()
	b := &behind{near: newFake(t), far: newFake(t), events: &events{}}
	opts.Observer = b.events
	if opts.Workers == 0 {
		opts.Workers = 1
	}
	s, err := tiers.New(opts, tiers.Layer{Name: "near", Tier: b.near}, tiers.Layer{Name: "far", Tier: b.far, Behind: true, MaxBody: 5000})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	b.Stack = s
	return b
}

// hold makes the far layer take its time for every entry, until the gate opens
// or its context ends.
func (b *behind) hold() gate {
	held := make(gate)
	b.far.onPut = func(ctx context.Context, _ interfaces.Key, _ interfaces.Entry) error {
		select {
		case <-held:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return held
}

func (b *behind) close(t *testing.T) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func numbered(i int) interfaces.Key { return keyOf(fmt.Sprint("key ", i)) }

func TestBehind(t *testing.T) {
	t.Run("Put does not wait", func(t *testing.T) { synctest.Test(t, testBehindPutDoesNotWait) })
	t.Run("the newest entry is sent last", func(t *testing.T) { synctest.Test(t, testBehindNewestLast) })
	t.Run("Insert and PutBatch", func(t *testing.T) { synctest.Test(t, testBehindInsertAndBatch) })
	t.Run("a promotion past it", func(t *testing.T) { synctest.Test(t, testBehindPromotion) })
	t.Run("what it refuses is dropped there", func(t *testing.T) { synctest.Test(t, testBehindRefused) })
	t.Run("an entry that has gone is dropped", func(t *testing.T) { synctest.Test(t, testBehindGone) })
}

func testBehindPutDoesNotWait(t *testing.T) {
	key := keyOf("key")
	b := newBehind(t, tiers.Options{})
	held := b.hold()
	put(t, b, key, "body")
	put(t, b, keyOf("long"), strings.Repeat("long ", 900)) // read as a stream
	wantMiss(t, b.far.full, key)
	held.open()
	b.close(t)
	want(t, b.far.full, key, "body")
	want(t, b.far.full, keyOf("long"), strings.Repeat("long ", 900))
	b.events.want(t, "near put stored", "stack put stored", "near put stored", "stack put stored",
		"far behind stored", "far behind stored")
}

func testBehindNewestLast(t *testing.T) {
	key := keyOf("key")
	b := newBehind(t, tiers.Options{Workers: 4})
	held := b.hold()
	for i := range 10 {
		put(t, b, key, fmt.Sprint("body ", i))
		synctest.Wait()
	}
	held.open()
	b.close(t)
	want(t, b.far.full, key, "body 9")
	if n := b.far.puts.Load(); n != 2 {
		t.Errorf("the key was sent %d times, want 2: at first, and for all that came meanwhile", n)
	}
}

func testBehindInsertAndBatch(t *testing.T) {
	far := cachetest.NewFull(t)
	s, err := tiers.New(tiers.Options{}, tiers.Layer{Name: "near", Tier: cachetest.NewFull(t)},
		tiers.Layer{Name: "far", Tier: far, Behind: true})
	if err != nil {
		t.Fatal(err)
	}
	insert(t, s, numbered(0), interfaces.Text("inserted"), true)
	if err := s.PutBatch(t.Context(), []interfaces.Item{{Key: numbered(1), Entry: interfaces.Text("batch")}}); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	want(t, far.Reopen(), numbered(0), "inserted")
	want(t, far.Reopen(), numbered(1), "batch")
}

func testBehindPromotion(t *testing.T) {
	key := keyOf("key")
	between, far := newFake(t), newFar(t)
	put(t, far, key, "body")
	s, err := tiers.New(tiers.Options{}, tiers.Layer{Name: "near", Tier: newFake(t)},
		tiers.Layer{Name: "between", Tier: between, Behind: true}, tiers.Layer{Name: "far", Tier: far})
	if err != nil {
		t.Fatal(err)
	}
	want(t, s, key, "body")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	want(t, between.full, key, "body")
}

func testBehindRefused(t *testing.T) {
	key := keyOf("key")
	b := newBehind(t, tiers.Options{})
	put(t, b.far.full, key, "old")
	put(t, b.far.full, keyOf("other"), "old")
	put(t, b, key, strings.Repeat("too long ", 1000))
	synctest.Wait()
	wantMiss(t, b.far.full, key)
	b.far.onPut = refuse
	put(t, b, keyOf("other"), "new")
	synctest.Wait()
	wantMiss(t, b.far.full, keyOf("other"))
	b.close(t)
	if got := b.events.linesOf("far"); !slices.Equal(got, []string{"far behind refused", "far behind failed"}) {
		t.Errorf("events of the far layer: %q, want refused and failed", got)
	}
}

func testBehindGone(t *testing.T) {
	key := keyOf("key")
	b := newBehind(t, tiers.Options{})
	held := b.hold()
	put(t, b, keyOf("first"), "body")
	put(t, b.far.full, key, "old")
	put(t, b, key, "body")
	synctest.Wait()
	if err := b.near.Delete(t.Context(), key); err != nil {
		t.Error(err)
	}
	b.events.lines()
	held.open()
	b.close(t)
	b.events.want(t, "far behind stored", "far behind dropped")
}

func TestBehindFull(t *testing.T) {
	t.Run("drops and says so", func(t *testing.T) { synctest.Test(t, testBehindFullDrops) })
	t.Run("waits if it is to", func(t *testing.T) { synctest.Test(t, testBehindFullWaits) })
}

func testBehindFullDrops(t *testing.T) {
	b := newBehind(t, tiers.Options{QueueSize: 2})
	held := b.hold()
	put(t, b, numbered(0), "body")
	synctest.Wait() // a worker has it
	for i := 1; i < 5; i++ {
		put(t, b, numbered(i), "body")
	}
	put(t, b, numbered(1), "again") // waits already
	var full []error
	for _, event := range b.events.seen {
		if event.Result == tiers.Dropped {
			full = append(full, event.Err)
		}
	}
	if len(full) != 2 {
		t.Fatalf("%d entries were dropped, want 2 of 5 where one is being sent and 2 wait", len(full))
	}
	if err, ok := errors.AsType[*cacheerr.QueueFullError](full[0]); !ok || err.Queue != "far" || err.Size != 2 {
		t.Errorf("the event says %v, want QueueFullError of far, 2", full[0])
	}
	held.open()
	b.close(t)
	want(t, b.far.full, numbered(1), "again")
	want(t, b.far.full, numbered(2), "body")
	wantMiss(t, b.far.full, numbered(3))
}

func testBehindFullWaits(t *testing.T) {
	b := newBehind(t, tiers.Options{QueueSize: 1, QueueWait: true})
	held := b.hold()
	for i := range 2 {
		put(t, b, numbered(i), "body")
		synctest.Wait()
	}
	done := make(chan struct{})
	go func() {
		put(t, b, numbered(2), "body")
		close(done)
	}()
	synctest.Wait()
	select {
	case <-done:
		t.Error("Put did not wait for room")
	default:
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := b.Put(ctx, numbered(3), interfaces.Text("body")); err != nil {
		t.Errorf("Put whose context ends while it waits: %v, but a layer has the entry", err)
	}
	held.open()
	<-done
	b.close(t)
	want(t, b.far.full, numbered(2), "body")
	wantMiss(t, b.far.full, numbered(3))
}

// TestBehindKeptWhenNothingIsRemoved is about a Delete that the stack cannot do:
// what waits is sent all the same.
func TestBehindKeptWhenNothingIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, held := newFake(t), make(gate)
		far.onPut = func(context.Context, interfaces.Key, interfaces.Entry) error { held.pass(); return nil }
		s := newStack(t, tiers.Options{Workers: 1}, tiers.Layer{Name: "near", Tier: cachetest.NewFull(t)},
			tiers.Layer{Name: "far", Tier: cachetest.Bare(far), Behind: true})
		put(t, s, numbered(0), "body")
		synctest.Wait()
		put(t, s, numbered(1), "body")
		for name, err := range map[string]error{"Delete": s.Delete(t.Context(), numbered(1)), "Clear": s.Clear(t.Context())} {
			if !same(err, errors.ErrUnsupported) {
				t.Errorf("%s: error %v, want errors.ErrUnsupported", name, err)
			}
		}
		held.open()
		synctest.Wait()
		want(t, far.full, numbered(1), "body")
	})
}

// TestBehindRoom has three callers wait for room for one key: it needs one place
// at a time.
func TestBehindRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBehind(t, tiers.Options{QueueSize: 2, QueueWait: true})
		step := make(chan struct{})
		b.far.onPut = func(context.Context, interfaces.Key, interfaces.Entry) error { <-step; return nil }
		for i := range 3 {
			put(t, b, numbered(i), "body")
			synctest.Wait()
		}
		for range 3 {
			go put(t, b, numbered(3), "body")
		}
		for range 3 {
			synctest.Wait()
			step <- struct{}{}
		}
		synctest.Wait()
		close(step)
		put(t, b, numbered(4), "body") // waits for ever if two places were lost
		b.close(t)
		want(t, b.far.full, numbered(4), "body")
	})
}

func TestBehindClose(t *testing.T) {
	t.Run("drains", func(t *testing.T) { synctest.Test(t, testBehindDrains) })
	t.Run("gives up after DrainTimeout and says what is left", func(t *testing.T) { synctest.Test(t, testBehindGivesUp) })
	t.Run("at once if it is to", func(t *testing.T) { synctest.Test(t, testBehindAtOnce) })
	t.Run("those who wait for room are let go", func(t *testing.T) { synctest.Test(t, testBehindLetsGo) })
}

func testBehindDrains(t *testing.T) {
	b := newBehind(t, tiers.Options{DrainTimeout: time.Minute})
	b.far.onPut = func(context.Context, interfaces.Key, interfaces.Entry) error {
		<-time.After(time.Second)
		return nil
	}
	for i := range 50 {
		put(t, b, numbered(i), "body")
	}
	b.close(t)
	for i := range 50 {
		want(t, b.far.full, numbered(i), "body")
	}
}

func testBehindGivesUp(t *testing.T) {
	b := newBehind(t, tiers.Options{DrainTimeout: time.Minute, Workers: 2})
	b.hold()
	for i := range 5 {
		put(t, b, numbered(i), "body")
	}
	synctest.Wait()
	put(t, b, numbered(0), "while it is being sent")
	start := time.Now()
	err := b.Close()
	if waited := time.Since(start); waited != time.Minute {
		t.Errorf("Close waited %v, want a minute of the test's own time", waited)
	}
	failures, ok := errors.AsType[*cacheerr.TierFailures](err)
	if !ok || !errors.Is(err, tiers.ErrNotDrained) || failures.Failures[0].Tier != "far" || !strings.Contains(err.Error(), "5 entries") {
		t.Errorf("Close: error %v, want TierFailures with 5 entries that were not sent to far", err)
	}
	dropped := 0
	for _, line := range b.events.lines() {
		if line == "far behind dropped" {
			dropped++
		}
	}
	if dropped != 5 {
		t.Errorf("%d events of dropped entries, want 5", dropped)
	}
	if err := b.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

func testBehindAtOnce(t *testing.T) {
	b := newBehind(t, tiers.Options{DrainTimeout: -1})
	b.hold()
	put(t, b, numbered(0), "body")
	start := time.Now()
	if err := b.Close(); !errors.Is(err, tiers.ErrNotDrained) || time.Since(start) != 0 {
		t.Errorf("Close: error %v after %v, want ErrNotDrained at once", err, time.Since(start))
	}
}

func testBehindLetsGo(t *testing.T) {
	b := newBehind(t, tiers.Options{QueueSize: 1, QueueWait: true, DrainTimeout: time.Minute})
	b.hold()
	for i := range 2 {
		put(t, b, numbered(i), "body")
		synctest.Wait()
	}
	for i := range 3 {
		go put(t, b, numbered(2+i), "body")
	}
	synctest.Wait()
	if err := b.Close(); !errors.Is(err, tiers.ErrNotDrained) {
		t.Errorf("Close: error %v, want ErrNotDrained", err)
	}
	synctest.Wait() // a goroutine that still waits is a deadlock here
}

// TestBehindRemoved is about an entry that is removed while it waits or is
// being sent: it does not come back.
func TestBehindRemoved(t *testing.T) {
	key := keyOf("key")
	for name, remove := range map[string]func(ctx context.Context, b *behind) error{
		"T4 Delete": func(ctx context.Context, b *behind) error { return b.Delete(ctx, key) },
		"T4 Clear":  func(ctx context.Context, b *behind) error { return b.Clear(ctx) },
	} {
		t.Run(name+" while it waits", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBehind(t, tiers.Options{})
				held := b.hold()
				if name == "T4 Delete" { // Clear would wait for the other one
					put(t, b, keyOf("other"), "body")
					synctest.Wait()
				}
				put(t, b, key, "body")
				go func() {
					if err := remove(t.Context(), b); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}()
				held.open()
				synctest.Wait()
				b.close(t)
				wantMiss(t, b.near.full, key)
				wantMiss(t, b.far.full, key)
				if slices.Contains(b.events.linesOf("far"), "far behind dropped") {
					t.Error("a worker looked for what was removed")
				}
			})
		})
		t.Run(name+" while it is sent", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBehind(t, tiers.Options{})
				held := b.hold()
				put(t, b, key, "body")
				synctest.Wait()
				put(t, b, key, "once more")
				go func() {
					if err := remove(t.Context(), b); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}()
				held.open()
				synctest.Wait()
				wantMiss(t, b.far.full, key)
				if n := b.far.puts.Load(); n != 1 {
					t.Errorf("%d entries were sent, want the one that was under way", n)
				}
				put(t, b, key, "after")
				b.close(t)
				want(t, b.far.full, key, "after")
			})
		})
	}
}
