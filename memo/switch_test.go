// SPDX-License-Identifier: Apache-2.0

package memo_test

import (
	"context"
	"slices"
	"testing"

	cachectx "github.com/tiercecache/tierce/context"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/memo"
)

var isolationOfNothing = cachectx.Isolation{}.Key()

func rollout(version int, err error) func() (int, error) {
	return func() (int, error) { return version, err }
}

func TestSwitch(t *testing.T) {
	const name = "TIERCE_TEST_SWITCH"
	for _, test := range []struct {
		name     string
		variable string
		s        memo.Switch
		want     bool
	}{
		{"by default", "", memo.Switch{}, true},
		{"off by default", "", memo.Switch{DefaultOff: true}, false},
		{"a rollout of ours", "", memo.Switch{Rollout: rollout(3, nil), Version: 3, DefaultOff: true}, true},
		{"a rollout of an older one", "", memo.Switch{Rollout: rollout(2, nil), Version: 3, DefaultOff: true}, true},
		{"a rollout of a newer one", "", memo.Switch{Rollout: rollout(4, nil), Version: 3}, false},
		{"a rollout of nothing", "", memo.Switch{Rollout: rollout(0, nil), Version: 3}, false},
		{"a source that fails", "", memo.Switch{Rollout: rollout(1, errBroken), Version: 3}, false},
		{"the variable before the rollout", "0", memo.Switch{Rollout: rollout(1, nil), Version: 3}, false},
		{"the variable before a source that fails", "true", memo.Switch{Rollout: rollout(1, errBroken)}, true},
		{"the variable before the default", "1", memo.Switch{DefaultOff: true}, true},
	} {
		t.Run("V1 "+test.name, func(t *testing.T) {
			t.Setenv(name, test.variable)
			test.s.Variable = name
			got, err := test.s.On()
			wantSame(t, got, err, test.want)
		})
	}
	t.Run("V1 a variable that says neither", func(t *testing.T) {
		t.Setenv(name, "maybe")
		if _, err := (memo.Switch{Variable: name}).On(); err == nil {
			t.Error("no error")
		}
		t.Setenv("TIERCE_MEMO", "maybe")
		if _, err := memo.NewFast(newMemory(t), memo.Options{}); err == nil {
			t.Error("no error of NewFast")
		}
	})
}

func TestOff(t *testing.T) {
	ctx := t.Context()
	t.Run("R7 Get misses, Insert says no, functions run", func(t *testing.T) {
		cache, observer := newMemory(t), &told{}
		_, err := function(t, newFast(t, cache, memo.Options{}), "f", memo.Settings[query, plan]{}).Insert(ctx, query{}, plan{})
		mustDo(t, err)
		t.Setenv("TIERCE_MEMO", "0")
		f := function(t, newFast(t, cache, memo.Options{Observer: observer}), "f", memo.Settings[query, plan]{})
		_, err = f.Get(ctx, query{})
		wantMiss(t, err)
		inserted, err := f.Insert(ctx, query{"t", 1}, plan{})
		wantSame(t, inserted, err, false)
		var c counted
		for range 2 {
			_, err = f.Record(c.plan)(ctx, query{})
			mustDo(t, err)
		}
		c.want(t, 2)
		later := f.RecordDeferred(func(ctx context.Context, q query, final *memo.Deferred[plan]) (plan, error) {
			p, _ := c.plan(ctx, q)
			return final.Finalize(ctx, p)
		})
		for range 2 {
			_, err = later(ctx, query{})
			mustDo(t, err)
		}
		c.want(t, 4)
		wantLen(t, cache, 1)
		if got := observer.take(); !slices.Equal(got, []memo.Outcome{memo.Miss, memo.NotInserted}) {
			t.Errorf("R17 told %v", got)
		}
	})
	for _, variable := range []string{"TIERCE_DETERMINISTIC", "TIERCE_MEMO"} {
		t.Run("R8 never in silence, "+variable, func(t *testing.T) {
			t.Setenv(variable, "0")
			f := function(t, open(t, newMemory(t), memo.DeterministicOptions{}), "f", memo.Settings[int, int]{})
			_, get := f.Get(ctx, 1)
			_, insert := f.Insert(ctx, 1, 1)
			never := func(context.Context, int) (int, error) { t.Error("it ran"); return 1, nil }
			_, call := f.Record(never)(ctx, 1)
			_, later := f.RecordDeferred(func(ctx context.Context, _ int, _ *memo.Deferred[int]) (int, error) { return never(ctx, 1) })(ctx, 1)
			for _, err := range []error{get, insert, call, later} {
				wantError[*cacheerr.DeterministicCachingDisabledError](t, err)
			}
		})
	}
}
