// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
)

// named returns the key that the suite calls name.
func named(name string) interfaces.Key { return encoding.RawKey([]byte(name)) }

// pattern returns a reader over size bytes that depend on seed alone, differ
// from those of any other seed, and cannot be compressed.
func pattern(seed uint64, size int64) io.Reader {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return io.LimitReader(rand.NewChaCha8(key), size)
}

// patternText returns what pattern reads.
func patternText(seed uint64, size int64) string {
	text := make([]byte, size)
	_, _ = io.ReadFull(pattern(seed, size), text) // a generator does not fail
	return string(text)
}

// samePattern reads r to its end, a piece at a time, and returns where it
// differs from what pattern reads.
func samePattern(r io.Reader, seed uint64, size int64) error {
	want := pattern(seed, size)
	piece, wanted := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := int64(0); ; {
		n, err := io.ReadFull(r, piece)
		m, _ := io.ReadFull(want, wanted[:n])
		if !bytes.Equal(piece[:n], wanted[:m]) {
			return fmt.Errorf("wrong bytes between %d and %d of %d", at, at+int64(n), size)
		}
		at += int64(n)
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			if at != size {
				return fmt.Errorf("ends after %d of %d bytes", at, size)
			}
			return nil
		case err != nil:
			return fmt.Errorf("after %d of %d bytes: %w", at, size, err)
		}
	}
}
