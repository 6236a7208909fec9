// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/cachetest"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

func TestNewRefuses(t *testing.T) {
	c := cachetest.NewFull(t)
	ok := tiers.Layer{Name: "memory", Tier: c}
	for _, test := range []struct {
		name   string
		opts   tiers.Options
		layers []tiers.Layer
		says   string
	}{
		{"no layers", tiers.Options{}, nil, "at least one layer"},
		{"no tier", tiers.Options{}, []tiers.Layer{ok, {Name: "disk"}}, `layer 1, "disk": its tier is nil`},
		{"no name", tiers.Options{}, []tiers.Layer{{Tier: c}}, "it has no name"},
		{"one name twice", tiers.Options{}, []tiers.Layer{ok, ok}, "another layer has this name"},
		{"a limit below zero", tiers.Options{}, []tiers.Layer{{Name: "memory", Tier: c, MaxBody: -1}}, "use 0 for no limit"},
		{"read-only and behind", tiers.Options{}, []tiers.Layer{ok, {Name: "far", Tier: c, ReadOnly: true, Behind: true}}, "choose one"},
		{"all behind", tiers.Options{}, []tiers.Layer{{Name: "far", Tier: c, Behind: true}}, "no other layer can be written before it"},
		{"behind a read-only one", tiers.Options{}, []tiers.Layer{{Name: "old", Tier: c, ReadOnly: true}, {Name: "far", Tier: c, Behind: true}}, "no other layer can be written before it"},
		{"a queue below zero", tiers.Options{QueueSize: -1}, []tiers.Layer{ok}, "QueueSize is -1"},
		{"workers below zero", tiers.Options{Workers: -2}, []tiers.Layer{ok}, "Workers is -2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := tiers.New(test.opts, test.layers...)
			if s != nil || err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("New: %v and error %v, want one with %q", s, err, test.says)
			}
		})
	}
}

func TestAllReadOnly(t *testing.T) {
	key := keyOf("key")
	c := cachetest.NewFull(t)
	put(t, c, key, "body")
	s := newStack(t, tiers.Options{}, tiers.Layer{Name: "old", Tier: c, ReadOnly: true})
	want(t, s, key, "body")
	_, insertErr := s.Insert(t.Context(), key, interfaces.Text("new"))
	if !same(insertErr, errors.ErrUnsupported) {
		t.Errorf("Insert: error %v, want errors.ErrUnsupported", insertErr)
	}
	for name, err := range map[string]error{
		"Put":    s.Put(t.Context(), key, interfaces.Text("new")),
		"Delete": s.Delete(t.Context(), key),
		"Clear":  s.Clear(t.Context()),
	} {
		if !errors.Is(err, cacheerr.ErrReadOnly) {
			t.Errorf("%s: error %v, want cacheerr.ErrReadOnly", name, err)
		}
	}
	want(t, s, key, "body")
}

// sick is a Full that fails at what it is told to.
type sick struct {
	*cachetest.Full
	fails []string // names of operations
}

func (s sick) err(op string) error {
	if slices.Contains(s.fails, op) {
		return errIll
	}
	return nil
}

func (s sick) Delete(ctx context.Context, key interfaces.Key) error {
	return errors.Join(s.Full.Delete(ctx, key), s.err("Delete"))
}

func (s sick) Clear(ctx context.Context) error { return errors.Join(s.Full.Clear(ctx), s.err("Clear")) }
func (s sick) Ping(ctx context.Context) error  { return errors.Join(s.Full.Ping(ctx), s.err("Ping")) }
func (s sick) Close() error                    { return errors.Join(s.Full.Close(), s.err("Close")) }

func (s sick) Stat(ctx context.Context, key interfaces.Key) (interfaces.Head, error) {
	if err := s.err("Stat"); err != nil {
		return interfaces.Head{}, err
	}
	return s.Full.Stat(ctx, key)
}

