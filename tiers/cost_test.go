// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"context"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// table is the cheapest cache there can be: what a Stack costs is measured
// over it.
type table map[interfaces.Key]interfaces.Entry

func (c table) Get(_ context.Context, key interfaces.Key) (interfaces.Entry, error) {
	entry, ok := c[key]
	if !ok {
		return interfaces.Entry{}, cacheerr.ErrMiss
	}
	return entry, nil
}

func (c table) Put(_ context.Context, key interfaces.Key, entry interfaces.Entry) error {
	c[key] = entry
	return nil
}

// Path makes a table a Pather whose answer costs nothing either.
func (c table) Path(ctx context.Context, key interfaces.Key) (string, int64, error) {
	entry, err := c.Get(ctx, key)
	return "/a/file", entry.Size, err
}

func tables(near, far table) []tiers.Layer {
	return []tiers.Layer{{Name: "near", Tier: near}, {Name: "far", Tier: far}}
}

func TestHitsAllocateNothing(t *testing.T) {
	key := keyOf("key")
	for name, opts := range map[string]tiers.Options{
		"without an observer":  {},
		"with an observer":     {Observer: &tiers.Counters{}},
		"with timed durations": {Observer: &tiers.Counters{}, Timed: true},
	} {
		t.Run("M6 "+name, func(t *testing.T) {
			s := newStack(t, opts, tables(table{key: interfaces.Text("body")}, table{})...)
			ctx := t.Context()
			if n := testing.AllocsPerRun(100, func() { _, _ = s.Get(ctx, key) }); n != 0 {
				t.Errorf("a Get that layer 0 answers allocates %v times, want 0", n)
			}
			if n := testing.AllocsPerRun(100, func() { _, _, _ = s.Path(ctx, key) }); n != 0 {
				t.Errorf("a Path that the nearest layer answers allocates %v times, want 0", n)
			}
		})
	}
}

// BenchmarkOverhead compares a hit in a stack with one in its layer: the
// difference of the two figures is what the stack costs.
func BenchmarkOverhead(b *testing.B) {
	key := keyOf("key")
	layer := table{key: interfaces.Text("body")}
	run := func(name string, c interfaces.Cache) {
		b.Run(name+"/Get", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = c.Get(b.Context(), key)
			}
		})
		b.Run(name+"/Path", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = interfaces.Path(b.Context(), c, key)
			}
		})
	}
	run("layer", layer)
	run("stack", newStack(b, tiers.Options{}, tables(layer, table{})...))
	run("observed", newStack(b, tiers.Options{Observer: &tiers.Counters{}}, tables(layer, table{})...))
	run("timed", newStack(b, tiers.Options{Observer: &tiers.Counters{}, Timed: true}, tables(layer, table{})...))
	inner := newStack(b, tiers.Options{}, tables(layer, table{})...)
	run("nested", newStack(b, tiers.Options{}, tiers.Layer{Name: "stack", Tier: inner}))
}
