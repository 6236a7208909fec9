// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// maxHead is the longest encoded head in bytes.
const maxHead = encoding.HeadSize + interfaces.MaxTag

// heads keeps the heads of entries: in the attribute of the entry's file, or,
// where the file system has no attributes, in a file of their own.
type heads struct {
	fs  vfs.FS
	dir string // for the files
}

// read reads the encoded head of an entry, whose file is open, into buf and
// returns its length: 0 if it cannot be a head. An entry without one is
// fs.ErrNotExist.
func (h heads) read(file vfs.File, key interfaces.Key, buf []byte) (int, error) {
	n, err := file.Attr(buf)
	switch {
	case errors.Is(err, syscall.ERANGE): // longer than any head
		return 0, nil
	case !errors.Is(err, errors.ErrUnsupported):
		return n, err
	}
	aside, err := h.fs.Open(keyPath(h.dir, key))
	if err != nil {
		return 0, err
	}
	n, err = aside.ReadAt(buf, 0)
	_ = aside.Close() // only read
	if errors.Is(err, io.EOF) {
		err = nil // shorter than the longest head, as nearly all are
	}
	return n, err
}

// write keeps the encoded head of the entry whose file is on its way in. A head
// in a file of its own is replaced before the body is: for a moment the old
// body has the new head, which the head's check tells, and is a miss.
func (h heads) write(file vfs.File, tmp string, key interfaces.Key, head []byte) error {
	err := file.SetAttr(head)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	tmp += ".head"
	aside, err := h.fs.Create(tmp)
	if err != nil {
		return err
	}
	_, err = aside.Write(head)
	err = errors.Join(err, aside.Close())
	if err == nil {
		err = renameInto(h.fs, tmp, keyPath(h.dir, key))
	}
	if err != nil {
		_ = h.fs.Remove(tmp)
	}
	return err
}

// drop removes the head of an entry that is gone, if it is in a file.
func (h heads) drop(key interfaces.Key) {
	if _, err := h.fs.Stat(h.dir); err == nil {
		_ = h.fs.Remove(keyPath(h.dir, key))
	}
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
	bare  bool  // no head: another tool's file
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
	if errors.Is(err, fs.ErrNotExist) {
		head := interfaces.Head{Size: info.Size, Time: time.Unix(0, info.Modified).UTC()}
		return look{info: info, head: head, bare: true}, nil
	}
	if err != nil {
		return look{}, failed("getxattr", err)
	}
	head, err := encoding.ParseHead(s.attr[:n], key, info.Size)
	if errors.Is(err, cacheerr.ErrDamaged) {
		return look{info: info}, &DamageError{Key: key, Path: c.entryPath(key), Damage: BadHead}
	}
	return look{info: info, head: head, proof: proofOf(key, info, s.attr[:n])}, err
}