func (s sick) List(ctx context.Context) iter.Seq2[interfaces.Key, error] {
	if err := s.err("List"); err != nil {
		return func(yield func(interfaces.Key, error) bool) { yield(interfaces.Key{}, err) }
	}
	return s.Full.List(ctx)
}

// sickStack returns a stack whose middle layer fails at what it is told to.
func sickStack(t *testing.T, fails ...string) (near, middle, far *cachetest.Full, s *tiers.Stack) {
	t.Helper()
	near, middle, far = cachetest.NewFull(t), cachetest.NewFull(t), cachetest.NewFull(t)
	s, err := tiers.New(tiers.Options{}, tiers.Layer{Name: "near", Tier: near},
		tiers.Layer{Name: "middle", Tier: sick{middle, fails}}, tiers.Layer{Name: "far", Tier: far})
	if err != nil {
		t.Fatal(err)
	}
	return near, middle, far, s
}

// wantFailures fails the test unless err is a TierFailures of the layers named.
func wantFailures(t *testing.T, what string, err error, names ...string) {
	t.Helper()
	failures, ok := errors.AsType[*cacheerr.TierFailures](err)
	if !ok {
		t.Errorf("%s: error %v (%T), want TierFailures of %v", what, err, err, names)
		return
	}
	var got []string
	for _, f := range failures.Failures {
		got = append(got, f.Tier)
	}
	if !slices.Equal(got, names) {
		t.Errorf("%s: TierFailures of %v, want %v", what, got, names)
	}
}

func TestFailuresAreNamed(t *testing.T) {
	key := keyOf("key")
	t.Run("Delete and Clear", func(t *testing.T) {
		near, _, far, s := sickStack(t, "Delete", "Clear")
		put(t, s, key, "body")
		wantFailures(t, "Delete", s.Delete(t.Context(), key), "middle")
		wantMiss(t, near, key)
		wantMiss(t, far, key)
		put(t, s, key, "body")
		wantFailures(t, "Clear", s.Clear(t.Context()), "middle")
		wantMiss(t, near, key)
		wantMiss(t, far, key)
	})
	t.Run("Ping", func(t *testing.T) {
		_, _, _, s := sickStack(t, "Ping")
		wantFailures(t, "Ping", s.Ping(t.Context()), "middle")
	})
	t.Run("Close closes all", func(t *testing.T) {
		near, _, far, s := sickStack(t, "Close")
		wantFailures(t, "Close", s.Close(), "middle")
		for name, c := range map[string]interfaces.Cache{"near": near, "far": far} {
			if _, err := c.Get(t.Context(), key); !same(err, cacheerr.ErrClosed) {
				t.Errorf("layer %s after Close: error %v, want cacheerr.ErrClosed", name, err)
			}
		}
	})
	t.Run("Stat passes an ill layer over", func(t *testing.T) {
		_, _, far, s := sickStack(t, "Stat")
		put(t, far, key, "body")
		if head, err := s.Stat(t.Context(), key); err != nil || head.Size != 4 {
			t.Errorf("Stat: size %d and error %v, want 4", head.Size, err)
		}
		if _, err := s.Stat(t.Context(), keyOf("absent")); !same(err, cacheerr.ErrMiss) {
			t.Errorf("Stat of an absent key: error %v, want the bare cacheerr.ErrMiss", err)
		}
	})
}

// TestRefusalIsNoFailure is about a stack in a stack: what its layers refuse is
// no failure of it.
func TestRefusalIsNoFailure(t *testing.T) {
	inner := cachetest.NewFull(t)
	for name, test := range map[string]struct {
		layer tiers.Layer
		want  string
	}{
		"all layers refuse": {tiers.Layer{Name: "small", Tier: inner, MaxBody: 2}, "inner put refused"},
		"a layer fails":     {tiers.Layer{Name: "ill", Tier: func() *fake { f := newFake(t); f.onPut = refuse; return f }()}, "inner put failed"},
	} {
		seen := &events{}
		nested := newStack(t, tiers.Options{}, tiers.Layer{Name: "old", Tier: cachetest.NewFull(t), ReadOnly: true}, test.layer)
		s := newStack(t, tiers.Options{Observer: seen}, tiers.Layer{Name: "inner", Tier: nested}, tiers.Layer{Name: "far", Tier: cachetest.NewFull(t)})
		put(t, s, keyOf("key"), "body")
		if got := seen.linesOf("inner"); !slices.Equal(got, []string{test.want}) {
			t.Errorf("%s: events %q, want %q", name, got, test.want)
		}
	}
}

