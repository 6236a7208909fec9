// SPDX-License-Identifier: Apache-2.0

package boltindex

import (
	"context"

	bolt "go.etcd.io/bbolt"
)

// CompactNow rewrites the file, whatever is free in it.
func (x *Index) CompactNow() error { return x.compact() }

// WithOpen calls do while the file is open, and then reads all of it.
func (x *Index) WithOpen(ctx context.Context, do func() error) error {
	return x.view(ctx, func(tx *bolt.Tx) error {
		if err := do(); err != nil {
			return err
		}
		return consistent(tx)
	})
}
