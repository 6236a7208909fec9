// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/cachetest"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// batcher is a Full that remembers its batches, and may fail them.
type batcher struct {
	*cachetest.Full
	gets, puts [][]interfaces.Key
	fail       error // of GetBatch, after the first key: the one that near, which goes backwards, answered first
	refuse     interfaces.Key
}

func (b *batcher) GetBatch(ctx context.Context, keys []interfaces.Key, each func(int, interfaces.Entry, error) error) error {
	b.gets = append(b.gets, slices.Clone(keys))
	if b.fail == nil {
		return b.Full.GetBatch(ctx, keys, each)
	}
	if err := b.Full.GetBatch(ctx, keys[:1], each); err != nil {
		return err
	}
	return b.fail
}

func (b *batcher) PutBatch(ctx context.Context, items []interfaces.Item) error {
	var keys []interfaces.Key
	for _, item := range items {
		keys = append(keys, item.Key)
	}
	b.puts = append(b.puts, keys)
	if i := slices.Index(keys, b.refuse); i >= 0 {
		if err := b.Full.PutBatch(ctx, items[:i]); err != nil {
			return err
		}
		return &interfaces.BatchError{Index: i, Key: b.refuse, Err: errIll}
	}
	return b.Full.PutBatch(ctx, items)
}

// batchers returns three layers, and a stack over them.
func batchers(t *testing.T, seen tiers.Observer) (near, middle, far *batcher, s *tiers.Stack) {
	t.Helper()
	near, middle, far = &batcher{Full: cachetest.NewFull(t)}, &batcher{Full: cachetest.NewFull(t)}, &batcher{Full: cachetest.NewFull(t)}
	s = newStack(t, tiers.Options{Observer: seen}, tiers.Layer{Name: "near", Tier: near},
		tiers.Layer{Name: "middle", Tier: middle}, tiers.Layer{Name: "far", Tier: far})
	return near, middle, far, s
}

// getBatch returns the bodies of keys, "miss" or "error" for what is none.
func getBatch(t *testing.T, c interfaces.Cache, keys ...interfaces.Key) []string {
	t.Helper()
	got := make([]string, len(keys))
	err := interfaces.GetBatch(t.Context(), c, keys, func(i int, entry interfaces.Entry, err error) error {
		if got[i] != "" {
			t.Errorf("each is called twice for key %d", i)
		}
		body, readErr := entry.Bytes()
		switch {
		case errors.Is(err, cacheerr.ErrMiss):
			got[i] = "miss"
		case err != nil || readErr != nil:
			got[i] = "error"
		default:
			got[i] = string(body)
		}
		return nil
	})
	if err != nil {
		t.Errorf("GetBatch: %v", err)
	}
	return got
}

func TestGetBatch(t *testing.T) {
	t.Run("each layer is asked once for what is missing", testBatchAskedOnce)
	t.Run("nobody farther is asked when all is there", testBatchNearest)
	t.Run("a layer that fails is passed over", testBatchPassedOver)
	t.Run("what each returns ends it", testBatchEnded)
	t.Run("each may use the stack", testBatchUsesStack)
	t.Run("T10 the context's error", testBatchContext)
}

func testBatchAskedOnce(t *testing.T) {
	a, b, c, d, long := keyOf("a"), keyOf("b"), keyOf("c"), keyOf("d"), strings.Repeat("long ", 1000)
	near, middle, far, s := batchers(t, nil)
	put(t, near, a, "near")
	put(t, middle, b, "middle")
	put(t, far, c, long)
	if got := getBatch(t, s, a, b, c, d, c); !slices.Equal(got, []string{"near", "middle", long, "miss", long}) {
		t.Errorf("GetBatch: %q", got)
	}
	for i, layer := range []struct {
		batches [][]interfaces.Key
		want    int
	}{{near.gets, 5}, {middle.gets, 4}, {far.gets, 3}} {
		if len(layer.batches) != 1 || len(layer.batches[0]) != layer.want {
			t.Errorf("layer %d was asked %d times, first for %d keys, want once for %d", i, len(layer.batches), len(layer.batches[0]), layer.want)
		}
	}
	want(t, near, b, "middle")
	want(t, near, c, long)
	want(t, middle, c, long)
}

func testBatchNearest(t *testing.T) {
	a := keyOf("a")
	near, middle, _, s := batchers(t, nil)
	put(t, near, a, "near")
	getBatch(t, s, a)
	if len(middle.gets) != 0 {
		t.Error("the second layer was asked for nothing")
	}
}

func testBatchPassedOver(t *testing.T) {
	a, b, d := keyOf("a"), keyOf("b"), keyOf("d")
	var count tiers.Counters
	_, middle, far, s := batchers(t, &count)
	middle.fail = errIll
	put(t, far, a, "far")
	put(t, far, b, "far")
	if got := getBatch(t, s, d, b, a); !slices.Equal(got, []string{"miss", "far", "far"}) {
		t.Errorf("GetBatch: %q", got)
	}
	got := count.Snapshot()
	if got.Gets != 3 || got.Hits != 2 || got.Errors != 1 || got.MissReasons.IllTier != 1 {
		t.Errorf("counted %+v, want 3 gets, 2 hits, 1 error and 1 miss for an ill tier", got)
	}
}

