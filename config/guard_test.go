// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/config"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
	"github.com/tiercecache/tierce/tiers/guard"
)

// remotes returns a registry with a type that is remote and one that is not,
// whose tiers are away.
func remotes() config.Registry {
	registry := config.Builtin()
	open := config.Typed(struct{}{}, func(context.Context, struct{}) (away, error) { return away{}, nil })
	registry["far"], registry["share"] = config.Remote(open), open
	return registry
}

// away is a tier that cannot be reached.
type away struct{}

var errAway = &cacheerr.BackendNotAvailableError{Tier: "away", Reason: "connection refused"}

func (away) Get(context.Context, interfaces.Key) (interfaces.Entry, error) {
	return interfaces.Entry{}, errAway
}
func (away) Put(context.Context, interfaces.Key, interfaces.Entry) error { return errAway }

// A guard is around what is remote, and around what the file says.
func TestGuards(t *testing.T) {
	for _, test := range []struct {
		name, file     string
		guarded, queue bool // of the last tier
	}{
		{"a remote", "tiers: [{type: memory}, {type: far}]", true, true},
		{"a remote without", "tiers: [{type: memory}, {type: far, guard: {off: true}}]", false, true},
		{"a remote that is written at once", "tiers: [{type: memory}, {type: far, behind: false}]", true, false},
		{"a remote alone", "tiers: [{type: far}]", true, false},
		{"a remote that is not written", "tiers: [{type: memory}, {type: far, read_only: true}]", true, false},
		{"another", "tiers: [{type: memory}, {type: share}]", false, false},
		{"another with", "tiers: [{type: memory}, {type: share, guard: {retries: 0}}]", true, false},
		{"another with the defaults", "tiers: [{type: memory}, {type: share, guard: {}}]", true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := load(t, fromFile(t, test.file+"\n"))
			var count tiers.Counters
			stack, err := c.Open(t.Context(), remotes(), tiers.Options{Observer: &count})
			if err != nil {
				t.Fatal(err)
			}
			defer stack.Close()
			layers := stack.Layers()
			last := layers[len(layers)-1]
			if _, guarded := last.Tier.(*guard.Cache); guarded != test.guarded || last.Remote != (test.guarded || strings.Contains(test.file, "far")) {
				t.Errorf("guarded: %t (remote: %t), want %t", guarded, last.Remote, test.guarded)
			}
			if last.Behind != test.queue {
				t.Errorf("written behind: %t, want %t", last.Behind, test.queue)
			}
			// What is printed is the same configuration.
			first := printed(t, c, remotes())
			if again := printed(t, load(t, fromFile(t, first)), remotes()); again != first {
				t.Errorf("printed\n%s\nand printed again\n%s", first, again)
			}
		})
	}
}

// What the file says reaches the guard: here that of ten Gets none is tried
// again, and the third finds the breaker open; and by its name.
func TestGuardSettings(t *testing.T) {
	c := load(t, fromFile(t, "tiers: [{type: far, name: redis-1, guard: {timeout: 1s, budget: 0s, budget_share: 1, concurrency: 2, bytes: 1MiB, retries: 0, failures: 2, pause: 1h}}]\n"))
	want := config.Guard{Timeout: time.Second, BudgetShare: 1, Concurrency: 2, Bytes: 1 << 20, Failures: 2, Pause: time.Hour}
	if got := *c.Tiers[0].Guard; got != want {
		t.Errorf("the guard is %+v, want %+v", got, want)
	}
	var count tiers.Counters
	stack, err := c.Open(t.Context(), remotes(), tiers.Options{Observer: &count})
	if err != nil {
		t.Fatal(err)
	}
	defer stack.Close()
	for range 10 {
		if _, err := stack.Get(t.Context(), interfaces.Key{}); !errors.Is(err, cacheerr.ErrMiss) {
			t.Errorf("Get: %v, want a miss", err)
		}
	}
	remote := count.Snapshot().Tiers[0].Remote
	if remote == nil || remote.Retries != 0 || remote.Ill["connection refused"] != 2 || remote.Ill[guard.LeftAlone] != 8 {
		t.Errorf("counted %+v, want 2 failures, no retry, and 8 that were not asked for", remote)
	}
}

func TestGuardMistakes(t *testing.T) {
	for _, test := range []struct{ guard, want string }{
		{"{timeout: 0s}", `guard.timeout: "0s" cannot be; write a duration of more than 0, such as 2s`},
		{"{pause: 0s}", "guard.pause"},
		{"{concurrency: 0}", "guard.concurrency: 0 cannot be; write 1 or more"},
		{"{retries: -1}", "guard.retries"},
		{"{failures: -1}", "guard.failures"},
		{"{budget_share: 5}", "guard.budget_share: 5 cannot be; write a part between 0 and 1"},
		{"{bytes: 0}", "guard.bytes"},
		{"{budgit: 5s}", `unknown field "budgit"; did you mean budget?`},
		{"none", "want a mapping of fields"},
	} {
		_, err := config.Load(fromFile(t, "tiers: [{type: memory, guard: "+test.guard+"}]\n"))
		var wrong *config.Error
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), test.want) || wrong.Line != 1 {
			t.Errorf("guard %s: error %v, want one with a place that says %q", test.guard, err, test.want)
		}
	}
}
