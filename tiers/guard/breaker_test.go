// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers/guard"
)

// health is a tier that is ill while a test says so.
type health struct {
	remote
	ill error // nil: well
}

func newHealth(ill error) *health {
	h := &health{ill: ill}
	h.onGet = func(context.Context, int) (interfaces.Entry, error) { return interfaces.Text("body"), h.ill }
	h.onPut = func(context.Context, int, interfaces.Entry) error { return h.ill }
	return h
}

// get returns the error of a Get.
func get(t *testing.T, c *guard.Cache) error {
	t.Helper()
	_, err := c.Get(t.Context(), keyOf("a"))
	return err
}

func TestBreaker(t *testing.T) {
	t.Run("opens, tries, and closes", func(t *testing.T) { synctest.Test(t, testBreakerOpensAndCloses) })
	t.Run("tries with one operation", func(t *testing.T) { synctest.Test(t, testBreakerTriesOne) })
	t.Run("opens when half fails", func(t *testing.T) { synctest.Test(t, testBreakerOpensAtHalf) })
	t.Run("reads go on when writes fail", testBreakerReadsGoOn)
	t.Run("counts streams that break", testBreakerCountsStreams)
	for _, test := range []struct {
		name string
		ill  error
	}{
		{"misses", cacheerr.ErrMiss}, {"damage", cacheerr.ErrDamaged}, {"what the caller has to change", &cacheerr.EntryTooLargeError{}},
		{"a read-only tier", cacheerr.ErrReadOnly},
	} {
		t.Run("is not opened by "+test.name, func(t *testing.T) {
			tier := newHealth(test.ill)
			c := guard.New(tier, guard.Options{})
			for range 50 {
				_ = get(t, c)
			}
			if gets, _ := tier.counts(); gets != 50 {
				t.Errorf("asked %d times, want 50", gets)
			}
		})
	}
	t.Run("is not opened by callers who give up", func(t *testing.T) { synctest.Test(t, testBreakerNotByGivingUp) })
	t.Run("is not opened by bodies that fail", testBreakerNotByBodies)
	t.Run("lets Ping through", testBreakerLetsPingThrough)
}

func testBreakerOpensAndCloses(t *testing.T) {
	tier := newHealth(errBroken)
	c := guard.New(tier, guard.Options{})
	for range 5 {
		if err := get(t, c); err != error(errBroken) {
			t.Errorf("error %v, want the tier's", err)
		}
	}
	for range 100 {
		wantReason(t, "open", get(t, c), guard.LeftAlone)
	}
	if gets, _ := tier.counts(); gets != 5 {
		t.Errorf("asked %d times, want 5", gets)
	}
	<-time.After(5*time.Second + 1)
	if err := get(t, c); err != error(errBroken) {
		t.Errorf("error %v, want the tier's: it was to be tried", err)
	}
	wantReason(t, "open again", get(t, c), guard.LeftAlone)
	tier.ill = nil
	<-time.After(5*time.Second + 1)
	for range 10 {
		if err := get(t, c); err != nil {
			t.Errorf("error %v, want a hit: the tier is well again", err)
		}
	}
}

func testBreakerTriesOne(t *testing.T) {
	tier := newHealth(errBroken)
	c := guard.New(tier, guard.Options{})
	for range 5 {
		_ = get(t, c)
	}
	<-time.After(5*time.Second + 1)
	tier.onGet = missAfter(time.Second)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { _ = get(t, c) })
	}
	all.Wait()
	if gets, _ := tier.counts(); gets != 6 {
		t.Errorf("asked %d times, want once more than the 5 that failed", gets)
	}
}

func testBreakerOpensAtHalf(t *testing.T) {
	tier := newHealth(nil)
	tier.onGet = func(_ context.Context, n int) (interfaces.Entry, error) {
		if n%2 == 0 {
			return interfaces.Entry{}, errBroken
		}
		return interfaces.Text("body"), nil
	}
	c := guard.New(tier, guard.Options{})
	for range 20 {
		_ = get(t, c)
	}
	wantReason(t, "after twenty", get(t, c), guard.LeftAlone)
}

func testBreakerReadsGoOn(t *testing.T) {
	c := guard.New(newFull(), guard.Options{})
	put := func() error { return c.Put(t.Context(), keyOf("a"), interfaces.Text("body")) }
	for range 5 {
		_ = put()
	}
	wantReason(t, "Put", put(), guard.LeftAlone)
	if err := get(t, c); err != nil {
		t.Errorf("Get: %v", err)
	}
}

func testBreakerCountsStreams(t *testing.T) {
	tier := newHealth(nil)
	tier.onGet = func(context.Context, int) (interfaces.Entry, error) {
		return interfaces.Stream(io.MultiReader(failing{}), 10), nil
	}
	c := guard.New(tier, guard.Options{Failures: 1})
	entry, err := c.Get(t.Context(), keyOf("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(entry.Reader()); err == nil {
		t.Error("the stream did not break")
	}
	wantReason(t, "Get", get(t, c), guard.LeftAlone)
	_ = entry.Close()
}

func testBreakerNotByGivingUp(t *testing.T) {
	tier := newHealth(nil)
	tier.onGet = missAfter(time.Second)
	c := guard.New(tier, guard.Options{})
	for range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, _ = c.Get(ctx, keyOf("a"))
		cancel()
	}
	if gets, _ := tier.counts(); gets != 50 {
		t.Errorf("asked %d times, want 50", gets)
	}
}

func testBreakerNotByBodies(t *testing.T) {
	tier := newHealth(nil)
	tier.onPut = func(_ context.Context, _ int, entry interfaces.Entry) error {
		_, err := io.Copy(io.Discard, entry.Reader())
		return err
	}
	c := guard.New(tier, guard.Options{})
	for range 50 {
		_ = c.Put(t.Context(), keyOf("a"), interfaces.Stream(failing{}, 10))
	}
	if _, puts := tier.counts(); puts != 50 {
		t.Errorf("asked %d times, want 50", puts)
	}
}

func testBreakerLetsPingThrough(t *testing.T) {
	c := guard.New(pinger{newHealth(errBroken)}, guard.Options{})
	for range 5 {
		_ = get(t, c)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
}

// newFull returns a tier that can be read and takes nothing.
func newFull() *health {
	h := newHealth(nil)
	h.onPut = func(context.Context, int, interfaces.Entry) error { return errBroken }
	return h
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroken }

type pinger struct{ *health }

func (pinger) Ping(context.Context) error { return nil }
