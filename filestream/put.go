// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"unsafe"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// Put implements [interfaces.Cache]: temp file, write, sync as the durability
// says, rename. A failure at any step leaves the old entry and no temp file. So
// does, without an error, an old entry that another process holds on Windows.
func (c *Cache) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	staged, err := c.stage(ctx, key, entry, false)
	if err != nil {
		c.madeFull(err)
		return notWritten("put", err)
	}
	defer staged.release()
	path := c.entryPath(key)
	replaced, _ := c.fs.Stat(path) // absent, or not to be known: nothing to take off
	err = c.heads.publish(key, staged.path, staged.head, func() error { return renameInto(c.fs, staged.path, path) })
	switch {
	case errors.Is(err, vfs.ErrBusy): // somebody reads the old entry, which stays
		return nil
	case err != nil:
		c.madeFull(err)
		return notWritten("put", err)
	}
	staged.path = ""
	return c.settle(ctx, key, staged, replaced, c.proofs.add)
}

// PutBatch implements [interfaces.BatchPutter]. A failure in the middle leaves
// the earlier items stored and names the one that failed.
func (c *Cache) PutBatch(ctx context.Context, items []interfaces.Item) error {
	for i, item := range items {
		if err := c.Put(ctx, item.Key, item.Entry); err != nil {
			return &interfaces.BatchError{Index: i, Key: item.Key, Err: err}
		}
	}
	return nil
}

