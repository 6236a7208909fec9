// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tiercecache/tierce/cachetest"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/pause"
	"github.com/tiercecache/tierce/tiers"
	"github.com/tiercecache/tierce/tiers/guard"
)

func TestBudget(t *testing.T) {
	t.Run("is used up", func(t *testing.T) { synctest.Test(t, testBudgetUsedUp) })
	t.Run("is time on the clock", func(t *testing.T) { synctest.Test(t, testBudgetIsClockTime) })
	t.Run("is not used by hits", func(t *testing.T) { synctest.Test(t, testBudgetNotForHits) })
	t.Run("hits of one do not pay for what another waits", func(t *testing.T) { synctest.Test(t, testBudgetOfEachCaller) })
	t.Run("cuts what would be too long, whoever waits", func(t *testing.T) { synctest.Test(t, testBudgetCuts) })
	t.Run("grows with the build", func(t *testing.T) { synctest.Test(t, testBudgetGrows) })
	t.Run("is not used by what is written behind", func(t *testing.T) { synctest.Test(t, testBudgetNotForBehind) })
	t.Run("is charged with what was before", func(t *testing.T) { synctest.Test(t, testBudgetCharged) })
	t.Run("is used by hits that are dear", func(t *testing.T) { synctest.Test(t, testBudgetForDearHits) })
	t.Run("is told", func(t *testing.T) { synctest.Test(t, testBudgetTold) })
	t.Run("does not end a stream that moves", func(t *testing.T) { synctest.Test(t, testBudgetSparesStreams) })
}

func testBudgetUsedUp(t *testing.T) {
	tier := &remote{onGet: missAfter(time.Second)}
	c := guard.New(tier, guard.Options{Budget: 3500 * time.Millisecond, BudgetShare: -1})
	start := time.Now()
	for i := range 10 {
		_, err := c.Get(t.Context(), keyOf("a"))
		switch {
		case i < 3 && err != cacheerr.ErrMiss:
			t.Errorf("Get %d: error %v, want a miss", i, err)
		case i >= 3:
			wantReason(t, "Get", err, guard.BudgetUsed)
		}
	}
	took(t, "all of it", start, 3500*time.Millisecond)
	if gets, _ := tier.counts(); gets != 4 {
		t.Errorf("asked %d times, want 4: not when the budget is used up", gets)
	}
}

func testBudgetIsClockTime(t *testing.T) {
	c := guard.New(&remote{onGet: missAfter(time.Second)}, guard.Options{})
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() { _, _ = c.Get(t.Context(), keyOf("a")) })
	}
	<-time.After(500 * time.Millisecond)
	_, _ = c.Get(t.Context(), keyOf("b"))
	all.Wait()
	if vain, total := c.Waited(); vain != 1500*time.Millisecond || total != vain {
		t.Errorf("waited %v, %v of it in vain, want 1.5 s for thirteen at nearly the same time", total, vain)
	}
}

func testBudgetNotForHits(t *testing.T) {
	c := guard.New(&remote{onGet: func(ctx context.Context, _ int) (interfaces.Entry, error) {
		return interfaces.Text("body"), pause.For(ctx, time.Second)
	}}, guard.Options{})
	for range 20 {
		if _, err := c.Get(t.Context(), keyOf("a")); err != nil {
			t.Fatal(err)
		}
	}
	if vain, total := c.Waited(); vain != 0 || total != 20*time.Second {
		t.Errorf("waited %v, %v of it in vain, want 20 s and nothing", total, vain)
	}
}

func testBudgetOfEachCaller(t *testing.T) {
	c := guard.New(&remote{onGet: func(ctx context.Context, n int) (interfaces.Entry, error) {
		if n == 1 {
			return missAfter(1800*time.Millisecond)(ctx, n)
		}
		return interfaces.Text("body"), pause.For(ctx, 100*time.Millisecond)
	}}, guard.Options{})
	var all sync.WaitGroup
	all.Go(func() { _, _ = c.Get(t.Context(), keyOf("a")) })
	synctest.Wait()
	for range 10 {
		_, _ = c.Get(t.Context(), keyOf("b"))
	}
	all.Wait()
	if vain, _ := c.Waited(); vain != 1800*time.Millisecond {
		t.Errorf("waited %v in vain, want 1.8 s", vain)
	}
}

