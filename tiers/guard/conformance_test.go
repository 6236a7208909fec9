// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"testing"

	"github.com/tiercecache/tierce/cachetest"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/faulttier"
	"github.com/tiercecache/tierce/tiers/guard"
)

// A guard is not noticed: neither over a tier with every capability nor over
// one with none, nor over one whose reads fail now and then and are tried again.
func TestConformance(t *testing.T) {
	all := []string{
		"Inserter", "Deleter", "Statter", "Lener", "Clearer", "Lister",
		"BatchGetter", "BatchPutter", "Pinger", "Consistent", "Closer",
	}
	reads := []faulttier.Op{faulttier.Get, faulttier.Stat, faulttier.GetBatch, faulttier.Ping}
	for _, test := range []struct {
		name    string
		require []string
		open    func(t *testing.T) interfaces.Cache
	}{
		{"every capability", all, func(t *testing.T) interfaces.Cache {
			t.Helper()
			return guard.New(cachetest.NewFull(t), guard.Options{})
		}},
		{"no capability", []string{"Closer"}, func(t *testing.T) interfaces.Cache {
			t.Helper()
			return guard.New(cachetest.Bare(cachetest.NewFull(t)), guard.Options{})
		}},
		{"streams", nil, func(t *testing.T) interfaces.Cache {
			t.Helper()
			return guard.New(streams{cachetest.NewFull(t)}, guard.Options{})
		}},
		{"a guard in a guard", all, func(t *testing.T) interfaces.Cache {
			t.Helper()
			return guard.New(guard.New(cachetest.NewFull(t), guard.Options{}), guard.Options{})
		}},
		{"a tier that is away now and then", nil, func(t *testing.T) interfaces.Cache {
			t.Helper()
			ill := faulttier.New(cachetest.NewFull(t), faulttier.Rule{On: reads, When: faulttier.Chance(0.05, 1), Fault: faulttier.Fail(errAway)})
			return guard.New(ill, guard.Options{Retries: 4})
		}},
	} {
		t.Run("T9 "+test.name, func(t *testing.T) {
			cachetest.Run(t, cachetest.Config{Open: test.open, Require: test.require, MaxBody: 1 << 20})
		})
	}
}

func TestConformanceOfStorage(t *testing.T) {
	tiers := make(map[interfaces.Cache]*cachetest.Full)
	open := func(full *cachetest.Full) interfaces.Cache {
		c := guard.New(full, guard.Options{})
		tiers[c] = full
		return c
	}
	cachetest.Run(t, cachetest.Config{
		Open: func(t *testing.T) interfaces.Cache {
			t.Helper()
			return open(cachetest.NewFull(t))
		},
		Reopen: func(t *testing.T, closed interfaces.Cache) interfaces.Cache {
			t.Helper()
			return open(tiers[closed].Reopen())
		},
		Damage:  func(_ *testing.T, c interfaces.Cache, key interfaces.Key) { tiers[c].Damage(key) },
		MaxBody: 1 << 18,
	})
}
