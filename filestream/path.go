// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"context"
	"errors"
	"io/fs"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// Path implements [interfaces.Pather]. The file is read-only from now on and
// stays for [Options.Grace] at least, and for as long as this cache is open.
// An entry that was handed out within half of Grace and has not changed since
// it was verified is answered without opening its file.
func (c *Cache) Path(ctx context.Context, key interfaces.Key) (string, interfaces.Head, error) {
	if err := c.usable(ctx); err != nil {
		return "", interfaces.Head{}, err
	}
	path := c.entryPath(key)
	info, err := c.fs.Stat(path)
	if err != nil {
		return "", interfaces.Head{}, c.missing(err)
	}
	if head, ok := c.knownGood(path, key, info); ok {
		c.uses.note(key, c.opts.Clock(), true)
		return path, head, nil
	}
	head, err := c.handOut(key)
	return path, head, err
}

// knownGood returns the head of an entry about which nothing has to be done
// before its path is handed out.
func (c *Cache) knownGood(path string, key interfaces.Key, info vfs.Info) (interfaces.Head, bool) {
	if !info.Frozen || !info.Regular || c.stale(info) || c.opts.Verify == VerifyAlways {
		return interfaces.Head{}, false
	}
	s := getScratch()
	defer putScratch(s)
	n, err := c.fs.Attr(path, s.attr[:])
	if err != nil {
		return interfaces.Head{}, false
	}
	// Attribute and description were asked for one after the other; the head's
	// check and the proof tell if the file was replaced in between.
	head, err := encoding.ParseHead(s.attr[:n], key, info.Size)
	if err != nil {
		return interfaces.Head{}, false
	}
	// An empty body cannot be damaged in a way that the head does not tell.
	known := info.Size == 0 || c.opts.Verify == VerifyNever || c.proofs.has(proofOf(key, info, s.attr[:n]))
	return head, known
}

// handOut does what has to be done before a path is handed out: verify the
// body, and mark the file as handed out now.
func (c *Cache) handOut(key interfaces.Key) (interfaces.Head, error) {
	file, err := c.openEntry(key)
	if err != nil {
		return interfaces.Head{}, err
	}
	seen, err := c.examine(file, key)
	if err == nil && c.mustVerify(seen) {
		err = c.verifyFile(file, key, seen)
	}
	if err != nil {
		_ = file.Close() // the error at hand says more
		return interfaces.Head{}, c.dropDamaged(key, seen.info, err)
	}
	c.used(file, key, seen, true)
	return seen.head, failed("path", file.Close())
}

func (c *Cache) missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return cacheerr.ErrMiss
	}
	return failed("get", err)
}
