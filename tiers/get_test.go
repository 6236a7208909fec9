// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/tiercecache/tierce/cachetest"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// rig is three layers under a stack, the farthest of which streams, and what
// the stack tells.
type rig struct {
	*tiers.Stack
	near, middle, far *fake
	events            *events
}

func newRig(t *testing.T, change ...func(layers []tiers.Layer)) *rig {
	t.Helper()
	r := &rig{near: newFake(t), middle: newFake(t), far: newFar(t), events: &events{}}
	layers := []tiers.Layer{{Name: "near", Tier: r.near}, {Name: "middle", Tier: r.middle}, {Name: "far", Tier: r.far}}
	for _, change := range change {
		change(layers)
	}
	r.Stack = newStack(t, tiers.Options{Observer: r.events}, layers...)
	return r
}

func TestPromotion(t *testing.T) {
	key := keyOf("key")
	t.Run("R14 a stream is copied to every nearer layer", func(t *testing.T) {
		r := newRig(t)
		put(t, r.far, key, "body")
		want(t, r, key, "body")
		r.events.want(t, "near get miss absent", "middle get miss absent", "far get hit",
			"middle get promoted", "near get promoted", "stack get hit")
		want(t, r.near, key, "body")
		want(t, r.middle, key, "body")
		if got := r.far.gets.Load(); got != 1 {
			t.Errorf("the far layer was asked %d times, want once", got)
		}
		want(t, r, key, "body")
		r.events.want(t, "near get hit", "stack get hit")
	})
	t.Run("R14 text is copied to every nearer layer", func(t *testing.T) {
		r := newRig(t)
		put(t, r.middle, key, "body")
		want(t, r, key, "body")
		want(t, r.near, key, "body")
		r.events.want(t, "near get miss absent", "middle get hit", "near get promoted", "stack get hit")
	})
	t.Run("the head goes with the entry", func(t *testing.T) {
		r := newRig(t)
		entry := interfaces.Text("body")
		entry.Cost, entry.Tag = 42, "tag"
		if err := r.far.Put(t.Context(), key, entry); err != nil {
			t.Fatal(err)
		}
		first, err := interfaces.Stat(t.Context(), r.far, key)
		want(t, r, key, "body")
		head, nearErr := interfaces.Stat(t.Context(), r.near, key)
		if err != nil || nearErr != nil || head != first {
			t.Errorf("the copy's head is %+v (%v), want %+v (%v)", head, nearErr, first, err)
		}
	})
	t.Run("only to layers that may have it", func(t *testing.T) {
		r := newRig(t, func(layers []tiers.Layer) { layers[0].MaxBody, layers[1].ReadOnly = 3, true })
		put(t, r.far, key, "body")
		want(t, r, key, "body")
		wantMiss(t, r.near, key)
		wantMiss(t, r.middle, key)
		if n := r.near.puts.Load() + r.middle.puts.Load(); n != 0 {
			t.Errorf("%d puts into layers that must not have the entry, want none", n)
		}
	})
}

// TestConsumedStreams puts every obstacle in the way of a promotion: the caller
// gets the whole body all the same.
func TestConsumedStreams(t *testing.T) {
	key := keyOf("key")
	lose := func(f *fake) { // takes the entry and has lost it when it is asked
		f.onGet = func(context.Context, interfaces.Key) error { return cacheerr.ErrMiss }
	}
	for _, test := range []struct {
		name    string
		prepare func(r *rig)
		fetches int64 // from the far layer
		in      func(r *rig) *fake
	}{
		{"nobody is in the way", func(*rig) {}, 1, func(r *rig) *fake { return r.near }},
		{"the nearest refuses", func(r *rig) { r.near.onPut = refuse }, 1, func(r *rig) *fake { return r.middle }},
		{"the nearest spoils it", func(r *rig) { r.near.onPut = spoil }, 2, func(r *rig) *fake { return r.middle }},
		{"the nearest loses it", func(r *rig) { lose(r.near) }, 2, func(r *rig) *fake { return r.middle }},
		{"all refuse", func(r *rig) { r.near.onPut, r.middle.onPut = refuse, refuse }, 1, nil},
		{"all spoil it", func(r *rig) { r.near.onPut, r.middle.onPut = spoil, spoil }, 3, nil},
		{"one refuses, one spoils", func(r *rig) { r.near.onPut, r.middle.onPut = refuse, spoil }, 2, nil},
		{"all lose it", func(r *rig) { lose(r.near); lose(r.middle) }, 3, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for body, fetches := range map[string]int64{"small": 1, large: test.fetches} {
				r := newRig(t)
				test.prepare(r)
				put(t, r.far, key, body)
				want(t, r, key, body)
				if got := r.far.gets.Load(); got != fetches {
					t.Errorf("%d bytes: the far layer was asked %d times, want %d", len(body), got, fetches)
				}
				if test.in != nil {
					want(t, test.in(r).full, key, body)
				}
			}
		})
	}
	t.Run("a stream that can be rewound is not fetched again", testRewoundStream)
	t.Run("GetBatch", testConsumedInBatch)
}

