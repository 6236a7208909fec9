// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path/filepath"
	"syscall"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// Stat implements [interfaces.Statter]. For an entry without a body it is one
// system call.
func (c *Cache) Stat(ctx context.Context, key interfaces.Key) (interfaces.Head, error) {
	if err := c.usable(ctx); err != nil {
		return interfaces.Head{}, err
	}
	if head, err := c.bodiless(key); !errors.Is(err, errOther) {
		return head, err
	}
	file, seen, err := c.openEntry(key)
	if err != nil {
		return interfaces.Head{}, c.dropDamaged(key, seen.info, err)
	}
	return seen.head, failed("stat", file.Close())
}

// bodiless returns the head of an entry whose checksum, in the attribute of its
// file, is that of no body: its length need not be asked for. An entry that is
// absent is cacheerr.ErrMiss, and any other [errOther].
func (c *Cache) bodiless(key interfaces.Key) (interfaces.Head, error) {
	s := getScratch()
	defer putScratch(s)
	n, err := c.fs.Attr(c.entryPath(key), s.attr[:])
	if errors.Is(err, syscall.ENOENT) { // a file that lacks the attribute is not told so
		return interfaces.Head{}, cacheerr.ErrMiss
	}
	if err == nil {
		head, err := encoding.ParseHead(s.attr[:n], key, 0)
		if err == nil && head.Checksum == encoding.Sum(key, nil) {
			return head, nil
		}
	}
	return interfaces.Head{}, errOther
}

// errOther is an entry of which one look does not say enough.
var errOther = errors.New("it is not known to have no body")

// Delete implements [interfaces.Deleter].
func (c *Cache) Delete(ctx context.Context, key interfaces.Key) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	path := c.entryPath(key)
	c.appear()
	info, err := c.fs.Stat(path)
	if err == nil {
		err = c.heads.paired(func() error {
			err := c.fs.Remove(path)
			if err == nil {
				c.heads.drop(key)
			}
			return err
		})
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return cacheerr.ErrMiss
	case err != nil:
		return notWritten("delete", err)
	}
	c.usage.add(-info.Disk, -1)
	c.changes.removed(key, info.Modified)
	return nil
}

// List implements [interfaces.Lister]. Files with other names than a key's are
// not ours and are left out.
func (c *Cache) List(ctx context.Context) iter.Seq2[interfaces.Key, error] {
	return func(yield func(interfaces.Key, error) bool) {
		if err := c.usable(ctx); err != nil {
			yield(interfaces.Key{}, err)
			return
		}
		for f, err := range c.files(ctx, nil) {
			if !yield(f.key, failed("list", err)) || err != nil {
				return
			}
		}
	}
}

// Len implements [interfaces.Lener]. It scans the directory.
func (c *Cache) Len(ctx context.Context) (int, error) {
	n := 0
	for _, err := range c.List(ctx) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// Clear implements [interfaces.Clearer]: it removes all entries, also those
// within their grace, and temporary files older than an hour. An entry that was
// replaced meanwhile stays, as do files that are not ours.
func (c *Cache) Clear(ctx context.Context) error {
	_, err := c.Empty(ctx, nil)
	return err
}

// Empty is [Cache.Clear] with progress, which may be nil, and returns what it
// removed, also when it fails: with a *cacheerr.BackendExecutionError at the first
// file that cannot be looked at or removed, in which is cacheerr.ErrReadOnly where
// that is why; or with the context's error.
func (c *Cache) Empty(ctx context.Context, progress Progress) (Usage, error) {
	var gone Usage
	if err := c.usable(ctx); err != nil {
		return gone, err
	}
	if names, err := c.fs.ReadDir(c.tmpDir()); err == nil {
		c.sweep(names)
	}
	for f, err := range c.files(ctx, progress) {
		if err != nil {
			return gone, notWritten("clear", err)
		}
		removed, err := c.removeIfSame(f.key, f.info)
		if err != nil {
			return gone, notWritten("clear", err)
		}
		if removed {
			gone.Entries++
			gone.Bytes += f.info.Disk
		}
	}
	_ = c.fs.Remove(filepath.Join(c.dir, "heads")) // an empty one is of no use; another stays
	c.rooted.Store(false)
	return gone, nil
}
