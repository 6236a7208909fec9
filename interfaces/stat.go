// SPDX-License-Identifier: Apache-2.0

package interfaces

import (
	"context"
	"errors"
)

// Statter is a cache that can tell of an entry without its body.
type Statter interface {
	Cache

	// Stat returns the head of the entry under key. It fails as Get does, does
	// not check the body, and does not count as a use of the entry.
	Stat(ctx context.Context, key Key) (Head, error)
}

// Stat returns the head of the entry under key in c. Without the capability it
// gets the entry and closes it, which counts as a use.
func Stat(ctx context.Context, c Cache, key Key) (Head, error) {
	if statter, ok := c.(Statter); ok {
		head, err := statter.Stat(ctx, key)
		if !errors.Is(err, errors.ErrUnsupported) {
			return head, err
		}
	}
	entry, err := c.Get(ctx, key)
	if err != nil {
		return Head{}, err
	}
	return entry.Head, entry.Close()
}
