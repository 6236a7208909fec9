// SPDX-License-Identifier: Apache-2.0

package memo_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tiercecache/tierce/memo"
	"github.com/tiercecache/tierce/memory"
)

// deferring is a function whose results are final later, and what is told of it.
type deferring struct {
	cache    *memory.Cache
	observer *told
	f        *memo.Function[int, string]
	fn       func(context.Context, int) (string, error)
	finals   chan *memo.Deferred[string] // of each run, which returns "interim"
}

// TestDeferred is R18.
func TestDeferred(t *testing.T) {
	kinds(t, func(t *testing.T, open func(memo.Options) *memo.Recorder, cache *memory.Cache) {
		d := &deferring{cache: cache, observer: &told{}, finals: make(chan *memo.Deferred[string], 10)}
		d.f = function(t, open(memo.Options{Observer: d.observer}), "f", memo.Settings[int, string]{})
		d.fn = d.f.RecordDeferred(func(_ context.Context, _ int, final *memo.Deferred[string]) (string, error) {
			d.finals <- final
			return "interim", nil
		})
		t.Run("R18 callers are given the interim result until it is final", func(t *testing.T) { testInterim(t, d) })
		t.Run("R18 exactly once, of many at the same time", func(t *testing.T) { testFinalOnce(t, d) })
		t.Run("R18 abandoned, the next caller runs it", func(t *testing.T) { testAbandoned(t, d) })
		t.Run("R18 final before it returns", func(t *testing.T) { testFinalEarly(t, d) })
		t.Run("R16 a function that fails leaves nothing", func(t *testing.T) { testDeferredFails(t, d) })
	})
}

func testInterim(t *testing.T, d *deferring) {
	for range 3 {
		got, err := d.fn(t.Context(), 1)
		wantSame(t, got, err, "interim")
	}
	got, err := d.f.Record(func(context.Context, int) (string, error) { t.Error("it ran"); return "", nil })(t.Context(), 1)
	wantSame(t, got, err, "interim")
	_, err = d.f.Get(t.Context(), 1)
	wantMiss(t, err) // nothing is recorded yet
	wantLen(t, d.cache, 0)
	final := <-d.finals
	got, err = final.Finalize(t.Context(), "final")
	wantSame(t, got, err, "final")
	got, err = d.fn(t.Context(), 1)
	wantSame(t, got, err, "final")
	if _, err := final.Finalize(t.Context(), "again"); !errors.Is(err, memo.ErrFinalized) {
		t.Errorf("a second Finalize: %v", err)
	}
	final.Abandon()
	got, err = d.f.Get(t.Context(), 1)
	wantSame(t, got, err, "final")
	if len(d.finals) != 0 {
		t.Error("the function ran again")
	}
	want := []memo.Outcome{memo.Interim, memo.Interim, memo.Interim, memo.Interim, memo.Miss, memo.Recorded, memo.Replay, memo.Hit}
	if got := d.observer.take(); !slices.Equal(got, want) {
		t.Errorf("R17 told %v, want %v", got, want)
	}
}

func testFinalOnce(t *testing.T, d *deferring) {
	_, err := d.fn(t.Context(), 2)
	mustDo(t, err)
	final := <-d.finals
	results := make(chan error, 10)
	var all sync.WaitGroup
	for range cap(results) {
		all.Go(func() {
			_, err := final.Finalize(t.Context(), "x")
			results <- err
		})
	}
	all.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		} else if !errors.Is(err, memo.ErrFinalized) {
			t.Error(err)
		}
	}
	wantSame(t, won, nil, 1)
}

func testAbandoned(t *testing.T, d *deferring) {
	for range 2 {
		got, err := d.fn(t.Context(), 3)
		wantSame(t, got, err, "interim")
		final := <-d.finals
		final.Abandon()
		if _, err := final.Finalize(t.Context(), "x"); !errors.Is(err, memo.ErrFinalized) {
			t.Errorf("Finalize after Abandon: %v", err)
		}
	}
}

func testFinalEarly(t *testing.T, d *deferring) {
	fn := d.f.RecordDeferred(func(ctx context.Context, _ int, final *memo.Deferred[string]) (string, error) {
		_, err := final.Finalize(ctx, "final")
		return "interim", err
	})
	for range 2 {
		got, err := fn(t.Context(), 4)
		wantSame(t, got, err, "final")
	}
}

func testDeferredFails(t *testing.T, d *deferring) {
	var kept *memo.Deferred[string]
	fn := d.f.RecordDeferred(func(_ context.Context, _ int, final *memo.Deferred[string]) (string, error) {
		kept = final
		return "", errBroken
	})
	for range 2 {
		if _, err := fn(t.Context(), 5); err != errBroken {
			t.Errorf("error %v", err)
		}
		if _, err := kept.Finalize(t.Context(), "x"); !errors.Is(err, memo.ErrFinalized) {
			t.Errorf("Finalize of what failed: %v", err)
		}
	}
}

func TestDeferredOnce(t *testing.T) {
	kinds(t, func(t *testing.T, open func(memo.Options) *memo.Recorder, _ *memory.Cache) {
		for name, fails := range map[string]error{"works": nil, "fails": errBroken} {
			t.Run("R15 one begins, and it "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					release, runs := make(chan struct{}), 0
					fn := function(t, open(memo.Options{}), "f", memo.Settings[int, string]{}).RecordDeferred(
						func(context.Context, int, *memo.Deferred[string]) (string, error) {
							runs++
							<-release
							return "interim", fails
						})
					errs := waiters(10, func() error { _, err := fn(t.Context(), 1); return err })
					synctest.Wait()
					close(release)
					for _, err := range errs() {
						if err != fails {
							t.Errorf("error %v, want %v", err, fails)
						}
					}
					wantSame(t, runs, nil, 1)
				})
			})
		}
	})
}
