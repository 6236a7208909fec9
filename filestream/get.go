// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"context"
	"errors"
	"io"
	"unsafe"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// Get implements [interfaces.Cache]. A small body is in memory; another is an
// open file, which stays whole for this reader whatever happens to the entry.
func (c *Cache) Get(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	if err := c.usable(ctx); err != nil {
		return interfaces.Entry{}, err
	}
	file, seen, err := c.openEntry(key)
	if err != nil {
		return interfaces.Entry{}, c.dropDamaged(key, seen.info, err)
	}
	entry, err := c.read(file, key, seen)
	if err != nil {
		_ = file.Close() // the error at hand says more
		return interfaces.Entry{}, c.dropDamaged(key, seen.info, err)
	}
	c.used(file, key, seen, false)
	if _, ok := entry.Text(); ok {
		_ = file.Close() // only read
	}
	return entry, nil
}

// read returns the entry whose file is open, verified as the policy says.
func (c *Cache) read(file vfs.File, key interfaces.Key, seen look) (interfaces.Entry, error) {
	check := c.mustVerify(seen)
	if seen.head.Size > smallBody {
		if check {
			if err := c.verifyFile(file, key, seen); err != nil {
				return interfaces.Entry{}, err
			}
		}
		body := &fileBody{file: file, size: seen.head.Size}
		return interfaces.Stream(body, seen.head.Size).WithHead(seen.head), nil
	}
	body := make([]byte, seen.head.Size)
	if _, err := file.ReadAt(body, 0); err != nil {
		return interfaces.Entry{}, c.unread(key, err)
	}
	if check && encoding.Sum(key, body) != seen.head.Checksum {
		return interfaces.Entry{}, c.damaged(key)
	}
	if check && seen.head.Size > tinyBody {
		c.proofs.add(seen.proof)
	}
	// The bytes were made here and nobody else has them: they can be the
	// string without a copy, which at 32 KiB would be a third of the time of a Get.
	return interfaces.Text(unsafe.String(unsafe.SliceData(body), len(body))).WithHead(seen.head), nil
}

// mustVerify reports whether the policy asks for the body to be compared with
// its checksum.
func (c *Cache) mustVerify(seen look) bool {
	switch {
	case seen.head.Checksum == interfaces.Checksum{}:
		return false // another tool's file: nothing to compare with
	case c.opts.Verify == VerifyNever:
		return false
	case c.opts.Verify == VerifyAlways, seen.head.Size <= tinyBody:
		return true
	}
	return !c.proofs.has(seen.proof)
}

// verifyFile compares the body of an open file with its checksum, in bounded
// memory, and remembers that they are equal.
func (c *Cache) verifyFile(file vfs.File, key interfaces.Key, seen look) error {
	sum, err := c.sumFile(file, key, seen.head.Size)
	switch {
	case err != nil:
		return c.unread(key, err)
	case sum != seen.head.Checksum:
		return c.damaged(key)
	}
	c.proofs.add(seen.proof)
	return nil
}

// sumFile returns the checksum of the first size bytes of an open file.
func (c *Cache) sumFile(file vfs.File, key interfaces.Key, size int64) (interfaces.Checksum, error) {
	s := getScratch()
	defer putScratch(s)
	if size <= int64(len(s.chunk)) {
		_, err := file.ReadAt(s.chunk[:size], 0)
		return encoding.Sum(key, s.chunk[:size]), err
	}
	s.hasher.Reset(key)
	for at := int64(0); at < size; {
		n, err := file.ReadAt(s.chunk[:min(size-at, int64(len(s.chunk)))], at)
		if err != nil {
			return interfaces.Checksum{}, err
		}
		_, _ = s.hasher.Write(s.chunk[:n]) // never fails
		at += int64(n)
	}
	return s.hasher.Sum(), nil
}

func (c *Cache) damaged(key interfaces.Key) error {
	return &DamageError{Key: key, Path: c.entryPath(key), Damage: BadBody}
}

// unread is a body that could not be read to its end.
func (c *Cache) unread(key interfaces.Key, err error) error {
	if errors.Is(err, io.EOF) { // it shrank since its length was asked for
		return &DamageError{Key: key, Path: c.entryPath(key), Damage: BadHead}
	}
	return failed("get", err)
}

// fileBody is the body of an entry that is an open file.
type fileBody struct {
	file vfs.File
	at   int64 // what was read so far
	size int64
}

// Read implements [io.Reader].
func (b *fileBody) Read(p []byte) (int, error) {
	if b.at >= b.size {
		return 0, io.EOF
	}
	n, err := b.file.ReadAt(p[:min(int64(len(p)), b.size-b.at)], b.at)
	b.at += int64(n)
	if err == io.EOF { //nolint:errorlint // io.Reader's own rule
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// WriteTo implements [io.WriterTo].
func (b *fileBody) WriteTo(w io.Writer) (int64, error) {
	s := getScratch()
	defer putScratch(s)
	start := b.at
	for b.at < b.size {
		n, err := b.Read(s.chunk[:])
		if err != nil {
			return b.at - start, err
		}
		if _, err := w.Write(s.chunk[:n]); err != nil {
			return b.at - start, err
		}
	}
	return b.at - start, nil
}

// Close implements [io.Closer].
func (b *fileBody) Close() error { return b.file.Close() }
