// SPDX-License-Identifier: Apache-2.0

// Package pause waits for a while, and no longer than a context lasts.
package pause

import (
	"context"
	"time"
)

// For returns nil after d, or the context's error if that ends before. It leaves
// no timer behind.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
