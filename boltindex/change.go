// SPDX-License-Identifier: Apache-2.0

package boltindex

import (
	"encoding/binary"
	"iter"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
)

// Kind is what happened to an entry.
type Kind byte

const (
	// Stored is a new file: all of the record.
	Stored Kind = 's'
	// Used is a use: Key and Used.
	Used Kind = 'u'
	// Removed is a file that is gone: Key, and Stored, the time at which it went.
	Removed Kind = 'r'
)

// Change is something that happened to an entry.
type Change struct {
	Kind Kind
	Record
}

// ChangeSize is the length in bytes of an encoded change.
const ChangeSize = 1 + interfaces.KeySize + valueSize + 4

// AppendChange appends the encoding of a change: kind, key, record, and four
// bytes by which one that was torn is told.
func AppendChange(b []byte, change Change) []byte {
	start := len(b)
	b = append(b, byte(change.Kind))
	b = append(b, change.Key[:]...)
	b = appendValue(b, change.Record)
	return binary.BigEndian.AppendUint32(b, check(b[start:]))
}

func check(b []byte) uint32 {
	sum := encoding.Sum(interfaces.Key{}, b)
	return binary.BigEndian.Uint32(sum[:])
}

// ParseChanges returns the changes that are encoded in b, one after the other.
// What is torn or damaged is passed over.
func ParseChanges(b []byte) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		for len(b) >= ChangeSize {
			change, ok := parseChange(b[:ChangeSize])
			if !ok {
				b = b[1:]
				continue
			}
			b = b[ChangeSize:]
			if !yield(change) {
				return
			}
		}
	}
}

func parseChange(b []byte) (Change, bool) {
	kind, end := Kind(b[0]), ChangeSize-4
	if kind != Stored && kind != Used && kind != Removed || binary.BigEndian.Uint32(b[end:]) != check(b[:end]) {
		return Change{}, false
	}
	r, err := parseRecord(b[1:1+interfaces.KeySize], b[1+interfaces.KeySize:end])
	return Change{Kind: kind, Record: r}, err == nil
}
