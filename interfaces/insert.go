// SPDX-License-Identifier: Apache-2.0

package interfaces

import (
	"context"
	"errors"
)

// Inserter is a cache with put-if-absent: what determinism stands on.
type Inserter interface {
	Cache

	// Insert keeps entry under key only if the key is absent, and reports
	// whether it did. Of any number of callers at once exactly one is told
	// true, and every later Get sees that caller's bytes. It treats the entry
	// as Put does; when it reports false it may not have read the body.
	Insert(ctx context.Context, key Key, entry Entry) (inserted bool, err error)
}

// Insert keeps entry under key in c only if the key is absent, and reports
// whether it did. Without the capability it is [errors.ErrUnsupported]: a Get
// and a Put after each other would promise what they cannot keep.
func Insert(ctx context.Context, c Cache, key Key, entry Entry) (inserted bool, err error) {
	if inserter, ok := c.(Inserter); ok {
		return inserter.Insert(ctx, key, entry)
	}
	return false, errors.ErrUnsupported
}
