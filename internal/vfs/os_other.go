// SPDX-License-Identifier: Apache-2.0

//go:build !linux && !darwin

package vfs

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// OS is the operating system's own file system, through package os. Here files
// have no attributes and tell no inode. Renames, removals and opens go through
// [retry], since on Windows another process may hold a file for a moment.
type OS struct{}

var _ FS = OS{}

// Open implements [FS].
func (OS) Open(path string) (File, error) { return openRetried(path) }

func openRetried(path string) (file File, err error) {
	err = retry(func() error {
		file, err = open(path)
		return err
	})
	return file, err
}

func open(path string) (File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return osFile{file}, nil
}

// Create implements [FS].
func (OS) Create(path string) (File, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return osFile{file}, nil
}

// OpenShared implements [FS].
func (OS) OpenShared(path string) (File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	return osFile{file}, nil
}

// Stat implements [FS].
func (OS) Stat(path string) (Info, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Info{}, err
	}
	return describe(info), nil
}

// Attr implements [FS].
func (OS) Attr(string, []byte) (int, error) { return 0, errors.ErrUnsupported }

// Rename implements [FS].
func (OS) Rename(from, to string) error { return retry(func() error { return os.Rename(from, to) }) }

// Move implements [FS].
func (OS) Move(from, to string) error {
	err := os.Link(from, to)
	if err == nil {
		_ = retry(func() error { return os.Remove(from) }) // a second name, which is swept later
	}
	return err
}

// Remove implements [FS].
func (OS) Remove(path string) error { return retry(func() error { return os.Remove(path) }) }

// MkdirAll implements [FS].
func (OS) MkdirAll(path string) error { return os.MkdirAll(path, 0o700) }

// ReadDir implements [FS].
func (OS) ReadDir(path string) ([]string, error) { return readNames(path) }

// SyncDir implements [FS]: names are durable with their files here.
func (OS) SyncDir(string) error { return nil }

type osFile struct{ *os.File }

func (f osFile) Stat() (Info, error) {
	info, err := f.File.Stat()
	if err != nil {
		return Info{}, err
	}
	return describe(info), nil
}

// Freeze does nothing: a file that may not be written cannot be replaced on
// Windows either. Every file counts as frozen instead (see describe).
func (f osFile) Freeze() error { return nil }

func (f osFile) Attr([]byte) (int, error) { return 0, errors.ErrUnsupported }

func (f osFile) SetAttr([]byte) error { return errors.ErrUnsupported }

func (f osFile) SetAccessed(at time.Time) error { return os.Chtimes(f.Name(), at, time.Time{}) }

// block is what a file's length is rounded up to where the system does not
// tell its blocks: the default cluster of NTFS.
const block = 4096

func describe(info fs.FileInfo) Info {
	return Info{
		Size:     info.Size(),
		Disk:     (info.Size() + block - 1) / block * block,
		Modified: info.ModTime().UnixNano(),
		Accessed: accessed(info),
		Regular:  info.Mode().IsRegular(),
		Dir:      info.IsDir(),
		Frozen:   true,
	}
}

// BootID is empty: the system does not tell.
func BootID() string { return "" }
