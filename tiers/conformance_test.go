// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"slices"
	"testing"

	"github.com/tiercecache/tierce/cachetest"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/faulttier"
	"github.com/tiercecache/tierce/memory"
	"github.com/tiercecache/tierce/tiers"
)

// everything is what a stack over full layers can.
func everything() []string {
	return []string{
		"Inserter", "Deleter", "Statter", "Lener", "Clearer", "Lister", "Pather",
		"BatchGetter", "BatchPutter", "Pinger", "Consistent", "Closer",
	}
}

// without returns everything but names.
func without(names ...string) []string {
	return slices.DeleteFunc(everything(), func(name string) bool { return slices.Contains(names, name) })
}

func TestConformance(t *testing.T) {
	const inMemory, inStreams = 1 << 16, 1 << 19 // largest bodies: what a stack reads into memory, and more
	full := func(t *testing.T) interfaces.Cache { t.Helper(); return cachetest.NewFull(t) }
	bare := func(t *testing.T) interfaces.Cache { t.Helper(); return cachetest.Bare(cachetest.NewFull(t)) }
	for _, test := range []struct {
		name    string
		require []string
		maxBody int64
		open    func(t *testing.T) []tiers.Layer
	}{
		{"one layer", everything(), inMemory, func(t *testing.T) []tiers.Layer {
			t.Helper()
			return []tiers.Layer{{Name: "only", Tier: full(t)}}
		}},
		{"two layers", everything(), inStreams, func(t *testing.T) []tiers.Layer {
			t.Helper()
			return []tiers.Layer{{Name: "near", Tier: full(t)}, {Name: "far", Tier: full(t)}}
		}},
		{"small bodies near", everything(), inStreams, func(t *testing.T) []tiers.Layer {
			t.Helper()
			return []tiers.Layer{{Name: "near", Tier: full(t), MaxBody: 4000}, {Name: "far", Tier: full(t)}}
		}},
		{"a stack in a stack", everything(), inStreams, func(t *testing.T) []tiers.Layer {
			t.Helper()
			inner := newStack(t, tiers.Options{}, tiers.Layer{Name: "near", Tier: full(t)}, tiers.Layer{Name: "far", Tier: full(t)})
			return []tiers.Layer{{Name: "near", Tier: full(t)}, {Name: "stack", Tier: inner}}
		}},
		{"a stack before", without("Deleter", "Clearer"), inMemory, func(t *testing.T) []tiers.Layer {
			t.Helper()
			inner := newStack(t, tiers.Options{}, tiers.Layer{Name: "near", Tier: full(t)}, tiers.Layer{Name: "far", Tier: bare(t)})
			return []tiers.Layer{{Name: "stack", Tier: inner}, {Name: "far", Tier: full(t)}}
		}},
		{"bare layers", []string{"Statter", "BatchGetter", "BatchPutter", "Pinger", "Closer"}, inMemory, func(t *testing.T) []tiers.Layer {
			t.Helper()
			return []tiers.Layer{{Name: "near", Tier: bare(t)}, {Name: "far", Tier: bare(t)}}
		}},
		{"bare before full", without("Deleter", "Clearer"), inMemory, func(t *testing.T) []tiers.Layer {
			t.Helper()
			return []tiers.Layer{{Name: "near", Tier: bare(t)}, {Name: "far", Tier: full(t)}}
		}},
		{"a read-only layer", everything(), inMemory, func(t *testing.T) []tiers.Layer {
			t.Helper()
			return []tiers.Layer{{Name: "near", Tier: full(t)}, {Name: "old", Tier: full(t), ReadOnly: true}, {Name: "far", Tier: full(t)}}
		}},
		{"written behind", everything(), inMemory, func(t *testing.T) []tiers.Layer {
			t.Helper()
			return []tiers.Layer{{Name: "near", Tier: full(t)}, {Name: "far", Tier: full(t), Behind: true}}
		}},
	} {
		t.Run("T9 "+test.name, func(t *testing.T) {
			cachetest.Run(t, cachetest.Config{
				Open: func(t *testing.T) interfaces.Cache {
					t.Helper()
					return newStack(t, tiers.Options{Observer: &tiers.Counters{}, Timed: true}, test.open(t)...)
				},
				Require: test.require,
				MaxBody: test.maxBody,
			})
		})
	}
}

