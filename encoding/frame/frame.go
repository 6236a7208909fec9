// SPDX-License-Identifier: Apache-2.0

// Package frame is how an entry is written where its bytes travel: one piece
// that has the head and the body, and says how the body is written.
//
// All numbers are little endian:
//
//	version byte | codec byte | length of the head uint16 | size uint64 | head | payload
//
// The version is 1. Size is that of the body as it was put. The head is
// [encoding.AppendHead]'s; its checksum is over key and body, so that a frame
// which ended up under another key is noticed. The payload goes to the end:
//
//	codec 0  the body
//	codec 1  the body as one zstd frame
//	codec 2  a note of the tier's own about where the body is
//
// What is read is not trusted: a length counts only after it was compared with
// what there is and with what the caller is ready to hold, and before memory is
// taken for it.
package frame

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

const version = 1

// Codec is how the body of a frame is written.
type Codec byte

const (
	// Raw is the body as it is.
	Raw Codec = iota
	// Zstd is the body compressed.
	Zstd
	// Apart is a note about where the body is, for the tier that wrote it.
	Apart
	codecs // how many there are
)

const (
	codecAt  = 1
	lengthAt = 2
	sizeAt   = 4
	headAt   = 12
	shortest = headAt + encoding.HeadSize
	maxSize  = 1 << 50 // longer claims are refused at sight, so that sums cannot overflow
)

// MaxHead is the longest beginning of a frame in bytes, up to its payload: so
// much of a frame is enough for [Parse] to tell the head.
const MaxHead = shortest + interfaces.MaxTag

// Frame is a frame whose head was read and is whole; of its body nothing is
// known before [Coder.Body].
type Frame struct {
	Head    interfaces.Head
	Codec   Codec
	payload string
}

// Parse reads the frame of the entry under key, or the first [MaxHead] bytes of
// it. It copies nothing but the tag. Anything that cannot be a frame's
// beginning is cacheerr.ErrDamaged, wrapped with what was wrong.
func Parse(data string, key interfaces.Key) (Frame, error) {
	if len(data) < shortest {
		return Frame{}, damaged("it is %d bytes long", len(data))
	}
	b := bytesOf(data)
	length := int(binary.LittleEndian.Uint16(b[lengthAt:]))
	size := binary.LittleEndian.Uint64(b[sizeAt:])
	switch {
	case b[0] != version:
		return Frame{}, damaged("its version is %d", b[0])
	case b[codecAt] >= byte(codecs):
		return Frame{}, damaged("its codec is %d", b[codecAt])
	case len(data)-headAt < length:
		return Frame{}, damaged("its head is cut off")
	case size > maxSize:
		return Frame{}, damaged("its body cannot be %d bytes long", size)
	}
	head, err := encoding.ParseHead(b[headAt:headAt+length], key, int64(size))
	if err != nil {
		return Frame{}, err
	}
	return Frame{Head: head, Codec: Codec(b[codecAt]), payload: data[headAt+length:]}, nil
}

// Note returns what stands in place of the body of a frame that is [Apart].
func (f Frame) Note() string { return f.payload }

// appendStart appends all of a frame but its payload.
func appendStart(dst []byte, key interfaces.Key, head interfaces.Head, codec Codec) ([]byte, error) {
	start := len(dst)
	dst = append(dst, version, byte(codec), 0, 0)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(head.Size))
	longer, err := encoding.AppendHead(dst, key, head)
	if err != nil {
		return dst[:start], err
	}
	binary.LittleEndian.PutUint16(longer[start+lengthAt:], uint16(len(longer)-start-headAt))
	return longer, nil
}

// AppendApart appends the frame of an entry whose body is elsewhere, as note
// says, and returns the longer slice. It fails as [encoding.AppendHead] does.
func AppendApart(dst []byte, key interfaces.Key, head interfaces.Head, note []byte) ([]byte, error) {
	dst, err := appendStart(dst, key, head, Apart)
	if err != nil {
		return dst, err
	}
	return append(dst, note...), nil
}

// bytesOf returns the bytes of a string without a copy; nobody writes to them.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: frame: %s", cacheerr.ErrDamaged, fmt.Sprintf(format, args...))
}