func testBudgetCuts(t *testing.T) {
	c := guard.New(&remote{onGet: missAfter(time.Hour)}, guard.Options{Timeout: 3 * time.Second, Budget: 4 * time.Second, BudgetShare: -1, Failures: -1})
	start := time.Now()
	var all sync.WaitGroup
	all.Go(func() { _, err := c.Get(t.Context(), keyOf("a")); wantReason(t, "the first", err, guard.NoAnswer) })
	<-time.After(2 * time.Second)
	_, err := c.Get(t.Context(), keyOf("b"))
	wantReason(t, "the second", err, guard.BudgetUsed)
	all.Wait()
	took(t, "both", start, 4*time.Second)
}

func testBudgetGrows(t *testing.T) {
	tier := &remote{onGet: missAfter(time.Second)}
	c := guard.New(tier, guard.Options{Budget: 2500 * time.Millisecond})
	ask := func() error { _, err := c.Get(t.Context(), keyOf("a")); return err }
	for range 2 {
		if err := ask(); err != cacheerr.ErrMiss {
			t.Errorf("error %v, want a miss", err)
		}
	}
	wantReason(t, "when it is used up", ask(), guard.BudgetUsed)
	<-time.After(58 * time.Second) // 5 % of a minute are 3 s: not enough for a whole operation
	wantReason(t, "when there is too little", ask(), guard.BudgetUsed)
	<-time.After(40 * time.Second) // 5 s
	if err := ask(); err != cacheerr.ErrMiss {
		t.Errorf("error %v, want a miss: there is time again", err)
	}
}

