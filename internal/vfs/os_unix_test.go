// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package vfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tiercecache/tierce/internal/vfs"
)

func TestFreeze(t *testing.T) {
	path := create(t, "body")
	if stat(t, path).Frozen {
		t.Error("a new file counts as frozen")
	}
	ok(t, open(t, path).Freeze())
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o444 || !stat(t, path).Frozen {
		t.Errorf("mode %v and error %v, frozen is %t", info.Mode(), err, stat(t, path).Frozen)
	}
}

func TestFreezeNew(t *testing.T) {
	path := in(t, "new")
	file, err := vfs.OS{}.Create(path)
	ok(t, err, file.Freeze(), file.Close())
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o444 || !stat(t, path).Frozen || stat(t, path).Marked != (runtime.GOOS == "linux") {
		t.Errorf("mode %v and error %v: %+v", info.Mode(), err, stat(t, path))
	}
}

// TestMoveByLinks is about file systems that cannot move without replacing.
func TestMoveByLinks(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.EINVAL, unix.ENOSYS, unix.ENOTSUP} {
		cannot := func(string, string) error { return errno }
		from := create(t, "body")
		ok(t, vfs.MoveBy(cannot, from, from+"2"))
		if body, err := os.ReadFile(from + "2"); string(body) != "body" || err != nil {
			t.Errorf("%v: %q and error %v", errno, body, err)
		}
		if _, err := os.Stat(from); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: what was moved is still there (%v)", errno, err)
		}
		other := create(t, "other")
		if err := vfs.MoveBy(cannot, other, from+"2"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%v: to a taken name: %v, want %v", errno, err, fs.ErrExist)
		}
	}
}

func TestModes(t *testing.T) {
	dir := in(t, filepath.Join("a", "b"))
	ok(t, vfs.OS{}.MkdirAll(dir))
	for _, path := range []string{dir, filepath.Dir(dir)} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("F11 %s has mode %v and error %v, want 0700", path, info.Mode(), err)
		}
	}
}

func TestInode(t *testing.T) {
	path := create(t, "body")
	ok(t, os.Link(path, path+"2"))
	one, two := stat(t, path), stat(t, path+"2")
	if one.ID == 0 || one.ID != two.ID || one.Changed == 0 {
		t.Errorf("two names of a file: %+v and %+v", one, two)
	}
	ok(t, os.WriteFile(path+"3", []byte("body"), 0o600))
	if three := stat(t, path+"3"); three.ID == one.ID || three.Same(one) {
		t.Errorf("another file: %+v and %+v", one, three)
	}
}

func TestLinksAndPipes(t *testing.T) {
	path := create(t, "body")
	ok(t, os.Symlink(path, path+".link"), unix.Mkfifo(path+".pipe", 0o600))
	if info := stat(t, path+".link"); info.Regular || info.Dir {
		t.Errorf("Stat of a link: %+v, want not what it points to", info)
	}
	if file, err := (vfs.OS{}).Open(path + ".link"); err == nil {
		t.Errorf("Open of a link: %v, want an error", file)
	}
	pipe := open(t, path+".pipe") // does not wait for a writer
	if info, err := pipe.Stat(); err != nil || info.Regular {
		t.Errorf("Stat of a pipe: %+v and error %v", info, err)
	}
	ok(t, vfs.OS{}.Remove(path+".link"))
	if _, err := os.Stat(path); err != nil {
		t.Errorf("after Remove of a link to it: %v", err)
	}
}

func TestAttr(t *testing.T) {
	path := create(t, "body")
	file, err := vfs.OS{}.OpenShared(path)
	ok(t, err)
	defer file.Close() //nolint:errcheck // of the test
	buf := make([]byte, 100)
	attrs := map[string]func([]byte) (int, error){
		"FS":   func(b []byte) (int, error) { return vfs.OS{}.Attr(path, b) },
		"File": file.Attr,
	}
	for name, attr := range attrs {
		if _, err := attr(buf); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s.Attr of a file without it: %v, want %v", name, err, fs.ErrNotExist)
		}
	}
	for _, value := range []string{"value", "a longer value", "", strings.Repeat("x", 100)} {
		ok(t, file.SetAttr([]byte(value)))
		for name, attr := range attrs {
			if n, err := attr(buf); string(buf[:n]) != value || err != nil {
				t.Errorf("%s.Attr: %q and error %v, want %q", name, buf[:n], err, value)
			}
		}
	}
	ok(t, file.SetAttr(make([]byte, 101)))
	for name, attr := range attrs {
		if n, err := attr(buf); n != 0 || !errors.Is(err, syscall.ERANGE) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s.Attr that does not fit: %d and error %v, want %v", name, n, err, syscall.ERANGE)
		}
	}
	ok(t, vfs.OS{}.Rename(path, path+"2"))
	if n, err := (vfs.OS{}).Attr(path+"2", make([]byte, 200)); n != 101 || err != nil {
		t.Errorf("after Rename: %d bytes and error %v, want 101", n, err)
	}
	if _, err := (vfs.OS{}).Attr(path, buf); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Attr of a missing file: %v, want %v", err, fs.ErrNotExist)
	}
}

// TestClosedFile checks that each method of a closed file is an error that names
// operation and path.
func TestClosedFile(t *testing.T) {
	path := create(t, "body")
	file, err := vfs.OS{}.Open(path)
	ok(t, err, file.Close())
	second := func(_ any, err error) error { return err }
	buf := make([]byte, 1)
	for op, err := range map[string]error{
		"read": second(file.ReadAt(buf, 0)), "write": second(file.WriteAt(buf, 0)), "stat": second(file.Stat()),
		"getxattr": second(file.Attr(buf)), "setxattr": file.SetAttr(buf), "utimensat": file.SetAccessed(time.Unix(1, 0)),
		"chmod": file.Freeze(), "sync": file.Sync(),
	} {
		var named *fs.PathError
		if !errors.As(err, &named) || named.Op != op || named.Path != path || !errors.Is(err, unix.EBADF) {
			t.Errorf("F10 %s of a closed file: %v (%T)", op, err, err)
		}
	}
	if _, err := file.Write(buf); !errors.Is(err, unix.EBADF) {
		t.Errorf("F10 write to a closed file: %v", err)
	}
}
