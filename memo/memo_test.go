// SPDX-License-Identifier: Apache-2.0

package memo_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	cachectx "github.com/tiercecache/tierce/context"
	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/faulttier"
	"github.com/tiercecache/tierce/memo"
	"github.com/tiercecache/tierce/memory"
	"github.com/tiercecache/tierce/tiers"
)

var errBroken = errors.New("broken")

// query and plan are the parameters and the result of the tests' function.
type query struct {
	Table string
	Limit int
}

type plan struct {
	Steps []string
	Cost  float64
}

// counted is a function that counts its runs; its results differ from run to
// run.
type counted struct{ runs atomic.Int64 }

func (c *counted) plan(_ context.Context, q query) (plan, error) {
	n := c.runs.Add(1)
	return plan{Steps: []string{"scan " + q.Table, fmt.Sprint("run ", n)}, Cost: float64(q.Limit)}, nil
}

func (c *counted) want(t testing.TB, runs int64) {
	t.Helper()
	if got := c.runs.Load(); got != runs {
		t.Errorf("the function ran %d times, want %d", got, runs)
	}
}

// told is an observer that remembers.
type told struct {
	mu     sync.Mutex
	events []memo.Event
}

func (o *told) Observe(event memo.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, event)
}

// take returns the outcomes since the last take.
func (o *told) take() (outcomes []memo.Outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, event := range o.events {
		outcomes = append(outcomes, event.Outcome)
	}
	o.events = nil
	return outcomes
}

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newMemory(t testing.TB) *memory.Cache {
	t.Helper()
	c, err := memory.New(memory.Options{})
	mustDo(t, err)
	return c
}

func newFast(t testing.TB, cache interfaces.Cache, opts memo.Options) *memo.Recorder {
	t.Helper()
	r, err := memo.NewFast(cache, opts)
	mustDo(t, err)
	return r
}

func function[P, R any](t testing.TB, r *memo.Recorder, name string, settings memo.Settings[P, R]) *memo.Function[P, R] {
	t.Helper()
	f, err := memo.New(r, name, settings)
	mustDo(t, err)
	return f
}

// wantSame fails the test unless a call returns what another did.
func wantSame[R any](t testing.TB, got R, err error, want R) {
	t.Helper()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v and error %v, want %v", got, err, want)
	}
}

// wantError fails the test unless err is an E.
func wantError[E error](t testing.TB, err error) (e E) {
	t.Helper()
	e, ok := errors.AsType[E](err)
	if !ok {
		t.Errorf("error %T %v, want a %T", err, err, e)
	}
	return e
}

func wantMiss(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, cacheerr.ErrMiss) {
		t.Errorf("error %v, want a miss", err)
	}
}

func wantLen(t testing.TB, c interfaces.Cache, want int) {
	t.Helper()
	if n, err := interfaces.Len(t.Context(), c); n != want || err != nil {
		t.Errorf("the cache has %d entries, error %v; want %d", n, err, want)
	}
}

// kinds are recorders of both kinds over a cache of their own.
func kinds(t *testing.T, test func(t *testing.T, open func(opts memo.Options) *memo.Recorder, cache *memory.Cache)) {
	t.Helper()
	t.Run("fast", func(t *testing.T) {
		cache := newMemory(t)
		test(t, func(opts memo.Options) *memo.Recorder { return newFast(t, cache, opts) }, cache)
	})
	t.Run("deterministic", func(t *testing.T) {
		cache := newMemory(t)
		test(t, func(opts memo.Options) *memo.Recorder {
			return open(t, cache, memo.DeterministicOptions{Options: opts})
		}, cache)
	})
}

