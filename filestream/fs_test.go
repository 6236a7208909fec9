// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"errors"

	"github.com/tiercecache/tierce/internal/vfs"
)

// plainFS is a file system whose files have no attributes, so that heads are
// files of their own.
type plainFS struct{ vfs.FS }

func plain() vfs.FS { return plainFS{vfs.OS{}} }

func plainOf(file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return plainFile{file}, nil
}

func (p plainFS) Open(path string) (vfs.File, error) { return plainOf(p.FS.Open(path)) }

func (p plainFS) Create(path string) (vfs.File, error) { return plainOf(p.FS.Create(path)) }

func (p plainFS) OpenShared(path string) (vfs.File, error) { return plainOf(p.FS.OpenShared(path)) }

func (plainFS) Attr(string, []byte) (int, error) { return 0, errors.ErrUnsupported }

type plainFile struct{ vfs.File }

func (plainFile) Attr([]byte) (int, error) { return 0, errors.ErrUnsupported }

func (plainFile) SetAttr([]byte) error { return errors.ErrUnsupported }

// eachFS are the two kinds of file system that an entry's head is kept on.
var eachFS = map[string]func() vfs.FS{
	"attributes":    func() vfs.FS { return vfs.OS{} },
	"no attributes": plain,
}

// lazyFS does not sync: what durability asks for is a matter of order, which
// TestDurability looks at, and a disk takes its time for it.
type lazyFS struct{ vfs.FS }

type lazyFile struct{ vfs.File }

func (lazyFS) SyncDir(string) error { return nil }

func (l lazyFS) Create(path string) (vfs.File, error) {
	file, err := l.FS.Create(path)
	if err != nil {
		return nil, err
	}
	return lazyFile{file}, nil
}

func (lazyFile) Sync() error { return nil }
