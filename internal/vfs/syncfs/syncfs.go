// SPDX-License-Identifier: Apache-2.0

// Package syncfs is a file system in memory that forgets what was not synced:
// [FS.Crash] returns what is found when the machine starts again after a power
// failure. It takes every liberty that POSIX leaves to a file system: the
// content of a file, its attribute, its mode and each name in a directory are
// lost or kept independently of each other unless they were synced, whatever
// the order in which they were written.
package syncfs

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tiercecache/tierce/internal/vfs"
)

// FS is the file system. Its directories are separated as the system's are,
// and paths begin at its root, which is there.
type FS struct {
	mu     sync.Mutex
	root   *node
	nodes  uint64 // made so far
	clock  int64  // of the last change
	opened int    // files that are not closed
}

var _ vfs.FS = (*FS)(nil)

// New returns an empty file system.
func New() *FS {
	f := new(FS)
	f.root = f.node(true)
	return f
}

// Opened returns how many files are open.
func (f *FS) Opened() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opened
}

// node is a file or a directory, under any number of names.
type node struct {
	id                          uint64
	dir                         bool
	marked                      bool // see vfs.Info
	modified, changed, accessed int64

	now    content  // of a file
	synced content  // what is on the disk for sure
	names  children // of a directory
}

// children are the names in a directory. A name that changed has, besides, all
// that it stood for since the directory was synced; nil is that it was not there.
type children struct {
	now map[string]*node
	old map[string][]*node
}

// node makes a file or a directory.
func (f *FS) node(dir bool) *node {
	f.nodes++
	n := &node{id: f.nodes, dir: dir, names: children{map[string]*node{}, map[string][]*node{}}}
	n.modified = f.tick()
	n.changed, n.accessed = n.modified, n.modified
	return n
}

// tick returns the time, which is never the same twice.
func (f *FS) tick() int64 {
	f.clock = max(f.clock+1, time.Now().UnixNano())
	return f.clock
}

// set gives a name in a directory to child, or takes it away from whom it had
// for nil.
func (f *FS) set(dir *node, name string, child *node) {
	dir.names.old[name] = append(dir.names.old[name], dir.names.now[name])
	if child == nil {
		delete(dir.names.now, name)
	} else {
		dir.names.now[name] = child
	}
	dir.modified = f.tick()
	dir.changed = dir.modified
}

// find returns what path names, or the error for it.
func (f *FS) find(path string) (*node, error) {
	at := f.root
	for name := range strings.SplitSeq(filepath.ToSlash(strings.TrimPrefix(path, filepath.VolumeName(path))), "/") {
		if name == "" {
			continue
		}
		if !at.dir {
			return nil, syscall.ENOTDIR
		}
		if at = at.names.now[name]; at == nil {
			return nil, syscall.ENOENT
		}
	}
	return at, nil
}

// parent returns the directory of what path names or is to name.
func (f *FS) parent(path string) (*node, string, error) {
	dir, err := f.find(filepath.Dir(path))
	if err == nil && !dir.dir {
		err = syscall.ENOTDIR
	}
	return dir, filepath.Base(path), err
}

func failed(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// Open implements [vfs.FS].
func (f *FS) Open(path string) (vfs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(path)
	if err != nil {
		return nil, failed("open", path, err)
	}
	return f.open(n, path, true, false), nil
}

// Create implements [vfs.FS].
func (f *FS) Create(path string) (vfs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, name, err := f.parent(path)
	if err == nil && dir.names.now[name] != nil {
		err = syscall.EEXIST
	}
	if err != nil {
		return nil, failed("create", path, err)
	}
	n := f.node(false)
	n.marked = true
	f.set(dir, name, n)
	return f.open(n, path, false, true), nil
}

// OpenShared implements [vfs.FS].
func (f *FS) OpenShared(path string) (vfs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, name, err := f.parent(path)
	if err != nil {
		return nil, failed("open", path, err)
	}
	n := dir.names.now[name]
	switch {
	case n == nil:
		n = f.node(false)
		f.set(dir, name, n)
	case n.dir:
		return nil, failed("open", path, syscall.EISDIR)
	}
	return f.open(n, path, true, true), nil
}

// Stat implements [vfs.FS].
func (f *FS) Stat(path string) (vfs.Info, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(path)
	if err != nil {
		return vfs.Info{}, failed("stat", path, err)
	}
	return n.info(), nil
}

// Attr implements [vfs.FS].
func (f *FS) Attr(path string, buf []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(path)
	if err != nil {
		return 0, failed("getxattr", path, err)
	}
	return n.attr(path, buf)
}

// Rename implements [vfs.FS].
func (f *FS) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.rename(from, to)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

func (f *FS) rename(from, to string) error {
	moved, err := f.find(from)
	if err != nil {
		return err
	}
	newDir, newName, err := f.parent(to)
	if err != nil {
		return err
	}
	switch there := newDir.names.now[newName]; {
	case there == moved:
		return nil
	case there != nil && there.dir && !moved.dir:
		return syscall.EISDIR
	case there != nil && !there.dir && moved.dir:
		return syscall.ENOTDIR
	case there != nil && there.dir && len(there.names.now) > 0:
		return syscall.ENOTEMPTY
	case there != nil:
		there.changed = f.tick()
	}
	oldDir, oldName, _ := f.parent(from) // found above
	f.set(newDir, newName, moved)
	f.set(oldDir, oldName, nil)
	moved.changed = f.tick()
	return nil
}

// Move implements [vfs.FS].
func (f *FS) Move(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(from)
	var dir *node
	var name string
	if err == nil {
		dir, name, err = f.parent(to)
	}
	switch {
	case err != nil:
	case dir.names.now[name] != nil:
		err = syscall.EEXIST
	}
	if err != nil {
		return &os.LinkError{Op: "move", Old: from, New: to, Err: err}
	}
	oldDir, oldName, _ := f.parent(from) // found above
	f.set(dir, name, n)
	f.set(oldDir, oldName, nil)
	n.changed = f.tick()
	return nil
}

// Remove implements [vfs.FS].
func (f *FS) Remove(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(path)
	if err == nil && len(n.names.now) > 0 {
		err = syscall.ENOTEMPTY
	}
	if err != nil {
		return failed("remove", path, err)
	}
	dir, name, _ := f.parent(path) // it was found
	f.set(dir, name, nil)
	n.changed = f.tick()
	return nil
}

// MkdirAll implements [vfs.FS].
func (f *FS) MkdirAll(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return failed("mkdir", path, f.mkdirAll(path))
}

func (f *FS) mkdirAll(path string) error {
	n, err := f.find(path)
	if err == nil && !n.dir {
		return syscall.ENOTDIR
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := f.mkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	dir, name, err := f.parent(path)
	if err == nil {
		f.set(dir, name, f.node(true))
	}
	return err
}

// ReadDir implements [vfs.FS].
func (f *FS) ReadDir(path string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(path)
	if err == nil && !n.dir {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, failed("open", path, err)
	}
	return slices.Collect(maps.Keys(n.names.now)), nil
}

// SyncDir implements [vfs.FS].
func (f *FS) SyncDir(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(path)
	if err == nil && !n.dir {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return failed("open", path, err)
	}
	clear(n.names.old)
	return nil
}
