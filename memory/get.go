// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// exactBelow is the number of entries below which every hit moves its entry to
// the front. Of more, 1/exactBelow may be written before it does again. Measured
// by BenchmarkGetHit: a hit that moves takes twice as long as one that does not,
// and only the latter get faster with the number of cores.
const exactBelow = 64

// Get implements [interfaces.Cache]. It allocates nothing.
func (c *Cache) Get(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	if err := c.made(); err != nil {
		return interfaces.Entry{}, err
	}
	if err := ctx.Err(); err != nil {
		return interfaces.Entry{}, err
	}
	it := c.items.get(&key)
	if it == nil {
		return interfaces.Entry{}, c.miss()
	}
	if it.moved.Load() <= c.horizon.Load() && c.newest.Load() != it {
		c.move(it)
	}
	return it.entry, nil
}

// Stat implements [interfaces.Statter].
func (c *Cache) Stat(ctx context.Context, key interfaces.Key) (interfaces.Head, error) {
	if err := c.usable(ctx); err != nil {
		return interfaces.Head{}, err
	}
	it := c.items.get(&key)
	if it == nil {
		return interfaces.Head{}, c.miss()
	}
	return it.entry.Head, nil
}

// miss returns why nothing was found. A closed cache is empty, so that a hit
// need not ask whether it is closed.
func (c *Cache) miss() error {
	if c.closed.Load() {
		return cacheerr.ErrClosed
	}
	return cacheerr.ErrMiss
}

// move brings it to the front of the order, if it is still in it, or gives up
// when somebody else changes the order now: a hit does not wait.
func (c *Cache) move(it *item) {
	if !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	if _, ok := c.order.Get(it); !ok {
		return // it went meanwhile
	}
	if it.moved.Load() != c.writes { // a store costs more than a load
		it.moved.Store(c.writes)
	}
	c.newest.Store(it)
}
