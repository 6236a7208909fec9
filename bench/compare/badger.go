// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
)

func scaleKey(i int) interfaces.Key { return encoding.RawKey(fmt.Append(nil, i)) }

// badgerAt is a badger database of as many entries.
type badgerAt struct {
	dir string
	db  *badger.DB
}

func (b *badgerAt) open() (err error) {
	b.db, err = badger.Open(badger.DefaultOptions(b.dir).WithLoggingLevel(badger.ERROR))
	return err
}

// fill makes the database and closes it.
func (b *badgerAt) fill(dir string, n int) error {
	b.dir = dir
	if err := b.open(); err != nil {
		return err
	}
	body, _ := scaleBody.Text()
	batch := b.db.NewWriteBatch()
	defer batch.Cancel()
	for i := range n {
		key := scaleKey(i)
		if err := batch.Set(key[:], []byte(body)); err != nil {
			return err
		}
	}
	return errors.Join(batch.Flush(), b.close())
}

func (b *badgerAt) close() error {
	if b.db == nil {
		return nil
	}
	db := b.db
	b.db = nil
	return db.Close()
}

func (s *scaled) badgerClose() error { return s.badger.close() }

func (s *scaled) badgerOpen() (float64, error) {
	if err := s.badger.close(); err != nil {
		return 0, err
	}
	start := time.Now()
	err := s.badger.open()
	return milliseconds(time.Since(start)), err
}

func (s *scaled) badgerGet() (float64, error) {
	one := func() error {
		key := scaleKey(rand.IntN(s.n))
		return s.badger.db.View(func(tx *badger.Txn) error {
			item, err := tx.Get(key[:])
			if err != nil {
				return err
			}
			_, err = item.ValueCopy(nil)
			return err
		})
	}
	if _, err := average(scaleGets, one); err != nil {
		return 0, err
	}
	return average(scaleGets, one)
}

func (s *scaled) badgerPut() (float64, error) {
	body, _ := scaleBody.Text()
	return average(scalePuts, func() error {
		key := s.next()
		return s.badger.db.Update(func(tx *badger.Txn) error { return tx.Set(key[:], []byte(body)) })
	})
}