func TestRecord(t *testing.T) {
	kinds(t, func(t *testing.T, open func(memo.Options) *memo.Recorder, cache *memory.Cache) {
		ctx, observer := t.Context(), &told{}
		r := open(memo.Options{Observer: observer})
		f := function(t, r, "plan", memo.Settings[query, plan]{})
		var c counted
		fn := f.Record(c.plan)
		first, err := fn(ctx, query{"t", 1})
		mustDo(t, err)
		t.Run("R1 the second call replays", func(t *testing.T) {
			again, err := fn(ctx, query{"t", 1})
			wantSame(t, again, err, first)
			c.want(t, 1)
		})
		t.Run("R1 Get and Insert see what is recorded", func(t *testing.T) {
			got, err := f.Get(ctx, query{"t", 1})
			wantSame(t, got, err, first)
			inserted, err := f.Insert(ctx, query{"t", 1}, plan{Cost: 9})
			wantSame(t, inserted, err, false)
			got, err = f.Get(ctx, query{"t", 1})
			wantSame(t, got, err, first)
		})
		t.Run("R1 a call sees what is inserted", func(t *testing.T) {
			_, err := f.Get(ctx, query{"u", 1})
			wantMiss(t, err)
			inserted, err := f.Insert(ctx, query{"u", 1}, plan{Cost: 7})
			wantSame(t, inserted, err, true)
			got, err := fn(ctx, query{"u", 1})
			wantSame(t, got, err, plan{Cost: 7})
			c.want(t, 1)
		})
		t.Run("R1 another recorder over the same cache replays", func(t *testing.T) {
			got, err := function(t, open(memo.Options{}), "plan", memo.Settings[query, plan]{}).Record(c.plan)(ctx, query{"t", 1})
			wantSame(t, got, err, first)
			c.want(t, 1)
		})
		t.Run("R17", func(t *testing.T) {
			want := []memo.Outcome{memo.Recorded, memo.Replay, memo.Hit, memo.NotInserted, memo.Hit, memo.Miss, memo.Inserted, memo.Replay}
			if got := observer.take(); !slices.Equal(got, want) {
				t.Errorf("told %v, want %v", got, want)
			}
		})
		t.Run("R17 with the time that it took, and that in the function", func(t *testing.T) {
			_, err := f.Record(func(ctx context.Context, q query) (plan, error) { return plan{}, nil })(ctx, query{"time", 1})
			mustDo(t, err)
			event := observer.events[0]
			if event.InFunction <= 0 || event.Duration < event.InFunction || event.Function != "plan" {
				t.Errorf("told %+v", event)
			}
			mustDo(t, cache.Delete(ctx, event.Key))
		})
		t.Run("R2 changes of name, parameters, version and namespace are misses", func(t *testing.T) {
			testOtherKeys(t, f, r, open(memo.Options{Namespace: "other"}))
		})
		wantLen(t, cache, 2)
	})
}

func testOtherKeys(t *testing.T, f *memo.Function[query, plan], here, elsewhere *memo.Recorder) {
	for name, f := range map[string]*memo.Function[query, plan]{
		"name":      function(t, here, "other", memo.Settings[query, plan]{}),
		"version":   function(t, here, "plan", memo.Settings[query, plan]{Version: 2}),
		"namespace": function(t, elsewhere, "plan", memo.Settings[query, plan]{}),
	} {
		if _, err := f.Get(t.Context(), query{"t", 1}); !errors.Is(err, cacheerr.ErrMiss) {
			t.Errorf("another %s: %v, want a miss", name, err)
		}
	}
	for _, q := range []query{{"t", 2}, {"T", 1}, {"", 0}} {
		_, err := f.Get(t.Context(), q)
		wantMiss(t, err)
	}
}

func TestKey(t *testing.T) {
	// R2: the same in every process, on every machine and in every release.
	observer := &told{}
	f := function(t, newFast(t, newMemory(t), memo.Options{Observer: observer}), "plan", memo.Settings[query, plan]{Version: 3})
	_, err := f.Get(t.Context(), query{"t", 1})
	wantMiss(t, err)
	want, err := encoding.Keyspace{Schema: 3, Namespace: "memo"}.Key([]byte("plan"), []byte(`{"Table":"t","Limit":1}`), []byte(cachectx.Isolation{}.Key()))
	wantSame(t, observer.events[0].Key, err, want)
	if got := want.String(); got != "740362558a5f9b6aab07f2d7e1da1363a305e98a319d60c9787b0a432a819a0e" {
		t.Errorf("the key is %s", got)
	}
}

// holder has what has no single encoding.
type holder struct{ Value any }

