// SPDX-License-Identifier: Apache-2.0

package gocacheprog

import (
	"bufio"
	"bytes"
	"io"
)

// body is the body of a put as it comes in: a JSON string of base64. It is read
// to its end, or drained, before the next request is read.
type body struct {
	in     *bufio.Reader
	left   int64 // bytes that the request promised and that were not read yet
	begun  bool
	padded bool  // nothing but the closing quote may follow
	ended  bool  // the closing quote was read
	err    error // the stream can be read no further
	spare  [3]byte
	rest   []byte // decoded, but not read yet
}

func (r *reader) body(size int64) *body { return &body{in: r.in, left: size} }

// bytes reads a whole body of size bytes, which is none in the stream if size
// is 0.
func (r *reader) bytes(size int64) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	b := r.body(size)
	buf := make([]byte, size)
	if _, err := io.ReadFull(b, buf); err != nil {
		return nil, b.broken(err)
	}
	return buf, b.drain()
}

// broken is why a body could not be read: what was wrong with the stream.
func (b *body) broken(err error) error {
	if b.err != nil {
		return b.err
	}
	return err
}

// drain reads to the end of the body. A body of another length than promised is
// an error: where the next request begins would be a guess.
func (b *body) drain() error {
	_, err := io.Copy(io.Discard, struct{ io.Reader }{b})
	return err
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	if !b.begun {
		b.begin()
	}
	n := 0
	for n == 0 && len(p) > 0 && b.err == nil && (len(b.rest) > 0 || !b.ended) {
		n = b.decode(p)
	}
	b.left -= int64(n)
	if b.err == nil && b.left < 0 {
		b.err = protocolError("a body is longer than its BodySize")
	}
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, b.end()
}

// end is what Read returns at the end of the body.
func (b *body) end() error {
	switch {
	case b.err != nil:
		return b.err
	case b.left != 0:
		b.err = protocolError("a body is %d bytes shorter than its BodySize", b.left)
		return b.err
	}
	return io.EOF
}

func (b *body) begin() {
	b.begun = true
	b.err = (&reader{b.in}).skipSpace()
	if b.err == nil {
		first, err := b.in.ReadByte()
		b.err = err
		if err == nil && first != '"' {
			b.err = protocolError("a body begins with %q", first)
		}
	}
	if b.err == io.EOF { //nolint:errorlint // bufio's own rule
		b.err = protocolError("it ends before a body")
	}
}

// decode decodes as much as is buffered and fits into p, or sees the closing
// quote.
func (b *body) decode(p []byte) int {
	if len(b.rest) > 0 {
		n := copy(p, b.rest)
		b.rest = b.rest[n:]
		return n
	}
	digits := b.digits()
	if len(digits) == 0 {
		return 0
	}
	if room := len(p) / 3 * 4; room == 0 { // p is shorter than a group
		b.rest = b.spare[:b.decodeInto(b.spare[:], digits[:4])]
		return 0
	} else if len(digits) > room {
		digits = digits[:room]
	}
	return b.decodeInto(p, digits)
}

func (b *body) decodeInto(p, digits []byte) int {
	n, err := decodeBase64(p, digits)
	switch {
	case b.padded:
		b.err = protocolError("a body is not base64: it goes on after its padding")
	case err != nil:
		b.err = protocolError("a body is not base64: %v", err)
	}
	b.padded = padding(digits) > 0
	_, _ = b.in.Discard(len(digits)) // it is buffered
	return n
}

// digits returns what is buffered of the body, in whole groups of four; none at
// its end, which it reads, and when the stream is at fault.
func (b *body) digits() []byte {
	// The quote may be the last byte for a long time: never ask for more then.
	first, err := b.in.Peek(1)
	if err == nil && first[0] != '"' && b.in.Buffered() < 4 {
		_, err = b.in.Peek(4)
	}
	if err != nil {
		b.err = protocolError("it ends within a body")
		return nil
	}
	digits, _ := b.in.Peek(b.in.Buffered()) // it is buffered
	end := bytes.IndexByte(digits, '"')
	switch {
	case end == 0:
		b.ended = true
		_, _ = b.in.Discard(1) // it is buffered
		return nil
	case end > 0 && end%4 != 0:
		b.err = protocolError("a body is not base64: %d digits are left over", end%4)
		return nil
	case end > 0:
		return digits[:end]
	}
	return digits[:len(digits)/4*4]
}
