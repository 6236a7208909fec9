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
	// deepest is how many lists may stand in each other: go-redis calls itself
	// for each, and no recover helps when a stack is full.
	deepest = 32
	// longestLine is that of a status or an error in bytes.
	longestLine = 64 << 10
)

// errClaim is an answer that claims what cannot be.
var errClaim = errors.New("the server's answer cannot be Redis'")

// errTooLong is a value longer than this package writes any.
var errTooLong = fmt.Errorf("%w: a value is longer than any of this cache", errClaim)

// claims looks at what a server sends, as it comes, for lengths that cannot be.
// It knows of RESP where a length stands, and no more. Of RESP3, which go-redis
// speaks with Sentinels, it refuses attributes: nobody sends them, and go-redis
// calls itself for each.
type claims struct {
	skip  int   // bytes of a value, and its line's end, that are still to come
	first byte  // the first of the line that is being read
	line  int   // how long that line is so far; 0 before it
	n     int   // its number so far
	open  []int // items still to come of the lists that were begun, each in the one before it
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
	begins := c.line == 0
	if c.line += len(piece); c.line > longestLine {
		return fmt.Errorf("%w: a line of more than %d bytes", errClaim, longestLine)
	}
	if begins {
		c.first, c.n, piece = piece[0], 0, piece[1:]
	}
	switch kindOf(c.first) {
	case line:
		return nil
	case unknown:
		return fmt.Errorf("%w: a line that begins with %q", errClaim, c.first)
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

// kind is what a line is the beginning of.
type kind int

const (
	unknown kind = iota
	line         // and no more
	value        // of so many bytes
	list         // of so many items
	pairs        // a list of so many pairs of items
)

// kindOf returns what a line that begins with first is.
func kindOf(first byte) kind {
	switch first {
	case '+', '-', ':', '_', ',', '#', '(':
		return line
	case '$', '=', '!':
		return value
	case '*', '~', '>':
		return list
	case '%':
		return pairs
	}
	return unknown
}

// end is the end of a line.
func (c *claims) end() error {
	c.line = 0
	switch kindOf(c.first) {
	case value:
		if c.n > longest {
			return errTooLong
		}
		if c.n >= 0 {
			c.skip = c.n + len("\r\n")
		}
	case pairs:
		return c.begin(2 * c.n)
	case list:
		return c.begin(c.n)
	}
	c.itemEnds()
	return nil
}

// begin is the beginning of a list of n items; nil has less than none.
func (c *claims) begin(n int) error {
	if n > mostItems || len(c.open) == deepest {
		return fmt.Errorf("%w: a list of %d items in %d others", errClaim, n, len(c.open))
	}
	if n > 0 {
		c.open = append(c.open, n)
	} else {
		c.itemEnds()
	}
	return nil
}

// itemEnds is the end of an item, and of each list whose last it was.
func (c *claims) itemEnds() {
	for last := len(c.open) - 1; last >= 0; last-- {
		if c.open[last]--; c.open[last] > 0 {
			return
		}
		c.open = c.open[:last]
	}
}
