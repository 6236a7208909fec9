// SPDX-License-Identifier: Apache-2.0

package memo_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/faulttier"
	"github.com/tiercecache/tierce/memo"
	"github.com/tiercecache/tierce/tiers"
)

// open opens a deterministic recorder: a local one that synchronizes through
// cache, if opts say nothing else.
func open(t testing.TB, cache interfaces.Cache, opts memo.DeterministicOptions) *memo.Recorder {
	t.Helper()
	if opts.Mode == "" {
		opts.Mode = memo.Local
	}
	if opts.Mode == memo.Local && opts.LockDir == "" {
		opts.LockDir = t.TempDir()
	}
	if cache != nil {
		opts.Sync = tiers.Layer{Name: "sync", Tier: cache}
	}
	r, err := memo.OpenDeterministic(t.Context(), opts)
	mustDo(t, err)
	return r
}

// weak is a cache of another consistency.
type weak struct {
	interfaces.Inserter
	consistency interfaces.Consistency
}

func (w weak) Consistency() interfaces.Consistency { return w.consistency }

func TestModes(t *testing.T) {
	cache := newMemory(t)
	layer := tiers.Layer{Name: "sync", Tier: cache}
	dir := t.TempDir()
	locks := memo.Options{LockDir: dir}
	for name, opts := range map[string]memo.DeterministicOptions{
		"no mode":                       {Sync: layer, Options: locks},
		"an unknown mode":               {Mode: "best-effort", Sync: layer, Options: locks},
		"local without tier":            {Mode: memo.Local, Options: locks},
		"local without locks":           {Mode: memo.Local, Sync: layer},
		"global without tier":           {Mode: memo.Global},
		"strictly cached without tier":  {Mode: memo.StrictlyCached},
		"pre-populated with a tier":     {Mode: memo.StrictlyPrepopulated, Sync: layer, Prepopulate: []string{"x"}},
		"pre-populated without a dump":  {Mode: memo.StrictlyPrepopulated},
		"recording into what is frozen": {Mode: memo.Global, Sync: tiers.Layer{Name: "sync", Tier: cache, ReadOnly: true}},
		"a negative lease":              {Mode: memo.Global, Sync: layer, Lease: -1},
	} {
		t.Run("R10 "+name, func(t *testing.T) {
			_, err := memo.OpenDeterministic(t.Context(), opts)
			wantError[*cacheerr.DeterministicCachingInvalidConfigurationError](t, err)
		})
	}
	for _, mode := range []memo.Mode{memo.Local, memo.Global, memo.StrictlyCached} {
		for name, c := range map[string]interfaces.Cache{
			"eventual": weak{cache, interfaces.ConsistencyEventual}, "unknown": weak{cache, interfaces.ConsistencyUnknown},
			"bare": struct{ interfaces.Cache }{cache},
		} {
			t.Run(fmt.Sprintf("R10 %s through a tier of %s consistency", mode, name), func(t *testing.T) {
				_, err := memo.OpenDeterministic(t.Context(), memo.DeterministicOptions{
					Mode: mode, Sync: tiers.Layer{Name: "weak one", Tier: c}, Options: locks,
				})
				e := wantError[*cacheerr.DeterministicCachingRequiresStrongConsistencyError](t, err)
				wantSame(t, e.Tier, nil, "weak one")
			})
		}
	}
}

// racing is a cache into which another has inserted by the time that somebody
// inserts.
type racing struct {
	interfaces.Inserter
	other string
}

func (r racing) Consistency() interfaces.Consistency { return interfaces.ConsistencyStrong }