func testRewoundStream(t *testing.T) {
	key := keyOf("key")
	r := newRig(t)
	r.near.onPut, r.middle.onPut = spoil, spoil
	r.far.seekable = true
	put(t, r.far, key, large)
	want(t, r, key, large)
	if got := r.far.gets.Load(); got != 1 {
		t.Errorf("the far layer was asked %d times, want once", got)
	}
}

func testConsumedInBatch(t *testing.T) {
	key := keyOf("key")
	r := newRig(t)
	r.near.onPut, r.middle.onPut = spoil, refuse
	put(t, r.far, key, large)
	err := r.GetBatch(t.Context(), []interfaces.Key{key}, func(_ int, entry interfaces.Entry, err error) error {
		got, readErr := io.ReadAll(entry.Reader())
		if err != nil || readErr != nil || string(got) != large {
			t.Errorf("GetBatch: %d bytes and errors %v and %v, want %d bytes", len(got), err, readErr, len(large))
		}
		return nil
	})
	if err != nil {
		t.Errorf("GetBatch: %v", err)
	}
}

// TestStreamsAreClosed goes every way that a large body takes, over layers that
// fail the test if one is not closed.
func TestStreamsAreClosed(t *testing.T) {
	key := keyOf("key")
	for name, use := range map[string]func(s *tiers.Stack) error{
		"Get": func(s *tiers.Stack) error { _, err := read(t, s, key); return err },
		"GetBatch": func(s *tiers.Stack) error {
			return s.GetBatch(t.Context(), []interfaces.Key{key, key}, func(int, interfaces.Entry, error) error { return nil })
		},
		"Path": func(s *tiers.Stack) error { _, _, err := s.Path(t.Context(), key); return err },
		"Put":  func(s *tiers.Stack) error { return s.Put(t.Context(), key, stream(large)) },
		"Insert": func(s *tiers.Stack) error {
			_, err := s.Insert(t.Context(), key, stream(large))
			return err
		},
		"Insert that finds another": func(s *tiers.Stack) error {
			put(t, s, key, large)
			_, err := s.Insert(t.Context(), key, stream(large))
			return err
		},
	} {
		for _, onPut := range []func(context.Context, interfaces.Key, interfaces.Entry) error{nil, refuse, spoil} {
			ill := newFake(t)
			ill.onPut = onPut
			far := cachetest.Bare(cachetest.NewFull(t)) // without paths
			put(t, far, key, large)
			s := newStack(t, tiers.Options{}, tiers.Layer{Name: "bare", Tier: cachetest.Bare(cachetest.NewFull(t)), MaxBody: 10},
				tiers.Layer{Name: "ill", Tier: disk{ill}}, tiers.Layer{Name: "near", Tier: cachetest.NewFull(t)},
				tiers.Layer{Name: "far", Tier: far}, tiers.Layer{Name: "behind", Tier: cachetest.NewFull(t), Behind: true})
			if err := use(s); err != nil && onPut == nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestBrokenBody is about a body that breaks while it is copied: that is the
// failure of the layer it comes from, and the next one answers.
func TestBrokenBody(t *testing.T) {
	key := keyOf("key")
	for _, body := range []string{"small", large} {
		broken := newFake(t)
		put(t, broken, key, body)
		broken.breaks = true
		near, far, seen := newFake(t), newFake(t), &events{}
		put(t, far, key, body)
		s := newStack(t, tiers.Options{Observer: seen},
			tiers.Layer{Name: "near", Tier: near}, tiers.Layer{Name: "broken", Tier: broken}, tiers.Layer{Name: "far", Tier: far})
		want(t, s, key, body)
		if got := seen.linesOf("broken"); !slices.Equal(got, []string{"broken get hit", "broken get failed"}) {
			t.Errorf("events of the layer whose body breaks: %q", got)
		}
		if err := far.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if err := near.Delete(t.Context(), key); err != nil && !errors.Is(err, cacheerr.ErrMiss) {
			t.Fatal(err)
		}
		wantMiss(t, s, key)
		if got := seen.linesOf("stack"); !slices.Equal(got, []string{"stack get miss ill tier"}) {
			t.Errorf("when nobody else has it: %q, want a miss for an ill tier", got)
		}
	}
}

func TestIllLayers(t *testing.T) {
	key := keyOf("key")
	ill := func(context.Context, interfaces.Key) error { return errIll }
	t.Run("are passed over", func(t *testing.T) {
		r := newRig(t)
		put(t, r.far, key, "body")
		r.near.onGet, r.middle.onGet = ill, ill
		want(t, r, key, "body")
		r.events.want(t, "near get failed", "middle get failed", "far get hit", "stack get hit")
	})
	t.Run("cost a Get nothing when a copy fails", func(t *testing.T) {
		r := newRig(t)
		put(t, r.far, key, "body")
		r.near.onPut = refuse
		want(t, r, key, "body")
		r.events.want(t, "near get miss absent", "middle get miss absent", "far get hit",
			"middle get promoted", "near get failed", "stack get hit")
	})
	t.Run("E6 are a bare miss when nobody has the key", func(t *testing.T) {
		r := newRig(t)
		r.middle.onGet = ill
		wantMiss(t, r, key)
		r.events.want(t, "near get miss absent", "middle get failed", "far get miss absent", "stack get miss ill tier")
	})
	t.Run("do not hide damage", func(t *testing.T) {
		r := newRig(t)
		put(t, r.near, key, "body")
		r.near.full.Damage(key)
		r.far.onGet = ill
		if _, err := read(t, r, key); !errors.Is(err, cacheerr.ErrDamaged) || !errors.Is(err, cacheerr.ErrMiss) {
			t.Errorf("Get of a damaged entry: error %v, want cacheerr.ErrDamaged", err)
		}
		r.events.want(t, "near get miss damaged", "middle get miss absent", "far get failed", "stack get miss damaged")
	})
	t.Run("the nearest reason is the error", func(t *testing.T) {
		r := newRig(t)
		put(t, r.near, key, "body")
		r.near.full.Damage(key)
		r.far.onGet = func(context.Context, interfaces.Key) error { return cacheerr.ErrExpired }
		if _, err := read(t, r, key); !errors.Is(err, cacheerr.ErrDamaged) {
			t.Errorf("Get: error %v, want cacheerr.ErrDamaged of the nearest layer", err)
		}
	})
	t.Run("damage is told though a farther layer answers", func(t *testing.T) {
		r := newRig(t)
		put(t, r.near, key, "body")
		put(t, r.middle, key, "body")
		r.near.full.Damage(key)
		want(t, r, key, "body")
		r.events.want(t, "near get miss damaged", "middle get hit", "near get promoted", "stack get hit")
	})
}

func TestCancelledGet(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	r.middle.onGet = func(context.Context, interfaces.Key) error { cancel(); return errIll }
	if _, err := r.Get(ctx, keyOf("key")); !same(err, context.Canceled) {
		t.Errorf("T10 Get whose context ends: error %v, want context.Canceled itself", err)
	}
	r.events.want(t, "near get miss absent", "stack get failed")
	if got := r.far.gets.Load(); got != 0 {
		t.Errorf("the far layer was asked %d times after the context had ended", got)
	}
}

func TestUnusable(t *testing.T) {
	t.Run("T10 nil", func(t *testing.T) {
		var s *tiers.Stack
		if _, err := s.Get(t.Context(), keyOf("key")); err == nil || errors.Is(err, cacheerr.ErrMiss) {
			t.Errorf("Get of a nil Stack: error %v, want one that says so", err)
		}
	})
	t.Run("T10 closed under a Get's hands", func(t *testing.T) {
		near, far := newFake(t), newFake(t)
		s, err := tiers.New(tiers.Options{}, tiers.Layer{Name: "near", Tier: near}, tiers.Layer{Name: "far", Tier: far})
		if err != nil {
			t.Fatal(err)
		}
		far.onGet = func(context.Context, interfaces.Key) error { return errors.Join(s.Close(), cacheerr.ErrClosed) }
		if _, err := s.Get(t.Context(), keyOf("key")); !same(err, cacheerr.ErrClosed) {
			t.Errorf("Get: error %v, want cacheerr.ErrClosed", err)
		}
	})
}
