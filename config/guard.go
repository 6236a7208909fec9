// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
	"github.com/tiercecache/tierce/tiers/guard"
)

// Guard is what is configured of the guard around a tier: see
// [github.com/tiercecache/tierce/tiers/guard.Options]. Unlike there, 0 is 0.
type Guard struct {
	Off         bool          // there is none
	Timeout     time.Duration // for how long an operation may not move
	Budget      time.Duration // how long callers may wait in vain
	BudgetShare float64       // or this part of the time since the tier was opened, if that is more
	Concurrency int           // operations at the same time
	Bytes       int64         // bytes of bodies on their way into the tier
	Retries     int           // how often a failed operation is tried again
	Failures    int           // failures in a row after which the tier is left alone; 0 means never
	Pause       time.Duration // for how long
}

func defaultGuard() Guard {
	return Guard{
		Timeout: 2 * time.Second, Budget: 5 * time.Second, BudgetShare: 0.05,
		Concurrency: 16, Bytes: 64 << 20, Retries: 1, Failures: 5, Pause: 5 * time.Second,
	}
}

// Remote returns a factory of tiers that wait for another machine. Unless the
// configuration says otherwise, such a tier has a guard around it and is written
// behind.
func Remote(factory Factory) Factory {
	return func(ctx context.Context, raw Raw) (interfaces.Cache, error) {
		if raw.call != nil {
			raw.call.remote = true
		}
		return factory(ctx, raw)
	}
}

// decodeGuard returns the guard that n asks for, nil if n is absent.
func (d decoder) decodeGuard(field string, n node) (*Guard, error) {
	if n.kind == absent {
		return nil, nil //nolint:nilnil // absent
	}
	g := defaultGuard()
	if err := d.value(field, n, reflect.ValueOf(&g).Elem()); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name      string
		tooLittle bool
		want      string
	}{
		{"timeout", g.Timeout <= 0, "a duration of more than 0, such as 2s"},
		{"pause", g.Pause <= 0, "a duration of more than 0, such as 5s"},
		{"concurrency", g.Concurrency <= 0, "1 or more"},
		{"retries", g.Retries < 0, "0 for never, or more"},
		{"failures", g.Failures < 0, "0 for any number, or more"},
		{"budget_share", g.BudgetShare < 0 || g.BudgetShare > 1, "a part between 0 and 1, such as 0.05"},
	} {
		if value := n.find(f.name); f.tooLittle && value.kind != absent {
			return nil, value.errorf(field+"."+f.name, "%s cannot be; write %s", value, f.want)
		}
	}
	return &g, nil
}

// guardOf returns the guard around tier i, nil if it has none.
func (c Config) guardOf(i int, remote bool) *Guard {
	switch g := c.Tiers[i].Guard; {
	case g != nil && g.Off:
		return nil
	case g != nil:
		return g
	case remote:
		standard := defaultGuard()
		return &standard
	}
	return nil
}

// behind reports whether tier i is written behind: a remote one is if nothing is
// said, and another tier keeps the entries until then.
func (c Config) behind(i int, remote bool) bool {
	t := c.Tiers[i]
	if t.Behind || !remote || t.ReadOnly || t.node().find("behind").kind != absent {
		return t.Behind
	}
	for j, other := range c.Tiers {
		if j < i && !other.Behind && !other.ReadOnly {
			return true
		}
	}
	return false
}

// around returns tier with the guard around it.
func (g *Guard) around(tier interfaces.Cache, name string, observer tiers.Observer) interfaces.Cache {
	if g == nil {
		return tier
	}
	const none = -1
	return guard.New(tier, guard.Options{
		Name: name, Timeout: g.Timeout, Budget: cmp.Or(g.Budget, none), BudgetShare: cmp.Or(g.BudgetShare, none),
		Concurrency: g.Concurrency, Bytes: g.Bytes, Retries: cmp.Or(g.Retries, none), Failures: cmp.Or(g.Failures, none),
		Pause: g.Pause, Observer: observer,
	})
}

// encode returns the node that g is decoded from.
func (g *Guard) encode() (node, error) {
	if g.Off {
		return node{kind: mapping}.with("off", node{kind: boolean, text: "true"}), nil
	}
	n, err := encodeStruct(reflect.ValueOf(g).Elem(), reflect.ValueOf(defaultGuard()))
	if err != nil {
		return node{}, fmt.Errorf("guard: %w", err)
	}
	return n, nil
}
