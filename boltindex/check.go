// SPDX-License-Identifier: Apache-2.0

package boltindex

import (
	"context"

	bolt "go.etcd.io/bbolt"

	"github.com/tiercecache/tierce/internal/lock"
)

// Check looks through all of the index and returns what does not fit together:
// a page, the entries and their order, the totals, each as cacheerr.ErrDamaged.
// It takes time in proportion to what the index holds.
func (x *Index) Check(ctx context.Context) error {
	return lock.Files(x.path+".lock").With(ctx, lock.For(x.opts.Timeout), func() error {
		if err := checkFile(x.path); err != nil {
			return err
		}
		return x.open(x.path, true, func(db *bolt.DB) error { return db.View(consistent) })
	})
}

func consistent(tx *bolt.Tx) error {
	b, err := openBatch(tx)
	if err != nil {
		return err
	}
	var sum Totals
	entries := b.entries.Cursor()
	for key, value := entries.First(); key != nil; key, value = entries.Next() {
		r, err := parseRecord(key, value)
		if err != nil {
			return err
		}
		if b.order.Get(placeOf(r.Position())) == nil {
			return damaged("entry %s has no place in the order", r.Key.Short())
		}
		sum.Entries++
		sum.Bytes += r.Disk
	}
	if sum != b.totals {
		return damaged("the totals are %+v, and the entries %+v", b.totals, sum)
	}
	places := int64(0)
	inOrder := b.order.Cursor()
	for key, _ := inOrder.First(); key != nil; key, _ = inOrder.Next() {
		if _, err := parseOrder(key); err != nil {
			return err
		}
		places++
	}
	if places != sum.Entries {
		return damaged("%d places in the order for %d entries", places, sum.Entries)
	}
	return nil
}
