// SPDX-License-Identifier: Apache-2.0

package encoding

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/zeebo/xxh3"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// HeadSize is the length of an encoded head in bytes, without its tag.
//
// With a tag of 32 bytes a head is 64 bytes: the most that an ext4 inode of
// 256 bytes has room for as the value of the attribute "user.tierce1"
// (measured: one byte more takes a block of its own). It must not grow.
const HeadSize = 32

// Where the fields of an encoded head begin, little endian:
//
//	checksum [16] | time int64 | cost float32 | check uint32 | tag ...
//
// Time is Unix nanoseconds, 0 for the zero time. Cost is seconds. The tag is
// the rest. Check is the low half of
//
//	XXH3-64(tag, seed XXH3-64(key ‖ size int64 ‖ checksum ‖ time ‖ cost))
//
// and the size, which the file itself has, is in it: who knows how long the
// file is notices one that was truncated without reading it.
const (
	timeAt  = 16
	costAt  = 24
	checkAt = 28
)

// AppendHead appends the head of the entry under key to dst, [HeadSize] bytes
// and the tag, and returns the longer slice. It allocates only to make dst
// longer. The size is not among the bytes but is needed: [ParseHead] asks for
// it. A negative cost counts as unknown; so does the time that is 0 in Unix
// nanoseconds.
//
// A tag longer than [interfaces.MaxTag], an unknown size, and a time outside
// of the years 1678 to 2262 are errors, and dst comes back as it was.
func AppendHead(dst []byte, key interfaces.Key, head interfaces.Head) ([]byte, error) {
	if len(head.Tag) > interfaces.MaxTag {
		return dst, fmt.Errorf("a tag is at most %d bytes, not %d", interfaces.MaxTag, len(head.Tag))
	}
	if head.Size < 0 {
		return dst, fmt.Errorf("a head is encoded when the size is known, and it is %d", head.Size)
	}
	var nanos int64
	if !head.Time.IsZero() {
		nanos = head.Time.UnixNano()
		if !time.Unix(0, nanos).Equal(head.Time) {
			return dst, fmt.Errorf("the time %v does not fit into 64 bits of nanoseconds", head.Time)
		}
	}
	start := len(dst)
	dst = append(dst, head.Checksum[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(nanos))
	cost := float32(max(0, head.Cost).Seconds())
	dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(cost))
	check := headCheck(key, head.Size, dst[start:], head.Tag)
	dst = binary.LittleEndian.AppendUint32(dst, check)
	return append(dst, head.Tag...), nil
}

// ParseHead returns the head that [AppendHead] made data from, for the entry
// under key whose body is size bytes long. The time is in UTC; the cost is
// exact to six digits. It allocates nothing but the tag.
//
// Anything else is cacheerr.ErrDamaged, wrapped with what was wrong: other
// data, another key or another size.
func ParseHead(data []byte, key interfaces.Key, size int64) (interfaces.Head, error) {
	if len(data) < HeadSize || len(data) > HeadSize+interfaces.MaxTag {
		return interfaces.Head{}, damagedHead("it is %d bytes long", len(data))
	}
	tag := string(data[HeadSize:])
	stored := binary.LittleEndian.Uint32(data[checkAt:])
	if got := headCheck(key, size, data[:checkAt], tag); got != stored {
		return interfaces.Head{}, damagedHead("its check is %08x and should be %08x", stored, got)
	}
	cost, ok := parseCost(binary.LittleEndian.Uint32(data[costAt:]))
	if !ok || size < 0 {
		return interfaces.Head{}, damagedHead("its cost or size makes no sense")
	}
	head := interfaces.Head{Size: size, Checksum: interfaces.Checksum(data[:timeAt]), Cost: cost, Tag: tag}
	if nanos := int64(binary.LittleEndian.Uint64(data[timeAt:])); nanos != 0 {
		head.Time = time.Unix(0, nanos).UTC()
	}
	return head, nil
}

func damagedHead(format string, args ...any) error {
	return fmt.Errorf("%w: head: %s", cacheerr.ErrDamaged, fmt.Sprintf(format, args...))
}

// parseCost returns the duration of float32 seconds, if it is one.
func parseCost(bits uint32) (time.Duration, bool) {
	seconds := float64(math.Float32frombits(bits))
	nanos := math.Round(seconds * float64(time.Second))
	if !(seconds >= 0 && nanos < 1<<63) { // NaN is neither
		return 0, false
	}
	return time.Duration(nanos), true
}

// headCheck returns the check of a head; fields are its bytes before the check.
func headCheck(key interfaces.Key, size int64, fields []byte, tag string) uint32 {
	var buf [interfaces.KeySize + 8 + checkAt]byte
	copy(buf[:], key[:])
	binary.LittleEndian.PutUint64(buf[interfaces.KeySize:], uint64(size))
	copy(buf[interfaces.KeySize+8:], fields)
	return uint32(xxh3.HashStringSeed(tag, xxh3.Hash(buf[:])))
}
