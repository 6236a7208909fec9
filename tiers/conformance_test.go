// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"slices"
	"testing"

	"github.com/tiercecache/tierce/cachetest"
	"github.com/tiercecache/tierce/interfaces"
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
	full := func(t *testing.T) interfaces.Cache { return cachetest.NewFull(t) }
	bare := func(t *testing.T) interfaces.Cache { return cachetest.Bare(cachetest.NewFull(t)) }
	for _, test := range []struct {
		name    string
		require []string
		open    func(t *testing.T) []tiers.Layer
	}{
		{"one layer", everything(), func(t *testing.T) []tiers.Layer {
			return []tiers.Layer{{Name: "only", Tier: full(t)}}
		}},
		{"two layers", everything(), func(t *testing.T) []tiers.Layer {
			return []tiers.Layer{{Name: "near", Tier: full(t)}, {Name: "far", Tier: full(t)}}
		}},
		{"small bodies near", everything(), func(t *testing.T) []tiers.Layer {
			return []tiers.Layer{{Name: "near", Tier: full(t), MaxBody: 4000}, {Name: "far", Tier: full(t)}}
		}},
		{"a stack in a stack", everything(), func(t *testing.T) []tiers.Layer {
			inner := newStack(t, tiers.Options{}, tiers.Layer{Name: "near", Tier: full(t)}, tiers.Layer{Name: "far", Tier: full(t)})
			return []tiers.Layer{{Name: "near", Tier: full(t)}, {Name: "stack", Tier: inner}}
		}},
		{"a stack before", without("Deleter", "Clearer"), func(t *testing.T) []tiers.Layer {
			inner := newStack(t, tiers.Options{}, tiers.Layer{Name: "near", Tier: full(t)}, tiers.Layer{Name: "far", Tier: bare(t)})
			return []tiers.Layer{{Name: "stack", Tier: inner}, {Name: "far", Tier: full(t)}}
		}},
		{"bare layers", []string{"Statter", "BatchGetter", "BatchPutter", "Pinger", "Closer"}, func(t *testing.T) []tiers.Layer {
			return []tiers.Layer{{Name: "near", Tier: bare(t)}, {Name: "far", Tier: bare(t)}}
		}},
		{"bare before full", without("Deleter", "Clearer"), func(t *testing.T) []tiers.Layer {
			return []tiers.Layer{{Name: "near", Tier: bare(t)}, {Name: "far", Tier: full(t)}}
		}},
		{"a read-only layer", everything(), func(t *testing.T) []tiers.Layer {
			return []tiers.Layer{{Name: "near", Tier: full(t)}, {Name: "old", Tier: full(t), ReadOnly: true}, {Name: "far", Tier: full(t)}}
		}},
		{"written behind", everything(), func(t *testing.T) []tiers.Layer {
			return []tiers.Layer{{Name: "near", Tier: full(t)}, {Name: "far", Tier: full(t), Behind: true}}
		}},
	} {
		t.Run("T9 "+test.name, func(t *testing.T) {
			cachetest.Run(t, cachetest.Config{
				Open: func(t *testing.T) interfaces.Cache {
					return newStack(t, tiers.Options{Observer: &tiers.Counters{}, Timed: true}, test.open(t)...)
				},
				Require: test.require,
				MaxBody: 1 << 20,
			})
		})
	}
}
