// SPDX-License-Identifier: Apache-2.0

package vfs_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/internal/vfs"
)

// in returns the path of name in a new directory.
func in(t testing.TB, name string) string {
	t.Helper()
	return filepath.Join(t.TempDir(), name)
}

func ok(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// create makes a file of body and returns its path.
func create(t testing.TB, body string) string {
	t.Helper()
	path := in(t, "file")
	ok(t, os.WriteFile(path, []byte(body), 0o644))
	return path
}

func open(t testing.TB, path string) vfs.File {
	t.Helper()
	file, err := vfs.OS{}.Open(path)
	ok(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return file
}

func stat(t testing.TB, path string) vfs.Info {
	t.Helper()
	info, err := vfs.OS{}.Stat(path)
	ok(t, err)
	return info
}

func TestReadAndWrite(t *testing.T) {
	path := in(t, "file")
	file, err := vfs.OS{}.Create(path)
	ok(t, err)
	for _, piece := range []string{"one ", "", "two"} {
		n, err := file.Write([]byte(piece))
		if n != len(piece) || err != nil {
			t.Errorf("Write: %d and error %v, want %d", n, err, len(piece))
		}
	}
	_, err = file.WriteAt([]byte("T"), 4)
	ok(t, err, file.Sync(), file.Close())

	file = open(t, path)
	if body, err := io.ReadAll(file); string(body) != "one Two" || err != nil {
		t.Errorf("read %q and error %v", body, err)
	}
	for _, test := range []struct {
		at   int64
		len  int
		want string
		err  error
	}{{0, 3, "one", nil}, {4, 3, "Two", nil}, {4, 9, "Two", io.EOF}, {7, 1, "", io.EOF}, {99, 1, "", io.EOF}, {7, 0, "", nil}} {
		buf := make([]byte, test.len)
		if n, err := file.ReadAt(buf, test.at); string(buf[:n]) != test.want || err != test.err {
			t.Errorf("ReadAt %d bytes at %d: %q and error %v, want %q and %v", test.len, test.at, buf[:n], err, test.want, test.err)
		}
	}
	ok(t, file.Close())
}

func TestShared(t *testing.T) {
	path := in(t, "table")
	for _, piece := range []string{"one", "two"} {
		file, err := vfs.OS{}.OpenShared(path) // makes it, then opens it
		ok(t, err)
		_, err = file.WriteAt([]byte(piece), int64(len(piece))*2)
		ok(t, err, file.Close())
	}
	if body, err := os.ReadFile(path); string(body) != "\x00\x00\x00\x00\x00\x00two" || err != nil {
		t.Errorf("the file is %q and error %v", body, err)
	}
}

func TestStat(t *testing.T) {
	path := create(t, strings.Repeat("x", 5000))
	dir := filepath.Dir(path)
	info := stat(t, path)
	if !info.Regular || info.Dir || info.Size != 5000 || info.Disk < 5000 || info.Disk%512 != 0 {
		t.Errorf("Stat: %+v", info)
	}
	if opened, err := open(t, path).Stat(); err != nil || opened != info {
		t.Errorf("Stat of the open file: %+v and error %v, want %+v", opened, err, info)
	}
	if info := stat(t, dir); info.Regular || !info.Dir {
		t.Errorf("Stat of a directory: %+v", info)
	}
	now := time.Now()
	if age := now.Sub(time.Unix(0, info.Modified)); age < -time.Minute || age > time.Hour {
		t.Errorf("last changed %v ago", age)
	}
}

func TestNames(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "a", "b", "to")
	ok(t, os.WriteFile(from, []byte("from"), 0o600), vfs.OS{}.MkdirAll(filepath.Dir(to)), vfs.OS{}.MkdirAll(filepath.Dir(to)))
	ok(t, vfs.OS{}.Move(from, to), os.WriteFile(from, []byte("another"), 0o600))
	if err := (vfs.OS{}).Move(from, to); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Move to a taken name: %v, want %v", err, fs.ErrExist)
	}
	if body, err := os.ReadFile(to); string(body) != "from" || err != nil {
		t.Errorf("after Move: %q and error %v", body, err)
	}
	ok(t, os.WriteFile(from+"2", []byte("second"), 0o600), vfs.OS{}.Rename(from+"2", to), vfs.OS{}.SyncDir(filepath.Dir(to)))
	if body, err := os.ReadFile(to); string(body) != "second" || err != nil {
		t.Errorf("after Rename: %q and error %v", body, err)
	}
	names, err := vfs.OS{}.ReadDir(dir)
	slices.Sort(names)
	if !slices.Equal(names, []string{"a", "from"}) || err != nil {
		t.Errorf("ReadDir: %v and error %v", names, err)
	}
	if err := (vfs.OS{}).Remove(filepath.Dir(to)); err == nil {
		t.Error("Remove of a directory that is not empty: no error")
	}
	ok(t, vfs.OS{}.Remove(to), vfs.OS{}.Remove(filepath.Dir(to)))
}

