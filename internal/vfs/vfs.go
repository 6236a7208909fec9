// SPDX-License-Identifier: Apache-2.0

// Package vfs is the seam between the disk tier and the operating system:
// everything that a filestream directory asks of a file system, and no more.
// [OS] is the real one; all platform code of the module is in its files. Tests
// put a failing or a forgetful one in its place (packages vfs/faultfs and
// vfs/syncfs).
package vfs

import (
	"io"
	"time"
)

// AttrName is the extended attribute in which an entry's file carries its
// head; the digit is the format's version. With this length and a value of 64
// bytes it fits into the spare room of an ext4 inode of 256 bytes; one byte more
// costs a disk block of its own (measured with st_blocks on Linux 6.18).
const AttrName = "user.tierce1"

// FS is what the disk tier asks of a file system. Paths are absolute. Errors
// are *fs.PathError or *os.LinkError with the operation and the path, and wrap
// what the system said. A missing file is fs.ErrNotExist. Methods may be called
// at the same time.
type FS interface {
	// Open opens a file for reading, without counting as a use of it where
	// the system can do that. It does not wait for the other end of a pipe, and
	// does not follow a link where the system can do that.
	Open(path string) (File, error)
	// Create makes a new file for writing; a path that exists is fs.ErrExist. The
	// file is marked (see [Info]) from its first moment on.
	Create(path string) (File, error)
	// OpenShared opens a file for reading and writing in place, and makes it if
	// it is missing. Several processes may have it open.
	OpenShared(path string) (File, error)
	// Stat describes the file itself, not what a link points to.
	Stat(path string) (Info, error)
	// Attr reads the attribute of the file at path into buf and returns its
	// length; one that is missing is fs.ErrNotExist, as is a missing file, and
	// one that is longer than buf is syscall.ERANGE. A system without
	// attributes returns errors.ErrUnsupported.
	Attr(path string, buf []byte) (int, error)
	// Rename puts the file from in the place of to, atomically.
	Rename(from, to string) error
	// Move gives the file from the name to in place of its own, atomically as far
	// as to is concerned; a taken name is fs.ErrExist. A system that can do that
	// neither at once nor with links returns errors.ErrUnsupported.
	Move(from, to string) error
	// Remove deletes a file, or a directory that is empty.
	Remove(path string) error
	// MkdirAll makes a directory and its parents, each only for this user.
	MkdirAll(path string) error
	// ReadDir returns the names in a directory, in no order.
	ReadDir(path string) ([]string, error)
	// SyncDir makes the names in a directory durable.
	SyncDir(path string) error
}

// File is an open file. The caller closes it, once.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Closer
	// Stat describes the open file.
	Stat() (Info, error)
	// Attr reads the attribute as [FS.Attr] does.
	Attr(buf []byte) (int, error)
	// SetAttr writes the attribute, or returns errors.ErrUnsupported.
	SetAttr(value []byte) error
	// SetAccessed sets the time of last use and leaves that of the last change.
	SetAccessed(at time.Time) error
	// Freeze takes everybody's right to write to the file from now on.
	Freeze() error
	// Sync makes content and attribute durable.
	Sync() error
}

// Info describes a file.
type Info struct {
	ID       uint64 // inode; 0 where the system tells none
	Size     int64  // length in bytes
	Disk     int64  // bytes that it takes on disk, in whole blocks
	Modified int64  // last change of content, Unix nanoseconds
	Changed  int64  // last change of content, name or attribute; 0 where the system tells none
	Accessed int64  // last use, Unix nanoseconds
	Regular  bool   // neither directory, link nor device
	Dir      bool   // a directory
	Frozen   bool   // nobody may write to it (see [File.Freeze])
	Marked   bool   // made by [FS.Create], as far as the system can keep that with the file's mode
}

// Same reports whether two descriptions are of the same, unchanged file: what
// has to be true before it is deleted on the strength of an earlier look.
func (i Info) Same(j Info) bool {
	return i.ID == j.ID && i.Size == j.Size && i.Modified == j.Modified
}

// Used is when the file was last used or written, Unix nanoseconds: the order
// of eviction, whatever the mount options.
func (i Info) Used() int64 { return max(i.Accessed, i.Modified) }