// Insert implements [interfaces.Inserter]: the name is given with a move that
// fails if it is taken. A damaged entry counts as absent. On a file system that
// has no such move, nor links, it is errors.ErrUnsupported.
func (c *Cache) Insert(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (bool, error) {
	if err := c.usable(ctx); err != nil {
		return false, err
	}
	if taken, err := c.taken(key); taken || err != nil {
		return false, err
	}
	staged, err := c.stage(ctx, key, entry, false)
	if err != nil {
		c.madeFull(err)
		return false, notWritten("insert", err)
	}
	defer staged.release()
	err = c.heads.publish(key, staged.path, staged.head, func() error { return c.moveInto(staged.path, c.entryPath(key)) })
	switch {
	case errors.Is(err, fs.ErrExist):
		return false, c.lost(key, err)
	case errors.Is(err, errors.ErrUnsupported):
		return false, err
	case err != nil:
		return false, notWritten("insert", err)
	}
	staged.path = ""
	return true, c.settle(ctx, key, staged, vfs.Info{}, c.proofs.add)
}

// lost returns nil if somebody else inserted the entry, and the error of the move
// if what has its name is no entry.
func (c *Cache) lost(key interfaces.Key, err error) error {
	if info, statErr := c.fs.Stat(c.entryPath(key)); statErr == nil && !info.Regular {
		return notWritten("insert", err)
	}
	return nil
}

// moveInto gives the file from the name to, which must be free and whose
// directory may be missing (F4).
func (c *Cache) moveInto(from, to string) error {
	err := c.fs.Move(from, to)
	if errors.Is(err, fs.ErrNotExist) {
		if err := c.fs.MkdirAll(filepath.Dir(to)); err != nil {
			return err
		}
		err = c.fs.Move(from, to)
	}
	return err
}

// taken reports whether the key has an entry that is whole; one that is not is
// removed. One that cannot be removed is an error: it would keep the key taken
// though every Get of it is a miss.
func (c *Cache) taken(key interfaces.Key) (bool, error) {
	seen, err := c.compareOnce(key)
	switch {
	case errors.Is(err, cacheerr.ErrDamaged):
		_, err := c.removeIfSame(key, seen.info)
		return false, notWritten("insert", err)
	case errors.Is(err, cacheerr.ErrMiss):
		return false, nil
	}
	return err == nil, err
}

// staged is a complete, closed file in tmp that has no name as an entry yet.
type staged struct {
	fs   vfs.FS
	path string // "" once it has another name
	id   uint64 // of the file, as in vfs.Info
	sum  interfaces.Checksum
	head []byte // encoded, where it is not in the file
}

// release removes the file from tmp if it is still there.
func (s *staged) release() {
	if s.path != "" {
		_ = s.fs.Remove(s.path) // swept later if that fails
		s.path = ""
	}
}

var tmpCount atomic.Uint64

// createTmp makes a new file in tmp, and tmp if somebody removed it.
func (c *Cache) createTmp() (vfs.File, string, error) {
	for {
		path := c.tmpDir() + sep + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatUint(tmpCount.Add(1), 10)
		file, err := c.fs.Create(path)
		switch {
		case errors.Is(err, fs.ErrExist): // left by a process of the same number
			continue
		case errors.Is(err, fs.ErrNotExist):
			if err := c.fs.MkdirAll(c.tmpDir()); err != nil {
				return nil, "", err
			}
			file, err = c.fs.Create(path)
		}
		return file, path, err
	}
}

// stage writes the entry into tmp: body, head, and what durability asks for. It
// freezes the file of one that is to be handed out.
func (c *Cache) stage(ctx context.Context, key interfaces.Key, entry interfaces.Entry, out bool) (*staged, error) {
	if len(entry.Tag) > interfaces.MaxTag {
		return nil, fmt.Errorf("a tag is at most %d bytes, not %d", interfaces.MaxTag, len(entry.Tag))
	}
	c.appear()
	file, path, err := c.createTmp()
	if err != nil {
		return nil, err
	}
	s := &staged{fs: c.fs, path: path}
	err = c.fill(ctx, s, file, key, entry)
	if err == nil && out {
		err = file.Freeze()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

// fill writes body and head into the file of s, which learns what is in it.
func (c *Cache) fill(ctx context.Context, s *staged, file vfs.File, key interfaces.Key, entry interfaces.Entry) error {
	head := entry.Head
	size, sum, err := writeBody(ctx, file, key, entry)
	switch {
	case err != nil:
		return err
	case head.Size >= 0 && size != head.Size:
		return fmt.Errorf("the body is %d bytes long, and its head says %d: %w", size, head.Size, io.ErrUnexpectedEOF)
	case head.Checksum != interfaces.Checksum{} && sum != head.Checksum:
		return fmt.Errorf("the body does not match the checksum in its head: %w", cacheerr.ErrDamaged)
	}
	head.Size, head.Checksum = size, sum
	if head.Time.IsZero() {
		head.Time = c.opts.Clock()
	}
	scratch := getScratch()
	defer putScratch(scratch)
	encoded, err := encoding.AppendHead(scratch.attr[:0], key, head)
	switch {
	case err != nil:
	case c.heads.aside:
		s.head = bytes.Clone(encoded)
	default:
		err = file.SetAttr(encoded)
	}
	if err == nil && c.opts.Durability != DurabilityNone {
		err = file.Sync()
	}
	if err != nil {
		return err
	}
	info, err := file.Stat()
	s.id, s.sum = info.ID, sum
	return err
}

// writeBody writes the body and returns its length and checksum. It reads
// little more than the length that the head claims.
func writeBody(ctx context.Context, file vfs.File, key interfaces.Key, entry interfaces.Entry) (int64, interfaces.Checksum, error) {
	s := getScratch()
	defer putScratch(s)
	s.hasher.Reset(key)
	w := sink{ctx: ctx, file: file, hasher: &s.hasher, limit: entry.Size}
	_, err := io.CopyBuffer(&w, entry.Reader(), s.chunk[:])
	return w.size, s.hasher.Sum(), err
}

// sink writes a body to a file and sums it up on the way.
type sink struct {
	ctx    context.Context
	file   vfs.File
	hasher *encoding.Hasher
	size   int64 // written
	limit  int64 // the claimed length, or negative
}

// Write implements [io.Writer].
func (w *sink) Write(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	if w.limit >= 0 && w.size+int64(len(b)) > w.limit {
		return 0, fmt.Errorf("the body is longer than the %d bytes that its head says", w.limit)
	}
	_, _ = w.hasher.Write(b) // never fails
	n, err := w.file.Write(b)
	w.size += int64(n)
	return n, err
}

// WriteString implements [io.StringWriter] without a copy: writing does not
// change what is written.
func (w *sink) WriteString(text string) (int, error) {
	return w.Write(unsafe.Slice(unsafe.StringData(text), len(text)))
}

// settle does what follows once the staged file has its name as an entry, in
// place of what it replaced. That it needs no verification is told to prove.
func (c *Cache) settle(ctx context.Context, key interfaces.Key, staged *staged, replaced vfs.Info, prove func(proof)) error {
	path := c.entryPath(key)
	if info, err := c.fs.Stat(path); err == nil { // else somebody removed it at this very moment
		if info.ID == staged.id {
			prove(proofOf(key, info))
			c.changes.stored(key, info, staged.sum)
		}
		c.usage.add(info.Disk-replaced.Disk, 1-count(replaced))
	}
	if c.opts.Durability == DurabilityFull {
		if err := errors.Join(c.heads.syncNames(key), c.syncNames(path)); err != nil {
			return failed("put", err)
		}
	}
	return c.holdCap(ctx)
}

// count is how many entries a file is.
func count(info vfs.Info) int64 {
	if info.Regular {
		return 1
	}
	return 0
}

// syncNames makes the name of an entry's file durable, and those of the
// directories above it, which may be new.
func (c *Cache) syncNames(path string) error {
	if err := c.fs.SyncDir(filepath.Dir(path)); err != nil {
		return err
	}
	if err := c.fs.SyncDir(c.entriesDir()); err != nil {
		return err
	}
	return c.syncRoot()
}

// syncRoot makes the names in the cache's directory durable, and its own name,
// once: MkdirAll may have made any of them. A directory that this user may not
// open is not one that it made.
func (c *Cache) syncRoot() error {
	if c.rooted.Load() {
		return nil
	}
	for dir := c.dir; ; dir = filepath.Dir(dir) {
		err := c.fs.SyncDir(dir)
		if vfs.Refused(err) && dir != c.dir {
			break
		}
		if err != nil {
			return err
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	c.rooted.Store(true)
	return nil
}
