// SPDX-License-Identifier: Apache-2.0

package interfaces

import (
	"context"
	"errors"
)

// Deleter is a cache that can remove an entry.
type Deleter interface {
	Cache

	// Delete removes the entry under key. An absent key is cacheerr.ErrMiss.
	// An entry that somebody reads stays readable for that reader.
	Delete(ctx context.Context, key Key) error
}

// Delete removes the entry under key from c. Without the capability it is
// [errors.ErrUnsupported].
func Delete(ctx context.Context, c Cache, key Key) error {
	if deleter, ok := c.(Deleter); ok {
		return deleter.Delete(ctx, key)
	}
	return errors.ErrUnsupported
}
