// SPDX-License-Identifier: Apache-2.0

package interfaces

import (
	"context"
	"errors"
)

// Pinger is a cache with a far end that can be asked whether it is there.
type Pinger interface {
	Cache

	// Ping returns nil if the cache can answer now, or why it cannot, as a
	// cacheerr.BackendError.
	Ping(ctx context.Context) error
}

// Ping returns nil if c can answer now. A cache without the capability has
// nothing that could be away.
func Ping(ctx context.Context, c Cache) error {
	if pinger, ok := c.(Pinger); ok {
		if err := pinger.Ping(ctx); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return nil
}
