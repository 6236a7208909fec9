// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tiercecache/tierce/encoding/frame"
)

const (
	// longest is the longest value in bytes that this package writes: a chunk
	// that does not compress, and its head.
	longest = largestChunk + frame.MaxHead + noteSize
	// mostItems is the most that a list of an answer may claim to have. A SCAN
	// has some thousand.
	mostItems = 1 << 16
	// deepest is how many lists may stand in each other.
	deepest = 32
	// longestLine is that of a status or an error in bytes.
	longestLine = 64 << 10
)

// errClaim is an answer that claims what cannot be.
var errClaim = errors.New("the server's answer cannot be Redis'")

// errTooLong is a value longer than this package writes any.
var errTooLong = fmt.Errorf("%w: a value is longer than any of this cache", errClaim)

// claims looks at what a server sends, as it comes, for lengths that cannot be.
// It knows of RESP where a length stands, and no more.
type claims struct {
	skip  int  // bytes of a value, and its line's end, that are still to come
	kind  byte // the first of the line that is being read; 0 before it
	line  int  // how long that line is so far
	n     int  // its number so far
	depth int  // lists that were begun and have had no item yet
}

// look looks at the next bytes. After an error nothing more may be read.
func (c *claims) look(b []byte) error {
	for len(b) > 0 {
		if c.skip > 0 {
			skipped := min(c.skip, len(b))
			c.skip -= skipped
			b = b[skipped:]
			continue
		}
		end := bytes.IndexByte(b, '\n')
		piece := b
		if end >= 0 {
			piece = b[:end+1]
		}
		if err := c.add(piece); err != nil {
			return err
		}
		if end >= 0 {
			if err := c.end(); err != nil {
				return err
			}
		}
		b = b[len(piece):]
	}
	return nil
}

// add reads a piece of a line.
func (c *claims) add(piece []byte) error {
	if c.line += len(piece); c.line > longestLine {
		return fmt.Errorf("%w: a line of more than %d bytes", errClaim, longestLine)
	}
	if c.kind == 0 {
		c.kind, c.n, piece = piece[0], 0, piece[1:]
	}
	if !sized(c.kind) {
		return nil
	}
	for _, digit := range piece {
		switch {
		case '0' <= digit && digit <= '9' && c.n <= longest: // what is more is refused anyway
			c.n = c.n*10 + int(digit-'0')
		case digit == '-': // nil is -1
			c.n = -longest
		}
	}
	return nil
}

// sized reports whether a line that begins with kind has a length.
func sized(kind byte) bool { return bytes.IndexByte([]byte("$=!*~>%|"), kind) >= 0 }

// end is the end of a line.
func (c *claims) end() error {
	kind := c.kind
	c.kind, c.line = 0, 0
	switch kind {
	case '$', '=', '!':
		c.depth = 0
		if c.n > longest {
			return errTooLong
		}
		if c.n >= 0 {
			c.skip = c.n + len("\r\n")
		}
	case '*', '~', '>', '%', '|':
		if c.depth++; c.n > mostItems || c.depth > deepest {
			return fmt.Errorf("%w: a list of %d items in %d others", errClaim, c.n, c.depth-1)
		}
	default:
		c.depth = 0
	}
	return nil
}
