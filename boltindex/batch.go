// SPDX-License-Identifier: Apache-2.0

package boltindex

import (
	"bytes"
	"encoding/binary"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/tiercecache/tierce/interfaces"
)

// The file has three buckets; the digit is the version of the format.
//
//	entries1  key -> Used, Stored [8 each], Disk in blocks of 512, Boot [4 each], Checksum [16]
//	order1    first byte of the key, Used [8], rest of the key -> nothing
//	meta1     totals -> Entries, Bytes [8 each]; shards -> [8] for each; made [8]; why
//
// Numbers are big endian. The order is kept for each shard, so that what is
// near in one bucket is near in the other, and comparing a shard with its files
// touches few pages; the oldest of all are the least of 256.
var (
	bucketEntries = []byte("entries1")
	bucketOrder   = []byte("order1")
	bucketMeta    = []byte("meta1")

	keyTotals = []byte("totals")
	keyShards = []byte("shards")
	keyMade   = []byte("made")
	keyWhy    = []byte("why")
)

const (
	valueSize = 8 + 8 + 4 + 4 + 16
	orderSize = interfaces.KeySize + 8
	block     = 512
)

// appendValue appends a record as the bucket of entries has it.
func appendValue(b []byte, r Record) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(r.Used))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Stored))
	b = binary.BigEndian.AppendUint32(b, uint32(min(max(r.Disk, 0)/block, 1<<32-1)))
	b = binary.BigEndian.AppendUint32(b, r.Boot)
	return append(b, r.Checksum[:]...)
}

// parseRecord is the inverse of appendValue, with the key.
func parseRecord(key, value []byte) (Record, error) {
	if len(key) != interfaces.KeySize || len(value) != valueSize {
		return Record{}, damaged("a record of %d and %d bytes", len(key), len(value))
	}
	r := Record{
		Key:    interfaces.Key(key),
		Used:   int64(binary.BigEndian.Uint64(value)),
		Stored: int64(binary.BigEndian.Uint64(value[8:])),
		Disk:   int64(binary.BigEndian.Uint32(value[16:])) * block,
		Boot:   binary.BigEndian.Uint32(value[20:]),
	}
	copy(r.Checksum[:], value[24:])
	return r, nil
}

// placeOf returns the key of a position in the bucket of the order.
func placeOf(p Position) []byte {
	b := append(make([]byte, 0, orderSize), p.Key[0])
	b = binary.BigEndian.AppendUint64(b, uint64(max(0, p.Used)))
	return append(b, p.Key[1:]...)
}

func parseOrder(key []byte) (Position, error) {
	if len(key) != orderSize {
		return Position{}, damaged("a place of %d bytes in the order", len(key))
	}
	p := Position{Used: int64(binary.BigEndian.Uint64(key[1:]))}
	p.Key[0] = key[0]
	copy(p.Key[1:], key[9:])
	return p, nil
}

// batch is a transaction on the buckets.
type batch struct {
	entries, order, meta *bolt.Bucket
	totals               Totals
	shards               [Shards]int64
}

func openBatch(tx *bolt.Tx) (*batch, error) {
	b := &batch{entries: tx.Bucket(bucketEntries), order: tx.Bucket(bucketOrder), meta: tx.Bucket(bucketMeta)}
	if b.entries == nil || b.order == nil || b.meta == nil {
		return nil, damaged("a bucket is missing")
	}
	totals, shards := b.meta.Get(keyTotals), b.meta.Get(keyShards)
	if len(totals) != 16 || len(shards) != 8*Shards {
		return nil, damaged("no totals")
	}
	b.totals.Entries = int64(binary.BigEndian.Uint64(totals))
	b.totals.Bytes = int64(binary.BigEndian.Uint64(totals[8:]))
	for i := range b.shards {
		b.shards[i] = int64(binary.BigEndian.Uint64(shards[8*i:]))
	}
	return b, nil
}

// create makes the buckets of an empty index.
func create(tx *bolt.Tx, now time.Time, why string) error {
	for _, name := range [][]byte{bucketEntries, bucketOrder, bucketMeta} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(bucketMeta)
	if err := meta.Put(keyMade, binary.BigEndian.AppendUint64(nil, uint64(now.UnixNano()))); err != nil {
		return err
	}
	if err := meta.Put(keyWhy, []byte(why)); err != nil {
		return err
	}
	return (&batch{meta: meta}).finish()
}

