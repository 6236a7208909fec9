// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"iter"

	"github.com/tiercecache/tierce/interfaces"
)

// Delete implements [interfaces.Deleter].
func (c *Cache) Delete(ctx context.Context, key interfaces.Key) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	it := c.items.get(&key)
	if it == nil {
		return c.miss()
	}
	c.drop(it)
	return nil
}

// Len implements [interfaces.Lener].
func (c *Cache) Len(ctx context.Context) (int, error) {
	if err := c.usable(ctx); err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len(), nil
}

// List implements [interfaces.Lister]: the keys at the time when it begins. The
// cache may be used and changed while it is listed.
func (c *Cache) List(ctx context.Context) iter.Seq2[interfaces.Key, error] {
	return func(yield func(interfaces.Key, error) bool) {
		err := c.usable(ctx)
		if err == nil {
			for _, it := range c.all() {
				if err = c.usable(ctx); err != nil || !yield(it.key, nil) {
					break
				}
			}
		}
		if err != nil {
			yield(interfaces.Key{}, err)
		}
	}
}

// all returns all items.
func (c *Cache) all() []*item {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Keys()
}

// Clear implements [interfaces.Clearer].
func (c *Cache) Clear(ctx context.Context) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.empty()
	return nil
}

// Close lets go of all entries; those that were got stay readable. The other
// methods then return [cacheerr.ErrClosed]. A second Close does nothing.
func (c *Cache) Close() error {
	if err := c.made(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed.Store(true)
	c.empty()
	return nil
}

// empty removes every item. The caller holds mu.
func (c *Cache) empty() {
	c.items.clear()
	c.order.Purge()
	c.newest.Store(nil)
	c.used = 0
}

// Consistency implements [interfaces.Consistent]: strong, since whoever shares
// the cache is in this process.
func (c *Cache) Consistency() interfaces.Consistency { return interfaces.ConsistencyStrong }
