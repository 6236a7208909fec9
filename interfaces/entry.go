// SPDX-License-Identifier: Apache-2.0

package interfaces

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// MaxTag is the longest tag in bytes that every cache takes. It is what fits,
// with the rest of a head, in one extended attribute of every file system that
// has them.
const MaxTag = 1024

// SizeUnknown is the Size of an entry whose body ends where its reader ends.
// Only entries on their way into a cache have it.
const SizeUnknown = -1

// Checksum is XXH3-128 over an entry's key and body, made by package encoding.
// It guards against damage, not against strangers. Zero means "not known".
type Checksum [16]byte

// Head is what is known of an entry without its body. It travels with the
// entry through every tier.
type Head struct {
	// Size is the body's length in bytes.
	Size int64
	// Checksum is over key and body; zero where it is not known: on the way
	// into the first tier, or in a file that another tool left.
	Checksum Checksum
	// Time is when the entry was first stored, in whole nanoseconds of UTC.
	Time time.Time
	// Cost is what it took to make the body, 0 if unknown; a hit saves it.
	// Tiers keep it to at least six decimal digits.
	Cost time.Duration
	// Tag is a few bytes of the front end's own, at most [MaxTag]: what its
	// protocol needs for an answer and is not in the body.
	Tag string
}

// Entry is what a cache keeps under a key: a head and a body. The body is
// bytes in memory or something open to be read once; both go through
// [Entry.Reader] and [Entry.AppendTo].
//
// An entry is a value: a hit in memory allocates nothing, and its bytes are a
// string, so nobody can change them. The zero Entry is an empty body in memory.
type Entry struct {
	Head
	text string
	body io.Reader // nil when the body is text

	_ uint64 // makes it 112 bytes: of 104 the tail is copied by two stores that overlap, and a hit of a stack took 55 ns in place of 43
}

// Text returns an entry whose body is text, without copying it.
func Text(text string) Entry {
	return Entry{Head: Head{Size: int64(len(text))}, text: text}
}

// Bytes returns an entry whose body is a copy of b.
func Bytes(b []byte) Entry { return Text(string(b)) }

// Stream returns an entry whose body is read once from r. Size is its length
// in bytes, or [SizeUnknown]. If r is an [io.Closer], [Entry.Close] closes it.
//
// A [bytes.Reader] over a buffer of the caller's is a body without a copy: a
// tier that keeps bytes in memory copies them.
func Stream(r io.Reader, size int64) Entry {
	return Entry{Head: Head{Size: size}, body: r}
}

// OpenFile returns an entry whose body is the content of the file at path, as
// it is now (not the path). The caller closes it. Something that is not a
// regular file is an error, as is a file that cannot be opened: an
// [fs.PathError].
func OpenFile(path string) (Entry, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // who opens a named pipe waits for its writer
	if err != nil {
		return Entry{}, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		return Entry{}, closeAfter(file, err)
	}
	return Stream(file, info.Size()), nil
}

func closeAfter(c io.Closer, err error) error {
	_ = c.Close() // the error at hand says more
	return err
}

// WithHead returns the entry with head in place of its own, but for the size
// of a body in memory, which is what it is.
func (e Entry) WithHead(head Head) Entry {
	if e.body == nil {
		head.Size = int64(len(e.text))
	}
	e.Head = head
	return e
}

// Text returns the body and true when it is in memory. It allocates nothing.
func (e *Entry) Text() (string, bool) { return e.text, e.body == nil }

// Reader returns a reader over the body. A body in memory may be read any
// number of times, by many readers at the same time; another once, by one.
func (e *Entry) Reader() io.Reader {
	if e.body == nil {
		return strings.NewReader(e.text)
	}
	return e.body
}

// AppendTo appends the body to dst and returns the longer slice, of as much of
// the body as there was if it fails: no allocation when the body is in memory
// and fits. A body that is shorter than the head says is [io.ErrUnexpectedEOF],
// a longer one an error that says so.
func (e *Entry) AppendTo(dst []byte) ([]byte, error) {
	if e.body == nil {
		return append(dst, e.text...), nil
	}
	if e.Size < 0 {
		rest, err := io.ReadAll(e.body)
		return append(dst, rest...), err
	}
	start := len(dst)
	for left := e.Size; left > 0; {
		room := int64(cap(dst) - len(dst))
		piece := min(left, max(maxClaim, room, int64(len(dst))))
		if room < piece {
			dst = append(make([]byte, 0, int64(len(dst))+piece), dst...)
		}
		n, err := io.ReadFull(e.body, dst[len(dst):int64(len(dst))+piece])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return dst, err
		}
		left -= piece
	}
	return dst, e.ended(dst[start:])
}

// maxClaim is how much memory in bytes a head's Size is given before as much of
// the body was read.
const maxClaim = 64 << 20

// ended returns an error if the body goes on behind what was read. That is where
// it looks for the next byte, and leaves everything as it was: a byte of its own
// would be an allocation.
func (e *Entry) ended(read []byte) error {
	if len(read) == 0 {
		read = make([]byte, 1)
	}
	place, last := read[len(read)-1:], read[len(read)-1]
	_, err := io.ReadFull(e.body, place)
	place[0] = last
	switch err {
	case io.EOF:
		return nil
	case nil:
		return fmt.Errorf("the body is longer than the %d bytes that its head says", e.Size)
	}
	return err
}

// Bytes returns a copy of the body. It fails as [Entry.AppendTo] does.
func (e *Entry) Bytes() ([]byte, error) { return e.AppendTo(nil) }

// Close lets go of what the body holds open. A body in memory holds nothing.
// Closing twice is harmless for the bodies of this module's tiers.
func (e *Entry) Close() error {
	if closer, ok := e.body.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}
