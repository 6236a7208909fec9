// SPDX-License-Identifier: Apache-2.0

// Package faultfs makes a file system fail on purpose: a hook is asked before
// each operation and may answer with an error instead.
package faultfs

import (
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/tiercecache/tierce/internal/vfs"
)

// Call is one operation on a file system, before it happens.
type Call struct {
	N    int    // its number, from 1
	Op   string // the method of vfs.FS or vfs.File, in lower case
	Path string // what it is about; of two paths the second
}

// String prints the call, so that a failed test names its fault.
func (c Call) String() string { return fmt.Sprintf("%d: %s %s", c.N, c.Op, c.Path) }

// FS is a file system whose operations a hook can fail. The hook is called by
// one goroutine at a time; when it returns nil the operation happens.
type FS struct {
	fs   vfs.FS
	mu   sync.Mutex
	n    int
	hook func(Call) error
}

var _ vfs.FS = (*FS)(nil)

// New returns fs with hook asked before each operation.
func New(fs vfs.FS, hook func(Call) error) *FS { return &FS{fs: fs, hook: hook} }

// Fail is a hook that fails the nth call with err and remembers it in *failed.
func Fail(n int, err error, failed *Call) func(Call) error {
	return func(call Call) error {
		if call.N != n {
			return nil
		}
		*failed = call
		return &fs.PathError{Op: call.Op, Path: call.Path, Err: err}
	}
}

func (f *FS) ask(op, path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	return f.hook(Call{N: f.n, Op: op, Path: path})
}

func (f *FS) open(op, path string, open func(string) (vfs.File, error)) (vfs.File, error) {
	if err := f.ask(op, path); err != nil {
		return nil, err
	}
	opened, err := open(path)
	if err != nil {
		return nil, err
	}
	return &file{File: opened, fs: f, path: path}, nil
}

// Open implements [vfs.FS].
func (f *FS) Open(path string) (vfs.File, error) { return f.open("open", path, f.fs.Open) }

// Create implements [vfs.FS].
func (f *FS) Create(path string) (vfs.File, error) { return f.open("create", path, f.fs.Create) }

// OpenShared implements [vfs.FS].
func (f *FS) OpenShared(path string) (vfs.File, error) {
	return f.open("openshared", path, f.fs.OpenShared)
}

// Stat implements [vfs.FS].
func (f *FS) Stat(path string) (vfs.Info, error) {
	if err := f.ask("stat", path); err != nil {
		return vfs.Info{}, err
	}
	return f.fs.Stat(path)
}

// Attr implements [vfs.FS].
func (f *FS) Attr(path string, buf []byte) (int, error) {
	if err := f.ask("attr", path); err != nil {
		return 0, err
	}
	return f.fs.Attr(path, buf)
}

// Rename implements [vfs.FS].
func (f *FS) Rename(from, to string) error {
	if err := f.ask("rename", to); err != nil {
		return err
	}
	return f.fs.Rename(from, to)
}

// Move implements [vfs.FS].
func (f *FS) Move(from, to string) error {
	if err := f.ask("move", to); err != nil {
		return err
	}
	return f.fs.Move(from, to)
}

func (f *FS) do(op, path string, do func(string) error) error {
	if err := f.ask(op, path); err != nil {
		return err
	}
	return do(path)
}

// Remove implements [vfs.FS].
func (f *FS) Remove(path string) error { return f.do("remove", path, f.fs.Remove) }

// MkdirAll implements [vfs.FS].
func (f *FS) MkdirAll(path string) error { return f.do("mkdirall", path, f.fs.MkdirAll) }

// SyncDir implements [vfs.FS].
func (f *FS) SyncDir(path string) error { return f.do("syncdir", path, f.fs.SyncDir) }

// ReadDir implements [vfs.FS].
func (f *FS) ReadDir(path string) ([]string, error) {
	if err := f.ask("readdir", path); err != nil {
		return nil, err
	}
	return f.fs.ReadDir(path)
}

// file is an open file of an FS. A failed Close still closes the file, as the
// system's does.
type file struct {
	vfs.File
	fs   *FS
	path string
}

func (f *file) bytes(op string, do func() (int, error)) (int, error) {
	if err := f.fs.ask(op, f.path); err != nil {
		return 0, err
	}
	return do()
}

func (f *file) Read(b []byte) (int, error) {
	return f.bytes("read", func() (int, error) { return f.File.Read(b) })
}

func (f *file) ReadAt(b []byte, off int64) (int, error) {
	return f.bytes("read", func() (int, error) { return f.File.ReadAt(b, off) })
}

func (f *file) Write(b []byte) (int, error) {
	return f.bytes("write", func() (int, error) { return f.File.Write(b) })
}

func (f *file) WriteAt(b []byte, off int64) (int, error) {
	return f.bytes("write", func() (int, error) { return f.File.WriteAt(b, off) })
}

func (f *file) Attr(buf []byte) (int, error) {
	return f.bytes("attr", func() (int, error) { return f.File.Attr(buf) })
}

func (f *file) Stat() (vfs.Info, error) {
	if err := f.fs.ask("stat", f.path); err != nil {
		return vfs.Info{}, err
	}
	return f.File.Stat()
}

func (f *file) SetAttr(value []byte) error {
	return f.fs.do("setattr", f.path, func(string) error { return f.File.SetAttr(value) })
}

func (f *file) SetAccessed(at time.Time) error {
	return f.fs.do("setaccessed", f.path, func(string) error { return f.File.SetAccessed(at) })
}

func (f *file) Freeze() error {
	return f.fs.do("freeze", f.path, func(string) error { return f.File.Freeze() })
}

func (f *file) Sync() error {
	return f.fs.do("sync", f.path, func(string) error { return f.File.Sync() })
}

func (f *file) Close() error {
	asked := f.fs.ask("close", f.path)
	if err := f.File.Close(); err != nil {
		return err
	}
	return asked
}

// Free is [vfs.Free].
func (f *FS) Free(path string) (int64, error) {
	if err := f.ask("free", path); err != nil {
		return 0, err
	}
	return vfs.Free(f.fs, path)
}