func testBatchEnded(t *testing.T) {
	a, d := keyOf("a"), keyOf("d")
	_, _, far, s := batchers(t, nil)
	put(t, far, a, "far")
	stop := errors.New("stop")
	for _, keys := range [][]interfaces.Key{{a, a}, {d, a}, {a, d}} {
		calls := 0
		err := s.GetBatch(t.Context(), keys, func(int, interfaces.Entry, error) error { calls++; return stop })
		if !same(err, stop) || calls != 1 {
			t.Errorf("GetBatch: error %v after %d calls, want what the first returned", err, calls)
		}
	}
}

func testBatchUsesStack(t *testing.T) {
	a, b := keyOf("a"), keyOf("b")
	_, _, far, s := batchers(t, nil)
	put(t, far, a, "far")
	put(t, far, b, "far")
	err := s.GetBatch(t.Context(), []interfaces.Key{a, b}, func(i int, _ interfaces.Entry, _ error) error {
		for _, key := range []interfaces.Key{a, b} {
			want(t, s, key, "far")
			put(t, s, key, "far")
		}
		return nil
	})
	if err != nil {
		t.Errorf("GetBatch: %v", err)
	}
}

func testBatchContext(t *testing.T) {
	a := keyOf("a")
	_, _, _, s := batchers(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.GetBatch(ctx, []interfaces.Key{a}, nil); !same(err, context.Canceled) {
		t.Errorf("GetBatch: error %v, want context.Canceled", err)
	}
}

func TestPutBatch(t *testing.T) {
	a, b, c := keyOf("a"), keyOf("b"), keyOf("c")
	item := func(key interfaces.Key, entry interfaces.Entry) interfaces.Item {
		return interfaces.Item{Key: key, Entry: entry}
	}
	t.Run("text goes to each layer at once", func(t *testing.T) {
		near, middle, far, s := batchers(t, nil)
		err := s.PutBatch(t.Context(), []interfaces.Item{item(a, interfaces.Text("a")), item(b, interfaces.Text("b")),
			item(c, stream("c")), item(a, interfaces.Text("a2"))})
		if err != nil {
			t.Fatalf("PutBatch: %v", err)
		}
		for _, layer := range []*batcher{near, middle, far} {
			if got := layer.puts; len(got) != 2 || len(got[0]) != 2 || len(got[1]) != 1 {
				t.Errorf("batches %v, want one of 2 before the stream and one of 1 after it", got)
			}
			want(t, layer, a, "a2")
			want(t, layer, b, "b")
			want(t, layer, c, "c")
		}
	})
	t.Run("F15 a layer that refuses one item has the others", func(t *testing.T) {
		near, middle, far, s := batchers(t, nil)
		put(t, s, b, "old")
		middle.refuse = b
		err := s.PutBatch(t.Context(), []interfaces.Item{item(a, interfaces.Text("a")), item(b, interfaces.Text("b")), item(c, interfaces.Text("c"))})
		if err != nil {
			t.Fatalf("PutBatch: %v", err)
		}
		for _, layer := range []*batcher{near, middle, far} {
			want(t, layer, a, "a")
			want(t, layer, c, "c")
		}
		want(t, near, b, "b")
		wantMiss(t, middle, b)
	})
	t.Run("F15 an item that no layer takes is named", func(t *testing.T) {
		near, middle, far, s := batchers(t, nil)
		near.refuse, middle.refuse, far.refuse = b, b, b
		err := s.PutBatch(t.Context(), []interfaces.Item{item(keyOf("s"), stream("s")), item(a, interfaces.Text("a")), item(b, interfaces.Text("b"))})
		failed, ok := errors.AsType[*interfaces.BatchError](err)
		failures, _ := errors.AsType[*cacheerr.TierFailures](err)
		if !ok || failed.Index != 2 || failed.Key != b || failures == nil || len(failures.Failures) != 3 {
			t.Errorf("PutBatch: error %v, want item 2 and why of three layers", err)
		}
		want(t, s, a, "a")
	})
	t.Run("policies hold for each item", func(t *testing.T) {
		near, far := cachetest.NewFull(t), cachetest.NewFull(t)
		s := newStack(t, tiers.Options{}, tiers.Layer{Name: "near", Tier: near, MaxBody: 3}, tiers.Layer{Name: "far", Tier: far})
		if err := s.PutBatch(t.Context(), []interfaces.Item{item(a, interfaces.Text("long")), item(b, interfaces.Text("b"))}); err != nil {
			t.Fatal(err)
		}
		wantMiss(t, near, a)
		want(t, near, b, "b")
		want(t, far, a, "long")
	})
}
