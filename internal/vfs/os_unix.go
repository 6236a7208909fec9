// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// OS is the operating system's own file system. It goes to the system calls
// directly: an os.File asks the poller about each file (one system call more,
// and an epoll instance at the first), which a helper that lives for a tenth of a
// second feels; measured in docs/benchmarks.md.
type OS struct{}

var _ FS = OS{}

func pathError(op, path string, err error) error {
	switch err {
	case nil:
		return nil
	case unix.ENOTSUP:
		return errors.ErrUnsupported
	case errNoAttr:
		err = fs.ErrNotExist
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// again repeats what a signal interrupted.
func again[T any](call func() (T, error)) (T, error) {
	for {
		v, err := call()
		if err != unix.EINTR {
			return v, err
		}
	}
}

func open(op, path string, flags int, mode uint32) (*osFile, error) {
	fd, err := again(func() (int, error) { return unix.Open(path, flags|unix.O_CLOEXEC, mode) })
	if err != nil {
		return nil, pathError(op, path, err)
	}
	return &osFile{fd: fd, path: path}, nil
}

// opened returns an open file as what the interface has, or nil.
func opened(file *osFile, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return file, nil
}

// Create implements [FS].
func (OS) Create(path string) (File, error) {
	file, err := open("create", path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o644|mark)
	if err != nil {
		return nil, err
	}
	file.made = true
	return file, nil
}

// OpenShared implements [FS].
func (OS) OpenShared(path string) (File, error) {
	return opened(open("open", path, unix.O_RDWR|unix.O_CREAT, 0o644))
}

// Stat implements [FS].
func (OS) Stat(path string) (Info, error) {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	for err == unix.EINTR {
		err = unix.Lstat(path, &st)
	}
	if err != nil {
		return Info{}, pathError("stat", path, err)
	}
	return info(&st), nil
}

// Attr implements [FS].
func (OS) Attr(path string, buf []byte) (int, error) {
	n, err := unix.Lgetxattr(path, AttrName, buf)
	if err != nil {
		return 0, pathError("getxattr", path, err)
	}
	return n, nil
}

// Rename implements [FS].
func (OS) Rename(from, to string) error {
	if err := unix.Rename(from, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// Move implements [FS]. A file system that cannot move without replacing, such
// as NFS, answers EINVAL, and one without links EPERM.
func (OS) Move(from, to string) error { return moveBy(move, from, to) }

func moveBy(move func(from, to string) error, from, to string) error {
	switch err := move(from, to); err {
	case nil:
		return nil
	case unix.EINVAL, unix.ENOSYS, unix.ENOTSUP:
	default:
		return &os.LinkError{Op: "move", Old: from, New: to, Err: err}
	}
	err := os.Link(from, to)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTSUP) {
		return errors.ErrUnsupported
	}
	if err == nil {
		_ = os.Remove(from) // a second name, which is swept later
	}
	return err
}

// Remove implements [FS].
func (OS) Remove(path string) error { return os.Remove(path) }

// MkdirAll implements [FS]. Mostly the parent is there.
func (OS) MkdirAll(path string) error {
	if unix.Mkdir(path, 0o700) == nil {
		return nil
	}
	return os.MkdirAll(path, 0o700)
}

// SyncDir implements [FS].
func (OS) SyncDir(path string) error {
	dir, err := open("open", path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	err = dir.Sync()
	return errors.Join(err, dir.Close())
}

// osFile is a file descriptor. It has no finalizer: who opens it closes it.
type osFile struct {
	fd   int
	path string
	made bool // by Create
}

func (f *osFile) Read(b []byte) (int, error) {
	return f.count("read", b, func() (int, error) { return unix.Read(f.fd, b) })
}

func (f *osFile) ReadAt(b []byte, off int64) (int, error) {
	done := 0
	for done < len(b) {
		n, err := f.count("read", b, func() (int, error) { return unix.Pread(f.fd, b[done:], off+int64(done)) })
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// count turns what a read returns into what io.Reader promises.
func (f *osFile) count(op string, b []byte, call func() (int, error)) (int, error) {
	n, err := again(call)
	if err != nil {
		return 0, pathError(op, f.path, err)
	}
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (f *osFile) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		n, err := again(func() (int, error) { return unix.Write(f.fd, b[done:]) })
		if err != nil {
			return done, pathError("write", f.path, err)
		}
		done += n
	}
	return done, nil
}

func (f *osFile) WriteAt(b []byte, off int64) (int, error) {
	done := 0
	for done < len(b) {
		n, err := again(func() (int, error) { return unix.Pwrite(f.fd, b[done:], off+int64(done)) })
		if err != nil {
			return done, pathError("write", f.path, err)
		}
		done += n
	}
	return done, nil
}

func (f *osFile) Close() error {
	if f.fd < 0 {
		return nil
	}
	fd := f.fd
	f.fd = -1
	return pathError("close", f.path, unix.Close(fd))
}

func (f *osFile) Stat() (Info, error) {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil {
		return Info{}, pathError("stat", f.path, err)
	}
	return info(&st), nil
}

func (f *osFile) Attr(buf []byte) (int, error) {
	n, err := unix.Fgetxattr(f.fd, AttrName, buf)
	if err != nil {
		return 0, pathError("getxattr", f.path, err)
	}
	return n, nil
}

func (f *osFile) SetAttr(value []byte) error {
	return pathError("setxattr", f.path, unix.Fsetxattr(f.fd, AttrName, value, 0))
}

func (f *osFile) Freeze() error {
	st := unix.Stat_t{Mode: mark}
	if !f.made {
		if err := unix.Fstat(f.fd, &st); err != nil {
			return pathError("chmod", f.path, err)
		}
	}
	return pathError("chmod", f.path, unix.Fchmod(f.fd, uint32(st.Mode)&mark|0o444))
}

func (f *osFile) Sync() error { return pathError("sync", f.path, unix.Fsync(f.fd)) }

func (f *osFile) SetAccessed(at time.Time) error {
	return pathError("utimensat", f.path, setAccessed(f.fd, at.UnixNano()))
}

func info(st *unix.Stat_t) Info {
	kind := st.Mode & unix.S_IFMT
	return Info{
		ID:       st.Ino,
		Size:     st.Size,
		Disk:     int64(st.Blocks) * 512, // st_blocks is in units of 512 bytes, whatever the file system's
		Modified: st.Mtim.Nano(),
		Changed:  st.Ctim.Nano(),
		Accessed: st.Atim.Nano(),
		Regular:  kind == unix.S_IFREG,
		Dir:      kind == unix.S_IFDIR,
		Frozen:   st.Mode&0o222 == 0,
		Marked:   kind == unix.S_IFREG && st.Mode&mark != 0,
	}
}

// Free returns how many bytes this user may still write; see the function
// [Free].
func (OS) Free(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, pathError("statfs", path, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