func TestEncoders(t *testing.T) {
	cycle := map[string]any{}
	cycle["self"] = cycle
	kinds(t, func(t *testing.T, open func(memo.Options) *memo.Recorder, cache *memory.Cache) {
		ctx, r := t.Context(), open(memo.Options{})
		never := func(context.Context, holder) (int, error) { t.Error("the function ran"); return 0, nil }
		for name, value := range map[string]any{"function": func() {}, "channel": make(chan int), "cycle": cycle, "NaN": math.NaN()} {
			t.Run("R3 without an encoder, a "+name, func(t *testing.T) {
				f := function(t, r, "f", memo.Settings[holder, int]{})
				_, err := f.Record(never)(ctx, holder{value})
				e := wantError[*cacheerr.CustomParamsEncoderRequiredError](t, err)
				wantError[cacheerr.KeyEncodingError](t, err)
				wantSame(t, e.Function, nil, "f")
				_, err = f.Get(ctx, holder{value})
				wantError[*cacheerr.CustomParamsEncoderRequiredError](t, err)
				_, err = f.Insert(ctx, holder{value}, 1)
				wantError[*cacheerr.CustomParamsEncoderRequiredError](t, err)
				wantLen(t, cache, 0)
			})
		}
		t.Run("R3 with an encoder", func(t *testing.T) {
			f := function(t, r, "g", memo.Settings[holder, int]{Params: func(h holder) ([]byte, error) { return []byte(reflect.TypeOf(h.Value).String()), nil }})
			got, err := f.Record(func(context.Context, holder) (int, error) { return 7, nil })(ctx, holder{func() {}})
			wantSame(t, got, err, 7)
			got, err = f.Record(never)(ctx, holder{func() {}})
			wantSame(t, got, err, 7)
		})
		t.Run("T5 an encoder that fails", func(t *testing.T) {
			f := function(t, r, "h", memo.Settings[holder, int]{Params: func(holder) ([]byte, error) { return nil, errBroken }})
			_, err := f.Record(never)(ctx, holder{})
			wantError[cacheerr.KeyEncodingError](t, err)
			if !errors.Is(err, errBroken) {
				t.Errorf("error %v without its cause", err)
			}
		})
		t.Run("R2 maps in another order", func(t *testing.T) {
			f := function(t, r, "m", memo.Settings[map[string]int, int]{})
			one, two := map[string]int{}, map[string]int{}
			for i := range 100 {
				one[fmt.Sprint(i)], two[fmt.Sprint(99-i)] = i, 99-i
			}
			inserted, err := f.Insert(ctx, one, 5)
			wantSame(t, inserted, err, true)
			got, err := f.Get(ctx, two)
			wantSame(t, got, err, 5)
		})
		t.Run("R5", func(t *testing.T) {
			before, err := cache.Len(ctx)
			mustDo(t, err)
			f := function(t, r, "r", memo.Settings[int, holder]{})
			_, err = f.Record(func(context.Context, int) (holder, error) { return holder{math.NaN()}, nil })(ctx, 1)
			wantError[*cacheerr.CustomResultEncoderRequiredError](t, err)
			wantError[cacheerr.ValueEncodingError](t, err)
			_, err = f.Insert(ctx, 1, holder{func() {}})
			wantError[*cacheerr.CustomResultEncoderRequiredError](t, err)
			wantLen(t, cache, before)
		})
	})
}

func TestCodecPair(t *testing.T) {
	r := newFast(t, newMemory(t), memo.Options{})
	raw := encoding.Raw[string]{}
	t.Run("R4 half a pair", func(t *testing.T) {
		_, err := memo.New(r, "f", memo.Settings[int, string]{Encode: raw.Encode})
		wantError[*cacheerr.CustomResultDecoderRequiredError](t, err)
		_, err = memo.Wrap(r, "f", func(context.Context, int) (string, error) { return "", nil }, memo.Settings[int, string]{Decode: raw.Decode})
		wantError[*cacheerr.CustomResultEncoderRequiredError](t, err)
	})
	t.Run("R4 both", func(t *testing.T) {
		f := function(t, r, "f", memo.Settings[int, string]{Encode: raw.Encode, Decode: raw.Decode})
		inserted, err := f.Insert(t.Context(), 1, "\xff")
		wantSame(t, inserted, err, true)
		got, err := f.Get(t.Context(), 1)
		wantSame(t, got, err, "\xff")
	})
	t.Run("R5 a codec that fails", func(t *testing.T) {
		f := function(t, r, "g", memo.Settings[int, string]{Encode: func(string) ([]byte, error) { return nil, errBroken }, Decode: raw.Decode})
		_, err := f.Insert(t.Context(), 1, "x")
		wantError[*cacheerr.CustomResultEncoderRequiredError](t, err)
		wantError[cacheerr.ValueEncodingError](t, err)
	})
	t.Run("T1 an empty and a nil result are hits", func(t *testing.T) {
		f := function(t, r, "nil", memo.Settings[int, *int]{})
		_, err := f.Insert(t.Context(), 1, nil)
		mustDo(t, err)
		got, err := f.Get(t.Context(), 1)
		wantSame(t, got, err, nil)
	})
}

