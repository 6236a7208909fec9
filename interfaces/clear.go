// SPDX-License-Identifier: Apache-2.0

package interfaces

import (
	"context"
	"errors"
)

// Clearer is a cache that can be emptied.
type Clearer interface {
	Cache

	// Clear removes every entry that was there when it was called.
	Clear(ctx context.Context) error
}

// Clear removes every entry of c. Without the capability it deletes what
// [List] names, one by one; without that it is [errors.ErrUnsupported].
func Clear(ctx context.Context, c Cache) error {
	if clearer, ok := c.(Clearer); ok {
		err := clearer.Clear(ctx)
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	keys, err := collect(ctx, c)
	if err != nil {
		return err
	}
	for _, key := range keys {
		// A key that went meanwhile is what was wanted; whether an error says
		// so is package errors' to know, so ask the cache.
		if err := Delete(ctx, c, key); err != nil && present(ctx, c, key) {
			return err
		}
	}
	return nil
}

// collect lists first and lets delete later: not every cache can be changed
// while it is listed.
func collect(ctx context.Context, c Cache) ([]Key, error) {
	var keys []Key
	for key, err := range List(ctx, c) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func present(ctx context.Context, c Cache, key Key) bool {
	_, err := Stat(ctx, c, key)
	return err == nil
}