func testBudgetNotForBehind(t *testing.T) {
	seen := &events{}
	far := guard.New(&remote{
		onGet: missAfter(0),
		onPut: func(ctx context.Context, _ int, _ interfaces.Entry) error { return pause.For(ctx, time.Second) },
	}, guard.Options{Observer: seen})
	s, err := tiers.New(tiers.Options{DrainTimeout: time.Minute, Workers: 1}, tiers.Layer{Name: "near", Tier: &remote{
		onGet: func(context.Context, int) (interfaces.Entry, error) { return interfaces.Text("body"), nil },
		onPut: func(context.Context, int, interfaces.Entry) error { return nil },
	}}, tiers.Layer{Name: "far", Tier: far, Behind: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		if err := s.Put(t.Context(), keyOf(name), interfaces.Text("body")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if vain, total := far.Waited(); vain != 0 || total != 0 {
		t.Errorf("waited %v, %v in vain, want nothing", total, vain)
	}
}

func testBudgetCharged(t *testing.T) {
	seen := &events{}
	c := guard.New(&remote{onGet: missAfter(600 * time.Millisecond)}, guard.Options{Observer: seen})
	c.Charge(4*time.Second, time.Minute)
	if err := get(t, c); err != cacheerr.ErrMiss {
		t.Errorf("error %v, want a miss: there is a second left", err)
	}
	wantReason(t, "when it is used up", get(t, c), guard.BudgetUsed)
	if n, d := seen.count(tiers.InVain); n != 2 || d != time.Second {
		t.Errorf("%d events of %v in vain, want two of a second together: not of what was charged", n, d)
	}
	c.Charge(0, 2*time.Minute) // 5 % of three are 9 s
	if err := get(t, c); err != cacheerr.ErrMiss {
		t.Errorf("error %v, want a miss: it is a long build", err)
	}
}

func testBudgetForDearHits(t *testing.T) {
	entry := interfaces.Text("body").WithHead(interfaces.Head{Size: 4, Cost: 600 * time.Millisecond})
	for name, ask := range map[string]func(c *guard.Cache) error{
		"alone": func(c *guard.Cache) error { return get(t, c) },
		"in a batch": func(c *guard.Cache) (ill error) {
			err := c.GetBatch(t.Context(), make([]interfaces.Key, 1), func(_ int, _ interfaces.Entry, err error) error {
				ill = err
				return nil
			})
			return errors.Join(err, ill)
		},
	} {
		seen := &events{}
		opts := guard.Options{Budget: 4500 * time.Millisecond, BudgetShare: -1, Observer: seen}
		c := guard.New(slow{entry}, opts)
		for range 20 { // worth any time
			if err := ask(c); err != nil {
				t.Fatalf("%s: error %v, want a hit", name, err)
			}
		}
		c = guard.New(slow{entry}, opts)
		c.Compare(3)       // who would have made it in 200 ms
		for i := range 5 { // that is 800 ms too long each time
			if err := ask(c); err != nil {
				t.Errorf("%s: %d: error %v, want a hit", name, i, err)
			}
		}
		wantReason(t, name, ask(c), guard.BudgetUsed)
		if _, d := seen.count(tiers.InVain); d != 4500*time.Millisecond {
			t.Errorf("%s: %v in vain, want the budget", name, d)
		}
	}
}

func testBudgetTold(t *testing.T) {
	seen := &events{}
	c := guard.New(&remote{onGet: missAfter(time.Second)}, guard.Options{Name: "far", Observer: seen})
	for range 2 {
		_, _ = c.Get(t.Context(), keyOf("a"))
	}
	n, d := seen.count(tiers.Waited)
	if n != 2 || d != 2*time.Second || seen.seen[0].Layer != "far" {
		t.Errorf("%d events of %v for %q, want 2 of 2 s together", n, d, seen.seen[0].Layer)
	}
}

func testBudgetSparesStreams(t *testing.T) {
	body := &trickle{pieces: 3, every: time.Second, closed: make(chan struct{})}
	tier := &remote{onGet: func(context.Context, int) (interfaces.Entry, error) { return interfaces.Stream(body, 15), nil }}
	c := guard.New(tier, guard.Options{Budget: time.Second, BudgetShare: -1})
	entry, err := c.Get(t.Context(), keyOf("a"))
	if err != nil {
		t.Fatal(err)
	}
	tier.onGet = missAfter(time.Hour)
	_, err = c.Get(t.Context(), keyOf("b"))
	wantReason(t, "another Get", err, guard.BudgetUsed)
	if _, err := entry.Bytes(); err != nil {
		t.Errorf("reading: %v", err)
	}
	_ = entry.Close()
}

// TestDrain: what a stack writes behind is part of the same budget when the
// stack is closed.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hanging := &remote{onGet: missAfter(time.Second), onPut: func(ctx context.Context, _ int, _ interfaces.Entry) error {
			return pause.For(ctx, time.Hour)
		}}
		c := guard.New(hanging, guard.Options{Budget: 4 * time.Second, BudgetShare: -1, Timeout: time.Minute})
		s, err := tiers.New(tiers.Options{DrainTimeout: time.Minute},
			tiers.Layer{Name: "near", Tier: cachetest.NewFull(t)}, tiers.Layer{Name: "far", Tier: c, Behind: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Put(t.Context(), keyOf("a"), interfaces.Text("body")); err != nil {
			t.Error(err)
		}
		start := time.Now()
		for range 3 {
			if _, err := c.Get(t.Context(), keyOf("b")); err != cacheerr.ErrMiss {
				t.Errorf("Get: error %v, want a miss", err)
			}
		}
		if left := c.Left(); left != time.Second {
			t.Errorf("%v of the budget is left, want a second", left)
		}
		if err := s.Close(); !errors.Is(err, tiers.ErrNotDrained) {
			t.Errorf("Close: error %v, want ErrNotDrained", err)
		}
		took(t, "all of it", start, 4*time.Second)
	})
}

// TestBehindGoesOn: a build that has waited long enough for a far tier still
// fills it, since nobody waits for that.
func TestBehindGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &remote{onGet: missAfter(time.Second), onPut: func(ctx context.Context, _ int, _ interfaces.Entry) error {
			return pause.For(ctx, time.Second)
		}}
		c := guard.New(far, guard.Options{Budget: 2500 * time.Millisecond, BudgetShare: -1})
		s, err := tiers.New(tiers.Options{}, tiers.Layer{Name: "near", Tier: cachetest.NewFull(t)}, tiers.Layer{Name: "far", Tier: c, Behind: true})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := c.Get(t.Context(), keyOf("b")); err != cacheerr.ErrMiss {
				t.Errorf("Get: error %v, want a miss", err)
			}
		}
		_, err = c.Get(t.Context(), keyOf("b"))
		wantReason(t, "Get", err, guard.BudgetUsed)
		if err := s.Put(t.Context(), keyOf("a"), interfaces.Text("body")); err != nil {
			t.Error(err)
		}
		<-time.After(5 * time.Second) // of the build, in the test's own time
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v, want nothing left", err)
		}
		if _, puts := far.counts(); puts != 1 {
			t.Errorf("%d Puts, want 1", puts)
		}
	})
}
