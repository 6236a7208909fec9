// SPDX-License-Identifier: Apache-2.0

package faulttier

import (
	"context"
	"errors"
	"iter"

	"github.com/tiercecache/tierce/interfaces"
)

// Get implements [interfaces.Cache].
func (c *Cache) Get(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	below, fault, err := enter[interfaces.Cache](ctx, c, Get, key)
	if err != nil {
		return interfaces.Entry{}, err
	}
	entry, err := below.Get(ctx, key)
	if err != nil {
		return entry, err
	}
	return fault.entry(entry), nil
}

// Put implements [interfaces.Cache].
func (c *Cache) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	below, fault, err := enter[interfaces.Cache](ctx, c, Put, key)
	if err != nil {
		return err
	}
	return below.Put(ctx, key, fault.entry(entry))
}

// Insert implements [interfaces.Inserter].
func (c *Cache) Insert(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (bool, error) {
	below, fault, err := enter[interfaces.Inserter](ctx, c, Insert, key)
	if err != nil {
		return false, err
	}
	return below.Insert(ctx, key, fault.entry(entry))
}

// Delete implements [interfaces.Deleter].
func (c *Cache) Delete(ctx context.Context, key interfaces.Key) error {
	below, _, err := enter[interfaces.Deleter](ctx, c, Delete, key)
	if err != nil {
		return err
	}
	return below.Delete(ctx, key)
}

// Stat implements [interfaces.Statter].
func (c *Cache) Stat(ctx context.Context, key interfaces.Key) (interfaces.Head, error) {
	below, _, err := enter[interfaces.Statter](ctx, c, Stat, key)
	if err != nil {
		return interfaces.Head{}, err
	}
	return below.Stat(ctx, key)
}

// Len implements [interfaces.Lener].
func (c *Cache) Len(ctx context.Context) (int, error) {
	below, _, err := enter[interfaces.Lener](ctx, c, Len, interfaces.Key{})
	if err != nil {
		return 0, err
	}
	return below.Len(ctx)
}

// Clear implements [interfaces.Clearer].
func (c *Cache) Clear(ctx context.Context) error {
	below, _, err := enter[interfaces.Clearer](ctx, c, Clear, interfaces.Key{})
	if err != nil {
		return err
	}
	return below.Clear(ctx)
}

// List implements [interfaces.Lister]. Each walk over the keys is a call.
func (c *Cache) List(ctx context.Context) iter.Seq2[interfaces.Key, error] {
	return func(yield func(interfaces.Key, error) bool) {
		below, _, err := enter[interfaces.Lister](ctx, c, List, interfaces.Key{})
		if err != nil {
			yield(interfaces.Key{}, err)
			return
		}
		below.List(ctx)(yield)
	}
}

// Path implements [interfaces.Pather]. Nothing happens to the body.
func (c *Cache) Path(ctx context.Context, key interfaces.Key) (string, int64, error) {
	below, _, err := enter[interfaces.Pather](ctx, c, Path, key)
	if err != nil {
		return "", 0, err
	}
	return below.Path(ctx, key)
}

// GetBatch implements [interfaces.BatchGetter].
func (c *Cache) GetBatch(ctx context.Context, keys []interfaces.Key, each func(int, interfaces.Entry, error) error) error {
	below, fault, err := enter[interfaces.BatchGetter](ctx, c, GetBatch, interfaces.Key{})
	if err != nil {
		return err
	}
	return below.GetBatch(ctx, keys, func(i int, entry interfaces.Entry, err error) error {
		if err != nil {
			return each(i, entry, err)
		}
		return each(i, fault.entry(entry), nil)
	})
}

// PutBatch implements [interfaces.BatchPutter]. A batch that fails by rule fails
// at its first item.
func (c *Cache) PutBatch(ctx context.Context, items []interfaces.Item) error {
	below, fault, err := enter[interfaces.BatchPutter](ctx, c, PutBatch, interfaces.Key{})
	if err != nil && len(items) > 0 && !errors.Is(err, errors.ErrUnsupported) {
		return &interfaces.BatchError{Key: items[0].Key, Err: err}
	}
	if err != nil {
		return err
	}
	passing := make([]interfaces.Item, len(items))
	for i, item := range items {
		passing[i] = interfaces.Item{Key: item.Key, Entry: fault.entry(item.Entry)}
	}
	return below.PutBatch(ctx, passing)
}

// Ping implements [interfaces.Pinger].
func (c *Cache) Ping(ctx context.Context) error {
	below, _, err := enter[interfaces.Pinger](ctx, c, Ping, interfaces.Key{})
	if err != nil {
		return err
	}
	return below.Ping(ctx)
}

// Consistency implements [interfaces.Consistent]: that of the cache below.
func (c *Cache) Consistency() interfaces.Consistency {
	if c == nil {
		return interfaces.ConsistencyUnknown
	}
	return interfaces.ConsistencyOf(c.cache)
}

// Close implements [io.Closer]. It closes the cache below, fault or not, and
// the second time does nothing.
func (c *Cache) Close() error {
	if c == nil {
		return nil
	}
	fault, err := c.choose(Close, interfaces.Key{})
	if err != nil { // closed before
		return nil
	}
	err = fault.before(context.Background(), Close) //nolint:forbidigo // Close has no context of its own
	return errors.Join(err, interfaces.Close(c.cache))
}
