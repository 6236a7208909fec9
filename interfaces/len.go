// SPDX-License-Identifier: Apache-2.0

package interfaces

import (
	"context"
	"errors"
)

// Lener is a cache that can count its entries.
type Lener interface {
	Cache

	// Len returns how many entries there are.
	Len(ctx context.Context) (int, error)
}

// Len returns how many entries c has. Without the capability it counts what
// [List] names; without that it is [errors.ErrUnsupported].
func Len(ctx context.Context, c Cache) (int, error) {
	if lener, ok := c.(Lener); ok {
		n, err := lener.Len(ctx)
		if !errors.Is(err, errors.ErrUnsupported) {
			return n, err
		}
	}
	n := 0
	for _, err := range List(ctx, c) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}
