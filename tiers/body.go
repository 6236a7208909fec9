// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"bytes"
	"errors"
	"io"

	"github.com/tiercecache/tierce/interfaces"
)

// inMemory is the largest stream in bytes that is read into memory when several
// layers are to have it: none of them needs to be asked for it again, and
// callers that wait for it share it. Nearly all that compilers make is smaller.
const inMemory = 256 << 10

var errTooLong = errors.New("the body is longer than its head says")

// load returns entry with its body in memory if that is small, and else as it
// is. An error is the body's: it failed or is not as long as its head says.
func load(entry interfaces.Entry) (interfaces.Entry, error) {
	limit := entry.Size
	if limit < 0 {
		limit = inMemory
	}
	if _, ok := entry.Text(); ok || limit > inMemory {
		return entry, nil
	}
	text := make([]byte, limit+1)
	n, err := io.ReadFull(entry.Reader(), text)
	switch {
	case err == nil && entry.Size >= 0:
		return entry, errTooLong
	case err == nil: // there is more than fits
		whole := pushedBack{io.MultiReader(bytes.NewReader(text), entry.Reader()), entry}
		return interfaces.Stream(whole, entry.Size).WithHead(entry.Head), nil
	case err != io.EOF && err != io.ErrUnexpectedEOF:
		return entry, err
	case int64(n) < entry.Size:
		return entry, io.ErrUnexpectedEOF
	}
	return interfaces.Bytes(text[:n]).WithHead(entry.Head), nil
}

// pushedBack is a stream of which a part was read and is read again.
type pushedBack struct {
	io.Reader
	entry interfaces.Entry // of the stream
}

// Close implements [io.Closer].
func (p pushedBack) Close() error { return p.entry.Close() }

var errConsumed = errors.New("an earlier layer failed after it had begun to read the body, which cannot be read twice; put text or an io.Seeker")

// body is an entry that is offered to one layer after the other until one
// takes it, though its body may be readable only once.
type body struct {
	entry  interfaces.Entry // what a layer is given
	seeker io.Seeker        // of a stream that can go back to start
	start  int64
	once   *once // of a stream that cannot
	out    bool  // its path is wanted, in a layer that has paths
}

// offer returns entry as a body. An [io.Seeker] that cannot seek, as a pipe
// that is an os.File, is a stream like any other.
func offer(entry interfaces.Entry) body {
	if _, ok := entry.Text(); ok {
		return body{entry: entry}
	}
	if seeker, ok := entry.Reader().(io.Seeker); ok {
		if start, err := seeker.Seek(0, io.SeekCurrent); err == nil {
			return body{entry: entry, seeker: seeker, start: start}
		}
	}
	stream := &once{Reader: entry.Reader(), size: entry.Size}
	return body{entry: interfaces.Stream(stream, entry.Size).WithHead(entry.Head), once: stream}
}

// again reports whether the body is whole, so that another layer may be given
// it; it rewinds it where that is possible.
func (b *body) again() bool {
	switch {
	case b.once != nil:
		return !b.once.touched
	case b.seeker != nil:
		_, err := b.seeker.Seek(b.start, io.SeekStart)
		return err == nil
	default:
		return true
	}
}

// faulty reports whether the body itself failed or is not as long as its head
// says, which is no layer's failure. Of a body that can be rewound nothing is
// known.
func (b *body) faulty() bool { return b.once != nil && b.once.faulty }

// once is a stream that can be read only once, and what became of it.
type once struct {
	io.Reader
	size    int64 // what the head says, below 0 if unknown
	read    int64
	touched bool
	faulty  bool
}

// Read implements [io.Reader].
func (o *once) Read(p []byte) (int, error) {
	o.touched = true
	n, err := o.Reader.Read(p)
	o.read += int64(n)
	switch {
	case err == io.EOF:
		o.faulty = o.size >= 0 && o.read != o.size
	case err != nil:
		o.faulty = true
	}
	if o.size >= 0 && o.read > o.size {
		o.faulty = true
	}
	return n, err
}
