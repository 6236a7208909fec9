// SPDX-License-Identifier: Apache-2.0

package syncfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"syscall"
	"time"

	"github.com/tiercecache/tierce/internal/vfs"
)

const pageSize = 4096

type page = [pageSize]byte

// content is what a file consists of. Pages are never changed but replaced, so
// that a copy of their map is a copy of the file; those that are missing are
// zeroes.
type content struct {
	size   int64
	pages  map[int64]*page
	attr   []byte // nil: none
	frozen bool
}

func (c content) clone() content {
	c.pages = maps.Clone(c.pages)
	return c
}

func (c *content) readAt(b []byte, at int64) int {
	n := int(max(0, min(int64(len(b)), c.size-at)))
	for done := 0; done < n; {
		number, within := (at+int64(done))/pageSize, int((at+int64(done))%pageSize)
		piece := b[done:min(n, done+pageSize-within)]
		if p := c.pages[number]; p != nil {
			copy(piece, p[within:])
		} else {
			clear(piece)
		}
		done += len(piece)
	}
	return n
}

func (c *content) writeAt(b []byte, at int64) {
	if c.pages == nil {
		c.pages = make(map[int64]*page)
	}
	for len(b) > 0 {
		var fresh page
		if p := c.pages[at/pageSize]; p != nil {
			fresh = *p
		}
		n := copy(fresh[at%pageSize:], b)
		c.pages[at/pageSize] = &fresh
		b, at = b[n:], at+int64(n)
		c.size = max(c.size, at)
	}
}

// truncate makes the file shorter.
func (c *content) truncate(size int64) {
	c.size = size
	for number := range c.pages {
		if number*pageSize >= size {
			delete(c.pages, number)
		}
	}
	if last := c.pages[size/pageSize]; last != nil {
		fresh := *last
		clear(fresh[size%pageSize:])
		c.pages[size/pageSize] = &fresh
	}
}

func (n *node) info() vfs.Info {
	return vfs.Info{
		ID: n.id, Size: n.now.size, Disk: int64(len(n.now.pages)) * pageSize,
		Modified: n.modified, Changed: n.changed, Accessed: n.accessed,
		Regular: !n.dir, Dir: n.dir, Frozen: n.now.frozen, Marked: n.marked,
	}
}

func (n *node) attr(path string, buf []byte) (int, error) {
	switch {
	case n.now.attr == nil:
		return 0, failed("getxattr", path, fs.ErrNotExist)
	case len(n.now.attr) > len(buf):
		return 0, failed("getxattr", path, syscall.ERANGE)
	}
	return copy(buf, n.now.attr), nil
}

// file is an open file.
type file struct {
	fs            *FS
	node          *node
	path          string
	reads, writes bool
	closed        bool
	at            int64 // of the next Read or Write
}

func (f *FS) open(n *node, path string, reads, writes bool) *file {
	f.opened++
	return &file{fs: f, node: n, path: path, reads: reads, writes: writes}
}

// with calls do on the file while nobody else is at the file system.
func (o *file) with(op string, may bool, do func(*node) error) error {
	o.fs.mu.Lock()
	defer o.fs.mu.Unlock()
	if o.closed || !may {
		return failed(op, o.path, syscall.EBADF)
	}
	err := do(o.node)
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		return failed(op, o.path, err)
	}
	return err
}

// change is with for what changes the file; its ctime then is now.
func (o *file) change(op string, may bool, do func(*node)) error {
	return o.with(op, may, func(n *node) error {
		do(n)
		n.changed = o.fs.tick()
		return nil
	})
}

func (o *file) Read(b []byte) (n int, err error) {
	n, err = o.ReadAt(b, o.at)
	o.at += int64(n)
	if n > 0 && err == io.EOF { //nolint:errorlint // our own, bare
		err = nil
	}
	return n, err
}

func (o *file) ReadAt(b []byte, at int64) (n int, err error) {
	err = o.with("read", o.reads, func(file *node) error {
		if file.dir {
			return syscall.EISDIR
		}
		if n = file.now.readAt(b, at); n < len(b) {
			return io.EOF
		}
		return nil
	})
	return n, err
}

func (o *file) Write(b []byte) (int, error) {
	n, err := o.WriteAt(b, o.at)
	o.at += int64(n)
	return n, err
}

func (o *file) WriteAt(b []byte, at int64) (int, error) {
	err := o.change("write", o.writes, func(n *node) {
		if len(b) > 0 {
			n.now.writeAt(b, at)
			n.modified = o.fs.tick()
		}
	})
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

func (o *file) Close() error {
	o.fs.mu.Lock()
	defer o.fs.mu.Unlock()
	if !o.closed {
		o.closed = true
		o.fs.opened--
	}
	return nil
}

func (o *file) Stat() (info vfs.Info, err error) {
	err = o.with("stat", true, func(n *node) error {
		info = n.info()
		return nil
	})
	return info, err
}

func (o *file) Attr(buf []byte) (n int, err error) {
	err = o.with("getxattr", true, func(file *node) error {
		n, err = file.attr(o.path, buf)
		return err
	})
	return n, err
}

func (o *file) SetAttr(value []byte) error {
	return o.change("setxattr", true, func(n *node) { n.now.attr = append([]byte{}, value...) })
}

func (o *file) SetAccessed(at time.Time) error {
	return o.change("utimensat", true, func(n *node) { n.accessed = at.UnixNano() })
}

func (o *file) Freeze() error {
	return o.change("chmod", true, func(n *node) { n.now.frozen = true })
}

func (o *file) Sync() error {
	return o.with("sync", true, func(n *node) error {
		n.synced = n.now.clone()
		return nil
	})
}

// same reports whether both have the same bytes.
func (c content) same(d content) bool {
	return c.size == d.size && maps.EqualFunc(c.pages, d.pages, func(p, q *page) bool { return p == q || bytes.Equal(p[:], q[:]) })
}
