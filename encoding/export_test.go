// SPDX-License-Identifier: Apache-2.0

package encoding

import (
	"encoding/binary"

	"github.com/tiercecache/tierce/interfaces"
)

// Frame returns the bytes whose digest is the key of parts.
func (k Keyspace) Frame(parts ...[]byte) []byte { return k.appendFrame(nil, parts) }

// SealHead gives the bytes of a head, at least HeadSize, the right check.
func SealHead(data []byte, key interfaces.Key, size int64) {
	check := headCheck(key, size, data[:checkAt], string(data[HeadSize:]))
	binary.LittleEndian.PutUint32(data[checkAt:], check)
}
