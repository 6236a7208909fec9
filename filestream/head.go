// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/lock"
	"github.com/tiercecache/tierce/internal/vfs"
)

// maxHead is the longest encoded head in bytes.
const maxHead = encoding.HeadSize + interfaces.MaxTag

// heads keeps the heads of entries: in the attribute of the entry's file, or,
// where the file system has no attributes, aside: in a file of their own. Two
// files cannot be replaced at once, so that whoever looks at both, or replaces
// them, does so in [heads.paired].
type heads struct {
	fs    vfs.FS
	dir   string // for the files
	lock  string // path of the lock that keeps the two together
	aside bool   // files have no attributes here
	sync  bool   // heads aside are synced, as bodies are
	mu    sync.Mutex
}

// probe finds out whether files have attributes, from the directory's.
func (h *heads) probe(dir string) {
	_, err := h.fs.Attr(dir, nil)
	h.aside = errors.Is(err, errors.ErrUnsupported)
}

// paired calls do while nobody else is between an entry's file and its head. A
// directory in which no lock can be had has no writers of ours.
func (h *heads) paired(do func() error) error {
	if !h.aside {
		return do()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	release, err := lock.Files(h.lock).Acquire(context.Background(), busy) //nolint:forbidigo // a moment
	var taken *cacheerr.FileLockTimeoutError
	switch {
	case err == nil:
		defer release()
	case errors.As(err, &taken): // what does not belong together must not look damaged
		return failed("lock", err)
	}
	return do()
}

// read reads the encoded head of an entry, whose file is open, into buf and
// returns its length: 0 if it cannot be a head. An entry without one is
// fs.ErrNotExist.
func (h *heads) read(file vfs.File, key interfaces.Key, buf []byte) (int, error) {
	if !h.aside {
		n, err := file.Attr(buf)
		if errors.Is(err, syscall.ERANGE) { // longer than any head
			return 0, nil
		}
		return n, err
	}
	aside, err := h.fs.Open(keyPath(h.dir, key))
	if err != nil {
		return 0, err
	}
	n, err := aside.ReadAt(buf, 0)
	_ = aside.Close() // only read
	if errors.Is(err, io.EOF) {
		err = nil // shorter than the longest head, as nearly all are
	}
	return n, err
}

// publish calls place, which gives the file of tmp its name as the entry, and
// sees to it that the entry has its head then. If place fails the old head
// stays.
func (h *heads) publish(key interfaces.Key, tmp string, head []byte, place func() error) error {
	if !h.aside {
		return place()
	}
	return h.paired(func() error {
		var old [maxHead]byte
		n, err := h.read(nil, key, old[:])
		missing := errors.Is(err, fs.ErrNotExist)
		if err != nil && !missing {
			return err
		}
		if err := h.replace(key, tmp, head); err != nil {
			return err
		}
		err = place()
		switch {
		case err == nil:
		case missing:
			h.drop(key)
		case h.replace(key, tmp, old[:n]) != nil:
			h.drop(key) // an entry without a head is better than one with another's
		}
		return err
	})
}

// replace writes a head aside, by way of a file next to tmp.
func (h *heads) replace(key interfaces.Key, tmp string, head []byte) error {
	tmp += ".head"
	file, err := h.fs.Create(tmp)
	if err != nil {
		return err
	}
	_, err = file.Write(head)
	if err == nil && h.sync {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = renameInto(h.fs, tmp, keyPath(h.dir, key))
	}
	if err != nil {
		_ = h.fs.Remove(tmp)
	}
	return err
}

// drop removes the head of an entry that is gone, if it is aside.
func (h *heads) drop(key interfaces.Key) {
	if h.aside {
		_ = h.fs.Remove(keyPath(h.dir, key))
	}
}

// syncNames makes the name of a head that is aside durable.
func (h *heads) syncNames(key interfaces.Key) error {
	if !h.aside {
		return nil
	}
	if err := h.fs.SyncDir(filepath.Dir(keyPath(h.dir, key))); err != nil {
		return err
	}
	return h.fs.SyncDir(h.dir)
}

// renameInto renames and makes the directory of to when that is missing:
// somebody may clean by hand (F4).
func renameInto(fsys vfs.FS, from, to string) error {
	err := fsys.Rename(from, to)
	if errors.Is(err, fs.ErrNotExist) {
		if err := fsys.MkdirAll(filepath.Dir(to)); err != nil {
			return err
		}
		err = fsys.Rename(from, to)
	}
	return err
}

// look is what one look at an entry's file tells.
type look struct {
	info  vfs.Info
	head  interfaces.Head
	proof proof // that this very file was verified, once it is
	bare  bool  // no head: another tool's file (one of ours that lost its head is damage)
}

// openEntry opens the file of an entry and looks at it, without reading the
// body. An absent entry is cacheerr.ErrMiss. The caller closes the file; on an
// error there is none, but what was seen is told all the same.
func (c *Cache) openEntry(key interfaces.Key) (file vfs.File, seen look, err error) {
	err = c.heads.paired(func() error {
		if file, seen.info, err = c.openFile(key); err == nil {
			seen, err = c.examine(file, key)
		}
		return err
	})
	if err != nil && file != nil {
		_ = file.Close() // the error at hand says more
		file = nil
	}
	return file, seen, err
}

// openFile opens the file of an entry. What is no file is described.
func (c *Cache) openFile(key interfaces.Key) (vfs.File, vfs.Info, error) {
	path := c.entryPath(key)
	file, err := c.fs.Open(path)
	switch {
	case err == nil:
		return file, vfs.Info{}, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, vfs.ErrBusy):
		return nil, vfs.Info{}, cacheerr.ErrMiss
	}
	if info, statErr := c.fs.Stat(path); statErr == nil && !info.Regular { // a link is not followed
		return nil, info, &DamageError{Key: key, Path: path, Damage: NotAFile}
	}
	return nil, vfs.Info{}, failed("get", err)
}

// examine looks at the open file of an entry, without reading the body.
func (c *Cache) examine(file vfs.File, key interfaces.Key) (look, error) {
	info, err := file.Stat()
	if err != nil {
		return look{}, failed("stat", err)
	}
	if !info.Regular {
		return look{info: info}, &DamageError{Key: key, Path: c.entryPath(key), Damage: NotAFile}
	}
	s := getScratch()
	defer putScratch(s)
	n, err := c.heads.read(file, key, s.attr[:])
	if errors.Is(err, fs.ErrNotExist) && !info.Marked {
		head := interfaces.Head{Size: info.Size, Time: time.Unix(0, info.Modified).UTC()}
		return look{info: info, head: head, bare: true}, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return look{}, failed("getxattr", err)
	}
	head, err := encoding.ParseHead(s.attr[:n], key, info.Size)
	if errors.Is(err, cacheerr.ErrDamaged) {
		return look{info: info}, &DamageError{Key: key, Path: c.entryPath(key), Damage: BadHead}
	}
	return look{info: info, head: head, proof: proofOf(key, info)}, err
}