func TestListIsTheUnion(t *testing.T) {
	a, b, c := keyOf("a"), keyOf("b"), keyOf("c")
	fill := func(near, middle, far *cachetest.Full) {
		for c, keys := range map[interfaces.Cache][]interfaces.Key{near: {a}, middle: {a, b}, far: {a, b, c}} {
			for _, key := range keys {
				put(t, c, key, "body")
			}
		}
	}
	t.Run("T4 each key once", func(t *testing.T) {
		near, middle, far, s := sickStack(t)
		fill(near, middle, far)
		if got := list(t, s); len(got) != 3 {
			t.Errorf("List: %v, want 3 keys", got)
		}
		if n, err := s.Len(t.Context()); err != nil || n != 3 {
			t.Errorf("Len: %d and error %v, want 3", n, err)
		}
		for range s.List(t.Context()) {
			break // a listing that is given up panics if it goes on
		}
	})
	t.Run("an ill layer is left out", func(t *testing.T) {
		near, middle, far, s := sickStack(t, "List")
		fill(near, middle, far)
		if got := list(t, s); len(got) != 3 {
			t.Errorf("List: %v, want 3 keys", got)
		}
	})
	t.Run("nobody can", func(t *testing.T) {
		s := newStack(t, tiers.Options{}, tiers.Layer{Name: "ill", Tier: sick{cachetest.NewFull(t), []string{"List"}}},
			tiers.Layer{Name: "bare", Tier: cachetest.Bare(cachetest.NewFull(t))})
		_, err := s.Len(t.Context())
		wantFailures(t, "Len", err, "ill")
	})
	t.Run("T10 the context ends", func(t *testing.T) {
		near, middle, far, s := sickStack(t)
		fill(near, middle, far)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last error
		for _, err := range s.List(ctx) {
			cancel()
			last = err
		}
		if !same(last, context.Canceled) {
			t.Errorf("List: ends with error %v, want context.Canceled", last)
		}
	})
}

func list(t *testing.T, c interfaces.Cache) []interfaces.Key {
	t.Helper()
	var keys []interfaces.Key
	for key, err := range interfaces.List(t.Context(), c) {
		if err != nil {
			t.Errorf("List: %v", err)
		}
		keys = append(keys, key)
	}
	return keys
}

func TestConsistency(t *testing.T) {
	full := func() tiers.Layer { return tiers.Layer{Name: "full", Tier: cachetest.NewFull(t)} }
	bare := func() tiers.Layer { return tiers.Layer{Name: "bare", Tier: cachetest.Bare(cachetest.NewFull(t))} }
	old := func() tiers.Layer {
		return tiers.Layer{Name: "old", Tier: cachetest.NewFull(t), ReadOnly: true}
	}
	strong := interfaces.ConsistencyOf(cachetest.NewFull(t))
	for _, test := range []struct {
		name   string
		layers []tiers.Layer
		want   interfaces.Consistency
	}{
		{"of the one that decides", []tiers.Layer{bare(), full()}, strong},
		{"though a bare one is farther", []tiers.Layer{full(), bare()}, strong},
		{"not of a read-only one", []tiers.Layer{bare(), old()}, interfaces.ConsistencyUnknown},
	} {
		if got := newStack(t, tiers.Options{}, test.layers...).Consistency(); got != test.want {
			t.Errorf("R10 %s: %v, want %v", test.name, got, test.want)
		}
	}
}
