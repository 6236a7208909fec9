// SPDX-License-Identifier: Apache-2.0

package interfaces

import (
	"context"
	"errors"
	"fmt"
)

// BatchGetter is a cache that answers many Gets in fewer round trips.
type BatchGetter interface {
	Cache

	// GetBatch gets every key and calls each once for it, with its place in
	// keys, in any order, never twice at the same time. The entry is closed
	// when each returns. GetBatch itself fails only if it could not go on: the
	// context's error, or the one that each returned.
	GetBatch(ctx context.Context, keys []Key, each func(i int, entry Entry, err error) error) error
}

// GetBatch gets every key from c and calls each for it, as
// [BatchGetter.GetBatch] does. Without the capability it gets one after the
// other.
func GetBatch(ctx context.Context, c Cache, keys []Key, each func(i int, entry Entry, err error) error) error {
	if getter, ok := c.(BatchGetter); ok {
		err := getter.GetBatch(ctx, keys, each)
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	for i, key := range keys {
		if err := ctx.Err(); err != nil {
			return err
		}
		entry, err := c.Get(ctx, key)
		err = each(i, entry, err)
		_ = entry.Close() // read to the end or given up: nothing is lost
		if err != nil {
			return err
		}
	}
	return nil
}

// Item is one entry of a batch and its key.
type Item struct {
	Key   Key
	Entry Entry
}

// BatchPutter is a cache that takes many Puts in fewer round trips.
type BatchPutter interface {
	Cache

	// PutBatch puts every item, in order. The first that fails ends it: the
	// error is a [*BatchError], the items before it are stored.
	PutBatch(ctx context.Context, items []Item) error
}

// BatchError says which item of a batch failed: the items before Index are
// stored, the one at Index is not, of those behind it nothing is known.
type BatchError struct {
	Index int   // place in the batch, from 0
	Key   Key   // key of the item
	Err   error // why; what errors.Is and errors.As see
}

// Error implements error.
func (e *BatchError) Error() string {
	return fmt.Sprintf("item %d of the batch (key %s): %v", e.Index, e.Key.Short(), e.Err)
}

// Unwrap returns why the item failed.
func (e *BatchError) Unwrap() error { return e.Err }

// PutBatch puts every item into c, as [BatchPutter.PutBatch] does. Without the
// capability it puts one after the other.
func PutBatch(ctx context.Context, c Cache, items []Item) error {
	if putter, ok := c.(BatchPutter); ok {
		err := putter.PutBatch(ctx, items)
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	for i, item := range items {
		if err := c.Put(ctx, item.Key, item.Entry); err != nil {
			return &BatchError{Index: i, Key: item.Key, Err: err}
		}
	}
	return nil
}
