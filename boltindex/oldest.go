// SPDX-License-Identifier: Apache-2.0

package boltindex

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"

	bolt "go.etcd.io/bbolt"

	"github.com/tiercecache/tierce/interfaces"
)

// Position is a place in the order of last use: by time, and by key within one
// time. The zero Position is before all entries.
type Position struct {
	Used int64
	Key  interfaces.Key
}

// Position returns the place of a record.
func (r Record) Position() Position { return Position{Used: r.Used, Key: r.Key} }

func (p Position) compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Used, q.Used), bytes.Compare(p.Key[:], q.Key[:]))
}

// Oldest returns up to n records that come after a position, least recently
// used first. It takes time in proportion to n, whatever the index holds. Errors are
// those of [Index.Status].
func (x *Index) Oldest(ctx context.Context, after Position, n int) ([]Record, error) {
	var records []Record
	err := x.view(ctx, func(tx *bolt.Tx) error {
		b, err := openBatch(tx)
		if err == nil {
			records, err = b.oldest(after, n)
		}
		return err
	})
	return records, err
}

func (b *batch) oldest(after Position, n int) ([]Record, error) {
	var queue merge
	for shard := range Shards {
		next := &front{cursor: b.order.Cursor(), shard: byte(shard)}
		more, err := next.seek(after)
		if err != nil {
			return nil, err
		}
		if more {
			queue = append(queue, next)
		}
	}
	heap.Init(&queue)
	var records []Record
	for len(records) < n && len(queue) > 0 {
		first := queue[0]
		r, known, err := b.get(first.at.Key)
		if err != nil {
			return nil, err
		}
		if !known || r.Position() != first.at {
			return nil, damaged("the order and the entries differ")
		}
		records = append(records, r)
		more, err := first.read(first.cursor.Next())
		switch {
		case err != nil:
			return nil, err
		case more:
			heap.Fix(&queue, 0)
		default:
			heap.Pop(&queue)
		}
	}
	return records, nil
}

// front is how far the order of one shard was read.
type front struct {
	cursor *bolt.Cursor
	shard  byte
	at     Position
}

// seek goes to the first place of the shard that is after a position.
func (f *front) seek(after Position) (bool, error) {
	from := after
	if f.shard != after.Key[0] {
		from.Key = interfaces.Key{f.shard}
	}
	more, err := f.read(f.cursor.Seek(placeOf(from)))
	for more && err == nil && f.at.compare(after) <= 0 {
		more, err = f.read(f.cursor.Next())
	}
	return more, err
}

// read takes what the cursor returned and reports whether it is of this shard.
func (f *front) read(key, _ []byte) (bool, error) {
	if len(key) == 0 || key[0] != f.shard {
		return false, nil
	}
	at, err := parseOrder(key)
	f.at = at
	return err == nil, err
}

// merge is a heap of fronts, the least first.
type merge []*front

func (m merge) Len() int           { return len(m) }
func (m merge) Less(i, j int) bool { return m[i].at.compare(m[j].at) < 0 }
func (m merge) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(f any)        { *m = append(*m, f.(*front)) }

// Pop implements [heap.Interface].
func (m *merge) Pop() any {
	last := len(*m) - 1
	f := (*m)[last]
	*m = (*m)[:last]
	return f
}