func (r racing) Insert(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (bool, error) {
	if err := r.Put(ctx, key, interfaces.Text(r.other)); err != nil {
		return false, err
	}
	return r.Inserter.Insert(ctx, key, entry)
}

// evasive is a cache that never keeps what it says it has.
type evasive struct{ racing }

func (e evasive) Get(context.Context, interfaces.Key) (interfaces.Entry, error) {
	return interfaces.Entry{}, cacheerr.ErrMiss
}

func TestWinner(t *testing.T) {
	ctx := t.Context()
	t.Run("R9 who loses returns the winner's", testLoser)
	t.Run("R9 a result that nobody can see is not returned", func(t *testing.T) {
		r := open(t, evasive{racing{newMemory(t), "1"}}, memo.DeterministicOptions{})
		_, err := function(t, r, "f", memo.Settings[int, int]{}).Record(func(context.Context, int) (int, error) { return 1, nil })(ctx, 1)
		wantError[*cacheerr.BackendExecutionError](t, err)
	})
	t.Run("R9 a fast recorder returns its own, and says that it lost", testFastRecorder)
	for _, op := range []faulttier.Op{faulttier.Get, faulttier.Insert} {
		t.Run("R9 an ill tier is an error, "+string(op), func(t *testing.T) {
			ill := faulttier.New(newMemory(t), faulttier.Rule{On: []faulttier.Op{op}, Fault: faulttier.Fail(errBroken)})
			r := open(t, ill, memo.DeterministicOptions{})
			got, err := function(t, r, "f", memo.Settings[int, int]{}).Record(func(context.Context, int) (int, error) { return 1, nil })(ctx, 1)
			if !errors.Is(err, errBroken) || got != 0 {
				t.Errorf("got %d and error %v, want none and that of the tier", got, err)
			}
		})
	}
	t.Run("R9 bytes that do not decode here stay for others", testUndecodable)
	t.Run("R9 results of fast recorders do not count", func(t *testing.T) {
		cache := newMemory(t)
		_, err := function(t, newFast(t, cache, memo.Options{}), "f", memo.Settings[int, int]{}).Insert(ctx, 1, 1)
		mustDo(t, err)
		_, err = function(t, open(t, cache, memo.DeterministicOptions{}), "f", memo.Settings[int, int]{}).Get(ctx, 1)
		wantMiss(t, err)
	})
}

func testLoser(t *testing.T) {
	ctx := t.Context()
	observer := &told{}
	r := open(t, racing{newMemory(t), `"other"`}, memo.DeterministicOptions{Options: memo.Options{Observer: observer}})
	f := function(t, r, "f", memo.Settings[int, string]{})
	fn := f.Record(func(context.Context, int) (string, error) { return "own", nil })
	for range 2 {
		got, err := fn(ctx, 1)
		wantSame(t, got, err, "other")
	}
	inserted, err := f.Insert(ctx, 1, "own")
	wantSame(t, inserted, err, false)
	inserted, err = f.Insert(ctx, 2, "own")
	wantSame(t, inserted, err, false)
	got, err := f.Get(ctx, 2)
	wantSame(t, got, err, "other")
	want := []memo.Outcome{memo.RecordedLostRace, memo.Replay, memo.NotInserted, memo.NotInserted, memo.Hit}
	if got := observer.take(); !slices.Equal(got, want) {
		t.Errorf("R17 told %v, want %v", got, want)
	}
}

func testFastRecorder(t *testing.T) {
	ctx := t.Context()
	observer := &told{}
	r := newFast(t, racing{newMemory(t), "2"}, memo.Options{Observer: observer})
	got, err := function(t, r, "f", memo.Settings[int, int]{}).Record(func(context.Context, int) (int, error) { return 1, nil })(ctx, 1)
	wantSame(t, got, err, 1)
	if got := observer.take(); !slices.Equal(got, []memo.Outcome{memo.RecordedLostRace}) {
		t.Errorf("R17 told %v", got)
	}
}

func testUndecodable(t *testing.T) {
	ctx := t.Context()
	cache := newMemory(t)
	other := function(t, open(t, cache, memo.DeterministicOptions{}), "f", memo.Settings[int, string]{})
	_, err := other.Insert(ctx, 1, "text")
	mustDo(t, err)
	f := function(t, open(t, cache, memo.DeterministicOptions{}), "f", memo.Settings[int, int]{})
	for range 2 {
		_, err = f.Record(func(context.Context, int) (int, error) { t.Error("it ran"); return 1, nil })(ctx, 1)
		wantError[cacheerr.ValueDecodingError](t, err)
		_, err = f.Get(ctx, 1)
		wantError[cacheerr.ValueDecodingError](t, err)
	}
	got, err := other.Get(ctx, 1)
	wantSame(t, got, err, "text")
}

func TestMemoryOfResults(t *testing.T) {
	ctx := t.Context()
	cache := newMemory(t)
	_, err := function(t, open(t, cache, memo.DeterministicOptions{}), "f", memo.Settings[int, int]{}).Insert(ctx, 1, 5)
	mustDo(t, err)
	seen := faulttier.New(cache)
	f := function(t, open(t, seen, memo.DeterministicOptions{}), "f", memo.Settings[int, int]{})
	for range 3 {
		got, err := f.Get(ctx, 1)
		wantSame(t, got, err, 5)
	}
	if n := seen.Count(faulttier.Get); n != 1 {
		t.Errorf("R14 the tier was read %d times, want once", n)
	}
}

// dumpOf records f(1) = 5 and returns a dump of that.
func dumpOf(t testing.TB) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "dump")
	r := open(t, newMemory(t), memo.DeterministicOptions{Dump: path})
	_, err := function(t, r, "f", memo.Settings[int, int]{}).Insert(t.Context(), 1, 5)
	mustDo(t, err)
	mustDo(t, r.Close(t.Context()))
	return path
}