// TestErrors checks that every operation on what is not there says so, with its
// name and the path.
func TestErrors(t *testing.T) {
	path := in(t, filepath.Join("no", "such", "file"))
	fsys := vfs.OS{}
	second := func(_ any, err error) error { return err }
	for op, err := range map[string]error{
		"open":   second(fsys.Open(path)),
		"create": second(fsys.Create(path)),
		"shared": second(fsys.OpenShared(path)),
		"stat":   second(fsys.Stat(path)),
		"rename": fsys.Rename(path, path+"2"),
		"move":   fsys.Move(path, path+"2"),
		"remove": fsys.Remove(path),
		"list":   second(fsys.ReadDir(path)),
	} {
		var one *fs.PathError
		var two *os.LinkError
		named := errors.As(err, &one) && one.Op != "" && one.Path == path || errors.As(err, &two) && two.Op != "" && two.Old == path
		if !errors.Is(err, fs.ErrNotExist) || !named || !strings.Contains(err.Error(), path) {
			t.Errorf("F10 %s: %v (%T), want that %s is not there", op, err, err, path)
		}
	}
	file := create(t, "")
	for op, err := range map[string]error{
		"create of what is there":  second(fsys.Create(file)),
		"mkdir through a file":     fsys.MkdirAll(filepath.Join(file, "dir")),
		"open through a file":      second(fsys.Open(filepath.Join(file, "entry"))),
		"list of a file":           second(fsys.ReadDir(file)),
		"shared open of directory": second(fsys.OpenShared(filepath.Dir(file))),
	} {
		if err == nil || !strings.Contains(err.Error(), filepath.Dir(file)) {
			t.Errorf("F10 %s: %v, want an error with the path", op, err)
		}
	}
	if err := second(fsys.Create(file)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create of what is there: %v, want %v", err, fs.ErrExist)
	}
}

func TestCloseTwice(t *testing.T) {
	file, err := vfs.OS{}.Open(create(t, "body"))
	ok(t, err, file.Close())
	_ = file.Close() // whatever it returns, it closes nobody else's file
	other := open(t, create(t, "other"))
	_ = file.Close()
	if body, err := io.ReadAll(other); string(body) != "other" || err != nil {
		t.Errorf("another file after a second Close: %q and error %v", body, err)
	}
	if _, err := file.Read(make([]byte, 1)); err == nil {
		t.Error("reading a closed file: no error")
	}
}

func TestSetAccessed(t *testing.T) {
	path := create(t, "body")
	written := time.Unix(1_600_000_000, 0)
	ok(t, os.Chtimes(path, written, written))
	used := time.Unix(1_700_000_000, 123_000_000)
	ok(t, open(t, path).SetAccessed(used))
	info := stat(t, path)
	if info.Accessed != used.UnixNano() {
		t.Errorf("last use %v, want %v", time.Unix(0, info.Accessed), used)
	}
	if info.Modified != written.UnixNano() {
		t.Errorf("F7 last change %v, want %v", time.Unix(0, info.Modified), written)
	}
}
