// SPDX-License-Identifier: Apache-2.0

package encoding

import (
	"github.com/zeebo/xxh3"

	"github.com/tiercecache/tierce/interfaces"
)

// The checksum of an entry is
//
//	XXH3-128(key ‖ XXH3-128(body))
//
// without seed, each digest as 16 bytes in canonical order (big endian). The
// body goes through in one pass, one-shot or as a stream, and needs neither a
// copy nor the key's company; the key, all of it, is covered by the outer
// digest. Against seeding the body's digest with one of the key: that covers
// 64 bits of the key, and at 4 KiB it is no faster (91 ns against 95 ns).

// Sum returns the checksum of an entry: of key and body. It copies and
// allocates nothing.
func Sum(key interfaces.Key, body []byte) interfaces.Checksum {
	return bind(key, xxh3.Hash128(body))
}

// SumString is [Sum] of a body that is a string.
func SumString(key interfaces.Key, body string) interfaces.Checksum {
	return bind(key, xxh3.HashString128(body))
}

func bind(key interfaces.Key, body xxh3.Uint128) interfaces.Checksum {
	var both [interfaces.KeySize + 16]byte
	digest := body.Bytes()
	copy(both[:], key[:])
	copy(both[interfaces.KeySize:], digest[:])
	return xxh3.Hash128(both[:]).Bytes()
}

// Hasher computes the checksum of an entry whose body comes in pieces. It is
// an io.Writer and an io.StringWriter that never fail. One goroutine uses it
// at a time. It holds about 1.3 KiB: who needs many keeps them in a pool and
// calls [Hasher.Reset].
type Hasher struct {
	key  interfaces.Key
	body xxh3.Hasher128
}

// NewHasher returns a hasher for the entry under key.
func NewHasher(key interfaces.Key) *Hasher { return &Hasher{key: key} }

// Reset makes h as [NewHasher] returns it.
func (h *Hasher) Reset(key interfaces.Key) {
	h.key = key
	h.body.Reset()
}

// Write adds a piece of the body.
func (h *Hasher) Write(piece []byte) (int, error) { return h.body.Write(piece) }

// WriteString adds a piece of the body.
func (h *Hasher) WriteString(piece string) (int, error) { return h.body.WriteString(piece) }

// Sum returns what [Sum] returns for all that was written so far.
func (h *Hasher) Sum() interfaces.Checksum { return bind(h.key, h.body.Sum128()) }