func TestIsolation(t *testing.T) {
	ctx, cache := t.Context(), newMemory(t)
	recorder := func(compile, runtime string) *memo.Recorder {
		form := func(name string, group cachectx.Group, value string) cachectx.Form {
			return cachectx.Form{Name: name, Group: group, Probe: func(context.Context) (any, error) { return value, nil }}
		}
		forms, err := cachectx.New(cachectx.Options{}, form("a", cachectx.Compile, compile), form("b", cachectx.Runtime, runtime))
		mustDo(t, err)
		return newFast(t, cache, memo.Options{Forms: forms})
	}
	for _, test := range []struct {
		schema           cachectx.Schema
		compile, runtime bool // whether a change of the form is a miss
	}{
		{cachectx.Schema{}, true, true},
		{cachectx.Schema{Runtime: cachectx.None()}, true, false},
		{cachectx.Schema{Compile: cachectx.None(), Runtime: cachectx.Only("b")}, false, true},
		{cachectx.Schema{Compile: cachectx.None(), Runtime: cachectx.None()}, false, false},
	} {
		t.Run(fmt.Sprintf("R6 %v %v", test.schema.Compile, test.schema.Runtime), func(t *testing.T) {
			settings := memo.Settings[int, int]{Isolation: test.schema}
			name := t.Name()
			inserted, err := function(t, recorder("1", "1"), name, settings).Insert(ctx, 1, 1)
			wantSame(t, inserted, err, true)
			for _, other := range []struct {
				compile, runtime string
				miss             bool
			}{{"1", "1", false}, {"2", "1", test.compile}, {"1", "2", test.runtime}} {
				_, err := function(t, recorder(other.compile, other.runtime), name, settings).Get(ctx, 1)
				if errors.Is(err, cacheerr.ErrMiss) != other.miss {
					t.Errorf("forms %s and %s: %v, want a miss: %t", other.compile, other.runtime, err, other.miss)
				}
			}
		})
	}
	t.Run("R6 an unknown form is an error", func(t *testing.T) {
		f := function(t, recorder("1", "1"), "f", memo.Settings[int, int]{Isolation: cachectx.Schema{Compile: cachectx.Only("x")}})
		if _, err := f.Get(ctx, 1); err == nil || !strings.Contains(err.Error(), `"x"`) {
			t.Error(err)
		}
	})
}

func TestFailures(t *testing.T) {
	kinds(t, func(t *testing.T, open func(memo.Options) *memo.Recorder, cache *memory.Cache) {
		ctx, observer := t.Context(), &told{}
		f := function(t, open(memo.Options{Observer: observer, LockDir: t.TempDir()}), "f", memo.Settings[int, int]{})
		t.Run("R16 an error is returned and nothing recorded", func(t *testing.T) {
			for range 2 {
				if _, err := f.Record(func(context.Context, int) (int, error) { return 1, errBroken })(ctx, 1); err != errBroken {
					t.Errorf("error %v, want the very one", err)
				}
			}
			wantLen(t, cache, 0)
		})
		t.Run("R16 a panic passes on and nothing is recorded", func(t *testing.T) {
			func() {
				defer func() { wantSame(t, recover(), nil, any("boom")) }()
				_, _ = f.Record(func(context.Context, int) (int, error) { panic("boom") })(ctx, 1)
			}()
			wantLen(t, cache, 0)
		})
		t.Run("R17 failures and panics are told", func(t *testing.T) {
			for _, event := range observer.events {
				if event.Outcome != memo.Failed || event.Err == nil || event.Function != "f" || event.Key == (interfaces.Key{}) {
					t.Errorf("told %+v", event)
				}
			}
			wantSame(t, len(observer.take()), nil, 3)
		})
		t.Run("R16 every lock is free", func(t *testing.T) {
			got, err := f.Record(func(context.Context, int) (int, error) { return 2, nil })(ctx, 1)
			wantSame(t, got, err, 2)
		})
	})
}

