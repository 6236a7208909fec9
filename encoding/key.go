// SPDX-License-Identifier: Apache-2.0

// Package encoding turns things into bytes and back: keys, checksums, heads,
// parameters and results.
//
// What it writes is a format: on disk, on the wire, or inside a key. Each is
// described where its code is and held by a golden test; equal values give
// equal bytes in every process and on every machine. The standard library's package of this name is not meant
// to be used beside it.
package encoding

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// RawKey returns the SHA-256 digest of b as it is. Other tools that name their
// entries in the same way share them.
func RawKey(b []byte) interfaces.Key { return sha256.Sum256(b) }

// Keyspace makes keys that no other keyspace makes: two keyspaces that differ
// in schema or namespace never see each other's entries.
//
// A key is the SHA-256 digest of a frame, in which every number is 8 bytes,
// little endian:
//
//	"tierce key 1\n" | schema | number of parts | namespace | part ...
//
// Namespace and parts each stand behind their length in bytes. Different
// schemas, namespaces or parts therefore give different frames.
type Keyspace struct {
	// Schema is the version of what is stored. Whoever changes the meaning or
	// the encoding of the bodies raises it; the entries of the old schema are
	// not seen any more and leave by eviction.
	Schema uint32
	// Namespace names the owner of the entries, such as "go" or a package
	// path. It is not empty.
	Namespace string
}

const (
	keyMagic = "tierce key 1\n"
	// stackFrame is the longest frame in bytes that is built without an
	// allocation: it holds some short names and digests.
	stackFrame = 512
)

var errNoNamespace = errors.New("the key namespace is empty; name the owner of the entries")

// Key returns the key of parts in this keyspace. Parts may be empty and of any
// content; their number and order count. It allocates nothing while the frame
// is at most 512 bytes, and once above.
//
// An empty namespace is a cacheerr.KeyEncodingError.
func (k Keyspace) Key(parts ...[]byte) (interfaces.Key, error) {
	if k.Namespace == "" {
		return interfaces.Key{}, &cacheerr.KeyPicklingError{Type: "encoding.Keyspace", Err: errNoNamespace}
	}
	size := len(keyMagic) + 3*8 + len(k.Namespace)
	for _, part := range parts {
		size += 8 + len(part)
	}
	var buf [stackFrame]byte
	frame := buf[:0]
	if size > len(buf) {
		frame = make([]byte, 0, size)
	}
	return sha256.Sum256(k.appendFrame(frame, parts)), nil
}

func (k Keyspace) appendFrame(dst []byte, parts [][]byte) []byte {
	dst = append(dst, keyMagic...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(k.Schema))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(parts)))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(k.Namespace)))
	dst = append(dst, k.Namespace...)
	for _, part := range parts {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(len(part)))
		dst = append(dst, part...)
	}
	return dst
}
