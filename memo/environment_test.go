// SPDX-License-Identifier: Apache-2.0

package memo_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/memo"
	"github.com/tiercecache/tierce/tiers"
)

// TestFromEnvironment is R10 to R13 by configuration.
func TestFromEnvironment(t *testing.T) {
	near, far := newMemory(t), newMemory(t)
	stack, err := tiers.New(tiers.Options{}, tiers.Layer{Name: "memory", Tier: near}, tiers.Layer{Name: "redis", Tier: far})
	mustDo(t, err)
	t.Cleanup(func() { mustDo(t, stack.Close()) })
	const prefix = "TIERCE_DETERMINISTIC_"
	t.Run("what is not set says nothing", func(t *testing.T) {
		opts := memo.DeterministicOptions{Mode: memo.Global, Sync: tiers.Layer{Name: "x", Tier: near}, Lease: 1, Dump: "d", Prepopulate: []string{"p"}}
		got, err := opts.FromEnvironment(nil)
		wantSame(t, got, err, opts)
	})
	t.Run("all of it", func(t *testing.T) {
		t.Setenv(prefix+"MODE", "global")
		t.Setenv(prefix+"TIER", "redis")
		t.Setenv(prefix+"LEASE", "3s")
		t.Setenv(prefix+"PREPOPULATE", "a"+string(os.PathListSeparator)+"b")
		t.Setenv(prefix+"DUMP", "d")
		got, err := memo.DeterministicOptions{Mode: memo.Local}.FromEnvironment(stack)
		mustDo(t, err)
		if got.Mode != memo.Global || got.Sync.Tier != far || got.Lease != 3*time.Second || !slices.Equal(got.Prepopulate, []string{"a", "b"}) || got.Dump != "d" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("R11 strictly pre-populated leaves the layer out", func(t *testing.T) {
		t.Setenv(prefix+"MODE", "strict")
		t.Setenv(prefix+"PREPOPULATE", golden)
		opts, err := memo.DeterministicOptions{Mode: memo.Global, Sync: tiers.Layer{Name: "x", Tier: near}}.FromEnvironment(stack)
		mustDo(t, err)
		_, err = memo.OpenDeterministic(t.Context(), opts)
		mustDo(t, err)
	})
	for name, test := range map[string]struct {
		variable, value, want string
		stack                 *tiers.Stack
	}{
		"an unknown mode":      {"MODE", "lucky", `MODE: there is no mode "lucky"; use local, global, strict or strict-cached`, nil},
		"an unknown layer":     {"TIER", "disk", `TIER: there is no layer "disk"; there are ["memory" "redis"]`, stack},
		"a layer of nothing":   {"TIER", "disk", "TIER: there is no stack", nil},
		"no duration":          {"LEASE", "soon", "LEASE", stack},
		"a duration below one": {"LEASE", "-1s", "LEASE", stack},
	} {
		t.Run("R10 "+name, func(t *testing.T) {
			t.Setenv(prefix+test.variable, test.value)
			_, err := memo.DeterministicOptions{}.FromEnvironment(test.stack)
			if e := wantError[*cacheerr.DeterministicCachingInvalidConfigurationError](t, err); e != nil && !strings.Contains(e.Error(), test.want) {
				t.Errorf("error %v, want %q", e, test.want)
			}
		})
	}
}
