// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"context"
	"errors"
	"io/fs"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// Place is Insert and Path in one, at a third of their system calls: it keeps
// entry under key unless there is a whole one already, and returns where the body
// is then, handed out as by [Cache.Path]. It is for keys that are known to be
// absent: whether there is one is seen when the body has been written. Other
// processes verify it once, unless this cache was closed before.
func (c *Cache) Place(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (path string, size int64, err error) {
	if err := c.usable(ctx); err != nil {
		return "", 0, err
	}
	staged, err := c.stage(ctx, key, entry, true)
	if err != nil {
		c.madeFull(err)
		return "", 0, notWritten("place", err)
	}
	defer staged.release()
	for range 2 {
		err = c.name(key, staged)
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, vfs.ErrBusy) {
			break
		}
		if path, size, err = c.Path(ctx, key); !errors.Is(err, cacheerr.ErrMiss) {
			return path, size, err
		} // it was damaged, and is gone
	}
	switch {
	case errors.Is(err, cacheerr.ErrMiss): // another tool's file, whose bytes nobody can vouch for
		return "", 0, err
	case err != nil:
		return "", 0, notWritten("place", err)
	}
	staged.path = ""
	c.uses.note(key, c.opts.Clock(), true)
	return c.entryPath(key), staged.size, c.settle(ctx, key, staged, vfs.Info{}, c.proofs.keep)
}

// name gives the staged file its name as the entry under key, unless that is
// taken.
func (c *Cache) name(key interfaces.Key, staged *staged) error {
	path := c.entryPath(key)
	return c.heads.publish(key, staged.path, staged.head, func() error {
		err := c.moveInto(staged.path, path)
		if errors.Is(err, errors.ErrUnsupported) {
			err = renameInto(c.fs, staged.path, path)
		}
		return err
	})
}
