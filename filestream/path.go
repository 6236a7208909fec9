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

// Path implements [interfaces.Pather]. The file is read-only from now on and
// stays for [Options.Grace] at least, and for as long as this cache is open.
// An entry that was handed out within half of Grace and has not changed since
// it was verified is answered without opening its file: two system calls. What
// has no checksum (another tool's file) is a miss here, though Get serves it: who
// is given a path does not look at the bytes before a compiler does.
func (c *Cache) Path(ctx context.Context, key interfaces.Key) (path string, size int64, err error) {
	if err := c.usable(ctx); err != nil {
		return "", 0, err
	}
	path = c.entryPath(key)
	info, err := c.fs.Stat(path)
	if err != nil {
		return "", 0, c.missing(err)
	}
	if c.knownGood(key, info) {
		c.uses.note(key, c.opts.Clock(), true)
		return path, info.Size, nil
	}
	if size, err = c.handOut(key); err != nil {
		return "", 0, err
	}
	return path, size, nil
}

// knownGood reports whether nothing has to be done before the path of a file is
// handed out.
func (c *Cache) knownGood(key interfaces.Key, info vfs.Info) bool {
	return info.Frozen && info.Regular && !c.stale(info.Used()) && c.opts.Verify == VerifyFirstRead &&
		c.proofs.has(proofOf(key, info))
}

// handOut does what has to be done before a path is handed out: verify the
// body, and mark the file as handed out now. It returns the body's length.
func (c *Cache) handOut(key interfaces.Key) (int64, error) {
	file, seen, err := c.openEntry(key)
	if err != nil {
		return 0, c.dropDamaged(key, seen.info, err)
	}
	switch {
	case seen.bare && c.opts.Verify != VerifyNever: // nothing to verify it by
		err = cacheerr.ErrMiss
	case c.mustVerify(seen):
		err = c.verifyFile(file, key, seen)
	}
	if err != nil {
		_ = file.Close() // the error at hand says more
		return 0, c.dropDamaged(key, seen.info, err)
	}
	c.used(file, key, seen, true)
	return seen.head.Size, failed("path", file.Close())
}

func (c *Cache) missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return cacheerr.ErrMiss
	}
	return failed("get", err)
}
