// SPDX-License-Identifier: Apache-2.0

// Package faulttier wraps a cache so that its operations go wrong by script,
// for tests of what stands on it.
//
//	ill := faulttier.New(c, faulttier.Rule{
//		On: []faulttier.Op{faulttier.Get}, When: faulttier.From(3), Fault: faulttier.Hang(),
//	})
//
// Without rules it does nothing but count. It has the capabilities of the cache
// that it wraps. Rules print themselves, so a failed test can name its fault.
package faulttier

import (
	"context"
	"errors"
	"io"
	"sync"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// Cache is a cache whose operations go wrong by rules.
type Cache struct {
	cache interfaces.Cache

	mu     sync.Mutex
	rules  []Rule     // guarded by mu
	seen   []int      // guarded by mu: calls that each rule was about
	counts map[Op]int // guarded by mu
	faults int        // guarded by mu
	closed bool       // guarded by mu
}

var (
	_ interfaces.Inserter    = (*Cache)(nil)
	_ interfaces.Deleter     = (*Cache)(nil)
	_ interfaces.Statter     = (*Cache)(nil)
	_ interfaces.Lener       = (*Cache)(nil)
	_ interfaces.Clearer     = (*Cache)(nil)
	_ interfaces.Lister      = (*Cache)(nil)
	_ interfaces.Pather      = (*Cache)(nil)
	_ interfaces.BatchGetter = (*Cache)(nil)
	_ interfaces.BatchPutter = (*Cache)(nil)
	_ interfaces.Pinger      = (*Cache)(nil)
	_ interfaces.Consistent  = (*Cache)(nil)
	_ io.Closer              = (*Cache)(nil)
)

// New returns c with the given rules. Closing it closes c.
func New(c interfaces.Cache, rules ...Rule) *Cache {
	f := &Cache{cache: c, counts: make(map[Op]int)}
	f.SetRules(rules...)
	return f
}

// SetRules replaces all rules, also while operations run, and begins to count
// the calls that they are about. Without rules nothing goes wrong any more, but
// what waits goes on waiting. The first rule that chooses a call decides.
func (c *Cache) SetRules(rules ...Rule) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rules = append([]Rule(nil), rules...)
	c.seen = make([]int, len(rules))
}

// Count returns how often op was called since [New], with or without fault.
// What the cache below cannot do is not counted.
func (c *Cache) Count(op Op) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[op]
}

// Faults returns how many calls a rule chose since [New].
func (c *Cache) Faults() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.faults
}

// enter returns the cache below as a C, after the fault that the call has, and
// what is to happen to its bodies. Without a C below it is
// [errors.ErrUnsupported].
func enter[C any](ctx context.Context, c *Cache, op Op, key interfaces.Key) (below C, fault Fault, err error) {
	if c == nil {
		return below, nil, &cacheerr.BackendNotAvailableError{Tier: "fault", Err: errors.New("the cache is nil")}
	}
	below, ok := c.cache.(C)
	if !ok {
		return below, nil, errors.ErrUnsupported
	}
	fault, err = c.choose(op, key)
	if err == nil {
		err = fault.before(ctx, op)
	}
	return below, fault, err
}

// choose counts a call and returns the fault that it has.
func (c *Cache) choose(op Op, key interfaces.Key) (Fault, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, cacheerr.ErrClosed
	}
	c.closed = op == Close
	c.counts[op]++
	chosen := Fault(none{})
	for i, rule := range c.rules {
		if !rule.matches(op, key) {
			continue
		}
		c.seen[i]++
		if chosen == (none{}) && (rule.When == nil || rule.When.holds(c.seen[i])) {
			chosen = rule.Fault
			c.faults++
		}
	}
	return chosen, nil
}
