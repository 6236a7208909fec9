// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"context"
	"errors"
	"io/fs"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// Place is Insert and Path in one, at a third of their system calls: it keeps
// entry under key unless there is a whole one already, and returns where the body
// is then, handed out as by [Cache.Path]. Other processes verify it once, unless
// this cache was closed before.
func (c *Cache) Place(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (path string, size int64, err error) {
	if err := c.usable(ctx); err != nil {
		return "", 0, err
	}
	if taken, err := c.taken(key); err != nil {
		return "", 0, err
	} else if taken {
		return c.Path(ctx, key)
	}
	staged, err := c.stage(ctx, key, entry, true)
	if err != nil {
		c.madeFull(err)
		return "", 0, notWritten("place", err)
	}
	defer staged.release()
	path = c.entryPath(key)
	err = c.heads.publish(key, staged.path, staged.head, func() error {
		err := c.moveInto(staged.path, path)
		if errors.Is(err, errors.ErrUnsupported) {
			err = renameInto(c.fs, staged.path, path)
		}
		return err
	})
	switch {
	case errors.Is(err, fs.ErrExist), errors.Is(err, vfs.ErrBusy):
		return c.Path(ctx, key)
	case err != nil:
		return "", 0, notWritten("place", err)
	}
	staged.path = ""
	c.uses.note(key, c.opts.Clock(), true)
	return path, staged.size, c.settle(ctx, key, staged, vfs.Info{}, c.proofs.keep)
}