func TestFastIsNeverInTheWay(t *testing.T) {
	ctx := t.Context()
	for name, fault := range map[string]faulttier.Rule{
		"Get":    {On: []faulttier.Op{faulttier.Get}, Fault: faulttier.Fail(errBroken)},
		"Insert": {On: []faulttier.Op{faulttier.Insert}, Fault: faulttier.Fail(errBroken)},
	} {
		t.Run("an ill "+name, func(t *testing.T) {
			var c counted
			fn := function(t, newFast(t, faulttier.New(newMemory(t), fault), memo.Options{}), "f", memo.Settings[query, plan]{}).Record(c.plan)
			got, err := fn(ctx, query{"t", 1})
			wantSame(t, got, err, plan{Steps: []string{"scan t", "run 1"}, Cost: 1})
		})
	}
	t.Run("a cache with two methods", func(t *testing.T) {
		var c counted
		f := function(t, newFast(t, struct{ interfaces.Cache }{newMemory(t)}, memo.Options{}), "f", memo.Settings[query, plan]{})
		first, err := f.Record(c.plan)(ctx, query{})
		mustDo(t, err)
		got, err := f.Record(c.plan)(ctx, query{})
		wantSame(t, got, err, first)
		inserted, err := f.Insert(ctx, query{}, plan{})
		wantSame(t, inserted, err, false)
	})
	t.Run("a directory for locks that is gone", func(t *testing.T) {
		dir := t.TempDir() + "/locks"
		f := function(t, newFast(t, newMemory(t), memo.Options{LockDir: dir}), "f", memo.Settings[query, plan]{})
		mustDo(t, os.RemoveAll(dir))
		var c counted
		_, err := f.Record(c.plan)(ctx, query{})
		mustDo(t, err)
	})
	t.Run("T7 bytes that do not decode", func(t *testing.T) {
		cache := newMemory(t)
		broken := function(t, newFast(t, cache, memo.Options{}), "f", memo.Settings[query, string]{})
		f := function(t, newFast(t, cache, memo.Options{}), "f", memo.Settings[query, plan]{})
		for range 2 {
			_, err := broken.Insert(ctx, query{}, "no plan")
			mustDo(t, err)
			_, err = f.Get(ctx, query{})
			wantError[cacheerr.ValueDecodingError](t, err)
			_, err = f.Get(ctx, query{})
			wantMiss(t, err) // it was dropped
		}
		_, err := broken.Insert(ctx, query{}, "no plan")
		mustDo(t, err)
		var c counted
		_, err = f.Record(c.plan)(ctx, query{})
		mustDo(t, err)
		c.want(t, 1)
		if _, err := f.Get(ctx, query{}); err != nil {
			t.Errorf("what was recorded in its place: %v", err)
		}
	})
}

func TestPromotion(t *testing.T) {
	ctx := t.Context()
	disk, err := filestream.Open(ctx, t.TempDir(), filestream.Options{})
	mustDo(t, err)
	seen := faulttier.New(disk)
	near := newMemory(t)
	stack, err := tiers.New(tiers.Options{}, tiers.Layer{Name: "memory", Tier: near}, tiers.Layer{Name: "disk", Tier: seen})
	mustDo(t, err)
	t.Cleanup(func() { mustDo(t, stack.Close()) })
	f := function(t, newFast(t, stack, memo.Options{}), "f", memo.Settings[int, string]{})
	_, err = f.Insert(ctx, 1, "x")
	mustDo(t, err)
	mustDo(t, near.Clear(ctx))
	for range 3 {
		got, err := f.Get(ctx, 1)
		wantSame(t, got, err, "x")
	}
	if n := seen.Count(faulttier.Get); n != 1 {
		t.Errorf("R14 the disk was read %d times, want once", n)
	}
}

func TestWrongUse(t *testing.T) {
	var none *memory.Cache
	for name, cache := range map[string]interfaces.Cache{"nil": nil, "nil pointer": none} {
		if _, err := memo.NewFast(cache, memo.Options{}); err == nil {
			t.Errorf("T10 %s is a cache", name)
		}
	}
	if _, err := memo.NewFast(newMemory(t), memo.Options{Wait: -1}); err == nil {
		t.Error("a negative wait")
	}
	if _, err := memo.New[int, int](nil, "f", memo.Settings[int, int]{}); err == nil {
		t.Error("T10 a nil recorder")
	}
	r := newFast(t, newMemory(t), memo.Options{})
	if _, err := memo.New(r, "", memo.Settings[int, int]{}); err == nil {
		t.Error("T10 no name")
	}
	if _, err := memo.Wrap[int, int](r, "f", nil, memo.Settings[int, int]{}); err == nil {
		t.Error("T10 no function")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := function(t, r, "f", memo.Settings[int, int]{}).Get(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("T10 a cancelled context: %v", err)
	}
	if err := r.Dump(t.Context(), t.TempDir()+"/dump"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a fast recorder dumps: %v", err)
	}
	mustDo(t, r.Close(t.Context()))
}