// TestConformanceOfIllLayers has layers fail by script in all that a stack
// hides: its answers are those of a stack in good health.
func TestConformanceOfIllLayers(t *testing.T) {
	some := faulttier.Chance(0.4, 1)
	reads := []faulttier.Op{faulttier.Get, faulttier.GetBatch, faulttier.Stat, faulttier.Path, faulttier.List}
	writes := []faulttier.Op{faulttier.Put, faulttier.PutBatch}
	fail := faulttier.Rule{On: slices.Concat(reads, writes), When: some, Fault: faulttier.Fail(nil)}
	breakGet := faulttier.Rule{On: []faulttier.Op{faulttier.Get, faulttier.GetBatch}, When: some, Fault: faulttier.BreakBody(10, nil)}
	breakPut := faulttier.Rule{On: writes, When: some, Fault: faulttier.BreakBody(10, nil)}
	for _, test := range []struct {
		name         string
		near, middle []faulttier.Rule
	}{
		{"the middle fails", nil, []faulttier.Rule{fail}},
		{"near and middle fail", []faulttier.Rule{fail}, []faulttier.Rule{fail}},
		{"near and middle fail with half of a body", []faulttier.Rule{breakPut}, []faulttier.Rule{breakPut, fail}},
		{"the middle answers with half of a body", []faulttier.Rule{{On: reads, When: some, Fault: faulttier.Fail(nil)}}, []faulttier.Rule{breakGet}},
		{"the middle never works", nil, []faulttier.Rule{{On: slices.Concat(reads, writes), Fault: faulttier.Fail(nil)}}},
	} {
		t.Run("T9 "+test.name, func(t *testing.T) {
			cachetest.Run(t, cachetest.Config{
				Open: func(t *testing.T) interfaces.Cache {
					t.Helper()
					return newStack(t, tiers.Options{Observer: &tiers.Counters{}},
						tiers.Layer{Name: "near", Tier: faulttier.New(cachetest.NewFull(t), test.near...)},
						tiers.Layer{Name: "middle", Tier: faulttier.New(cachetest.NewFull(t), test.middle...)},
						tiers.Layer{Name: "far", Tier: cachetest.NewFull(t)})
				},
				Require: everything(),
				MaxBody: 1 << 18,
			})
		})
	}
}

// TestConformanceOfStorage is about what a stack's layers keep beyond it:
// damage in all of them, and another stack over them later.
func TestConformanceOfStorage(t *testing.T) {
	layers := make(map[interfaces.Cache][]*cachetest.Full)
	open := func(t *testing.T, near, far *cachetest.Full) interfaces.Cache {
		t.Helper()
		s := newStack(t, tiers.Options{}, tiers.Layer{Name: "near", Tier: near}, tiers.Layer{Name: "far", Tier: far, Behind: true})
		layers[s] = []*cachetest.Full{near, far}
		return s
	}
	cachetest.Run(t, cachetest.Config{
		Open: func(t *testing.T) interfaces.Cache {
			t.Helper()
			return open(t, cachetest.NewFull(t), cachetest.NewFull(t))
		},
		Reopen: func(t *testing.T, closed interfaces.Cache) interfaces.Cache { // the far layer alone has it
			t.Helper()
			return open(t, cachetest.NewFull(t), layers[closed][1].Reopen())
		},
		MaxBody: 1 << 18,
	})
	open = func(t *testing.T, near, far *cachetest.Full) interfaces.Cache {
		t.Helper()
		s := newStack(t, tiers.Options{}, tiers.Layer{Name: "near", Tier: near}, tiers.Layer{Name: "far", Tier: far})
		layers[s] = []*cachetest.Full{near, far}
		return s
	}
	cachetest.Run(t, cachetest.Config{
		Open: func(t *testing.T) interfaces.Cache {
			t.Helper()
			return open(t, cachetest.NewFull(t), cachetest.NewFull(t))
		},
		Damage: func(_ *testing.T, c interfaces.Cache, key interfaces.Key) {
			for _, layer := range layers[c] {
				layer.Damage(key)
			}
		},
		MaxBody: 1 << 18,
	})
}

// TestConformanceOfMemoryAndDisk is about the tiers that everybody has.
func TestConformanceOfMemoryAndDisk(t *testing.T) {
	dirs := make(map[interfaces.Cache]string)
	open := func(t *testing.T, dir string) interfaces.Cache {
		t.Helper()
		small, err := memory.New(memory.Options{MaxBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		files, err := filestream.Open(t.Context(), dir, filestream.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := newStack(t, tiers.Options{Observer: &tiers.Counters{}},
			tiers.Layer{Name: "memory", Tier: small, MaxBody: 1 << 14}, tiers.Layer{Name: "disk", Tier: files})
		dirs[s] = dir
		return s
	}
	cachetest.Run(t, cachetest.Config{
		Open: func(t *testing.T) interfaces.Cache {
			t.Helper()
			return open(t, t.TempDir())
		},
		Reopen: func(t *testing.T, closed interfaces.Cache) interfaces.Cache {
			t.Helper()
			return open(t, dirs[closed])
		},
		Require: everything(),
		MaxBody: 1 << 20,
	})
}