func wantStrict(t *testing.T, f *memo.Function[int, int], params int) {
	t.Helper()
	ctx := t.Context()
	_, err := f.Record(func(context.Context, int) (int, error) { t.Error("it ran"); return 1, nil })(ctx, params)
	e := wantError[*cacheerr.StrictDeterministicCachingKeyNotFoundError](t, err)
	_, err = f.Get(ctx, params)
	if got := wantError[*cacheerr.StrictDeterministicCachingKeyNotFoundError](t, err); got.Function != "f" || len(got.Key) != 64 || got.Key != e.Key {
		t.Errorf("errors %v and %v, want the function and one key", e, got)
	}
	_, err = f.Insert(ctx, params, 1)
	if got := wantError[*cacheerr.StrictDeterministicCachingInsertionError](t, err); got.Function != "f" || got.Key != e.Key {
		t.Errorf("error %v, want the function and the key", got)
	}
}

func TestStrict(t *testing.T) {
	ctx := t.Context()
	t.Run("R11 only what was pre-populated", func(t *testing.T) {
		r := open(t, nil, memo.DeterministicOptions{Mode: memo.StrictlyPrepopulated, Prepopulate: []string{dumpOf(t)}})
		f := function(t, r, "f", memo.Settings[int, int]{})
		got, err := f.Record(func(context.Context, int) (int, error) { t.Error("it ran"); return 1, nil })(ctx, 1)
		wantSame(t, got, err, 5)
		wantStrict(t, f, 2)
		_, err = f.Insert(ctx, 1, 5)
		wantError[*cacheerr.StrictDeterministicCachingInsertionError](t, err)
	})
	t.Run("R12 pre-populated or in the tier", func(t *testing.T) {
		cache := newMemory(t)
		_, err := function(t, open(t, cache, memo.DeterministicOptions{}), "f", memo.Settings[int, int]{}).Insert(ctx, 2, 7)
		mustDo(t, err)
		r := open(t, cache, memo.DeterministicOptions{Mode: memo.StrictlyCached, Prepopulate: []string{dumpOf(t)}})
		f := function(t, r, "f", memo.Settings[int, int]{})
		for params, want := range map[int]int{1: 5, 2: 7} {
			got, err := f.Record(func(context.Context, int) (int, error) { t.Error("it ran"); return 1, nil })(ctx, params)
			wantSame(t, got, err, want)
		}
		wantStrict(t, f, 3)
		wantLen(t, cache, 1)
	})
	t.Run("R12 a read-only tier will do", func(t *testing.T) {
		_, err := memo.OpenDeterministic(ctx, memo.DeterministicOptions{
			Mode: memo.StrictlyCached, Sync: tiers.Layer{Name: "sync", Tier: newMemory(t), ReadOnly: true},
		})
		mustDo(t, err)
	})
}

// TestAgreement is R9: recorders without locks in common, as machines are, whose
// functions all differ.
func TestAgreement(t *testing.T) {
	for _, mode := range []memo.Mode{memo.Local, memo.Global} {
		t.Run("R9 "+string(mode), func(t *testing.T) {
			cache := newMemory(t)
			const machines, keys = 8, 20
			var results [machines][keys]string
			var all sync.WaitGroup
			for m := range machines {
				fn := function(t, open(t, cache, memo.DeterministicOptions{Mode: mode}), "f", memo.Settings[int, string]{}).
					Record(func(_ context.Context, key int) (string, error) { return fmt.Sprint("machine ", m), nil })
				for key := range keys {
					all.Go(func() {
						got, err := fn(t.Context(), key)
						if err != nil {
							t.Error(err)
						}
						results[m][key] = got
					})
				}
			}
			all.Wait()
			for m := range machines {
				if results[m] != results[0] {
					t.Errorf("machine %d has %v, machine 0 has %v", m, results[m], results[0])
				}
			}
			wantLen(t, cache, keys) // no lease is left
		})
	}
}