// dense packs pages for what comes in the order of keys.
func (b *batch) dense() {
	b.entries.FillPercent, b.order.FillPercent = 0.9, 0.9
}

// finish writes down the totals.
func (b *batch) finish() error {
	totals := binary.BigEndian.AppendUint64(nil, uint64(b.totals.Entries))
	totals = binary.BigEndian.AppendUint64(totals, uint64(b.totals.Bytes))
	if err := b.meta.Put(keyTotals, totals); err != nil {
		return err
	}
	shards := make([]byte, 0, 8*Shards)
	for _, at := range b.shards {
		shards = binary.BigEndian.AppendUint64(shards, uint64(at))
	}
	return b.meta.Put(keyShards, shards)
}

// get returns the record of a key, if there is one.
func (b *batch) get(key interfaces.Key) (r Record, known bool, err error) {
	value := b.entries.Get(key[:])
	if value == nil {
		return r, false, nil
	}
	r, err = parseRecord(key[:], value)
	return r, err == nil, err
}

// apply writes down one change.
func (b *batch) apply(change Change, exact time.Duration) error {
	old, known, err := b.get(change.Key)
	if err != nil {
		return err
	}
	switch change.Kind {
	case Stored:
		if known && old.Stored > change.Stored {
			return nil
		}
		if known {
			change.Used = max(change.Used, old.Used)
		}
		return b.put(change.Record, old, known)
	case Used:
		if !known || change.Used <= old.Used || change.Used-old.Used < int64(exact) {
			return nil
		}
		next := old
		next.Used = change.Used
		return b.put(next, old, true)
	case Removed:
		if known && old.Stored <= change.Stored {
			return b.drop(old)
		}
	}
	return nil
}

// put writes down a record in place of the old one, if there was one.
func (b *batch) put(r, old Record, known bool) error {
	r.Used, r.Disk = max(r.Used, 0), max(r.Disk, 0)/block*block
	if known {
		if r == old {
			return nil
		}
		if err := b.count(old, -1); err != nil {
			return err
		}
	}
	if !known || old.Used != r.Used {
		if known {
			if err := b.order.Delete(placeOf(old.Position())); err != nil {
				return err
			}
		}
		if err := b.order.Put(placeOf(r.Position()), nil); err != nil {
			return err
		}
	}
	if err := b.entries.Put(r.Key[:], appendValue(nil, r)); err != nil {
		return err
	}
	return b.count(r, 1)
}

// drop removes a record that is there.
func (b *batch) drop(r Record) error {
	if err := b.order.Delete(placeOf(r.Position())); err != nil {
		return err
	}
	if err := b.entries.Delete(r.Key[:]); err != nil {
		return err
	}
	return b.count(r, -1)
}

// count adds a record to the totals, or takes it off.
func (b *batch) count(r Record, times int64) error {
	b.totals.Entries += times
	b.totals.Bytes += times * r.Disk
	if b.totals.Entries < 0 || b.totals.Bytes < 0 {
		return damaged("totals below zero")
	}
	return nil
}

// shard returns the records of one shard, by key.
func (b *batch) shard(shard byte) ([]Record, error) {
	var records []Record
	cursor := b.entries.Cursor()
	for key, value := cursor.Seek([]byte{shard}); len(key) > 0 && key[0] == shard; key, value = cursor.Next() {
		r, err := parseRecord(key, value)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// reconcile makes a shard hold what files, sorted, says.
func (b *batch) reconcile(shard byte, files []Record) error {
	known, err := b.shard(shard)
	if err != nil {
		return err
	}
	for len(known)+len(files) > 0 {
		switch order := compareFirst(known, files); {
		case order < 0:
			if err := b.drop(known[0]); err != nil {
				return err
			}
			known = known[1:]
		case order > 0:
			if err := b.put(files[0], Record{}, false); err != nil {
				return err
			}
			files = files[1:]
		default:
			if err := b.put(merged(known[0], files[0]), known[0], true); err != nil {
				return err
			}
			known, files = known[1:], files[1:]
		}
	}
	return nil
}

// merged is what is known of a file after a look at it.
func merged(known, file Record) Record {
	if !known.same(file) {
		return file
	}
	known.Used = max(known.Used, file.Used)
	return known
}

// compareFirst compares the keys of the first of each; none is after all.
func compareFirst(a, b []Record) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return bytes.Compare(a[0].Key[:], b[0].Key[:])
}
