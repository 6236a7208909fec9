// SPDX-License-Identifier: Apache-2.0

package interfaces

import (
	"context"
	"errors"
	"iter"
)

// Lister is a cache that can name its entries.
type Lister interface {
	Cache

	// List returns the keys of all entries, in no order, each once. Entries
	// that come or go meanwhile may be in it or not. An error ends it: the
	// last pair has a zero key and the error.
	List(ctx context.Context) iter.Seq2[Key, error]
}

// List returns the keys of all entries of c. Without the capability the only
// pair has [errors.ErrUnsupported].
func List(ctx context.Context, c Cache) iter.Seq2[Key, error] {
	if lister, ok := c.(Lister); ok {
		return lister.List(ctx)
	}
	return func(yield func(Key, error) bool) { yield(Key{}, errors.ErrUnsupported) }
}
