// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"context"
	"errors"
	"io/fs"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// Place is Insert and the first [Cache.Path] in one, at a third of their system
// calls: what it keeps is handed out. It reports whether it kept entry, and not
// another that was there. Other processes verify it once, unless this cache was
// closed before.
func (c *Cache) Place(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (placed bool, err error) {
	if err := c.usable(ctx); err != nil {
		return false, err
	}
	if taken, err := c.taken(key); taken || err != nil {
		return false, err
	}
	staged, err := c.stage(ctx, key, entry, true)
	if err != nil {
		c.madeFull(err)
		return false, notWritten("place", err)
	}
	defer staged.release()
	path := c.entryPath(key)
	err = c.heads.publish(key, staged.path, staged.head, func() error {
		err := c.moveInto(staged.path, path)
		if errors.Is(err, errors.ErrUnsupported) {
			err = renameInto(c.fs, staged.path, path)
		}
		return err
	})
	switch {
	case errors.Is(err, fs.ErrExist):
		return false, c.lost(key, err)
	case errors.Is(err, vfs.ErrBusy): // somebody reads another entry, which stays
		return false, nil
	case err != nil:
		return false, notWritten("place", err)
	}
	staged.path = ""
	c.uses.note(key, c.opts.Clock(), true)
	return true, c.settle(ctx, key, staged, vfs.Info{}, c.proofs.keep)
}
