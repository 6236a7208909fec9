// SPDX-License-Identifier: Apache-2.0

package faultfs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/internal/vfs/faultfs"
)

// everything calls each method once and returns the errors by name.
func everything(fsys vfs.FS, dir string) (map[string]error, error) {
	path := filepath.Join(dir, "file")
	errs := make(map[string]error)
	file, err := fsys.Create(path)
	if err != nil {
		return errs, err
	}
	buf := make([]byte, 8)
	_, errs["write"] = file.Write([]byte("body"))
	errs["setattr"] = file.SetAttr([]byte("value"))
	errs["sync"] = file.Sync()
	errs["freeze"] = file.Freeze()
	errs["setaccessed"] = file.SetAccessed(time.Unix(1, 0))
	_, errs["stat of the file"] = file.Stat()
	_, errs["attr of the file"] = file.Attr(buf)
	errs["close"] = file.Close()
	_, errs["stat"] = fsys.Stat(path)
	_, errs["attr"] = fsys.Attr(path, buf)
	errs["mkdirall"] = fsys.MkdirAll(filepath.Join(dir, "dir"))
	errs["move"] = fsys.Move(path, filepath.Join(dir, "moved"))
	errs["rename"] = fsys.Rename(filepath.Join(dir, "moved"), filepath.Join(dir, "renamed"))
	_, errs["readdir"] = fsys.ReadDir(dir)
	errs["syncdir"] = fsys.SyncDir(dir)
	errs["remove"] = fsys.Remove(filepath.Join(dir, "dir"))
	shared, err := fsys.OpenShared(filepath.Join(dir, "shared"))
	if err != nil {
		return errs, err
	}
	_, errs["writeat"] = shared.WriteAt([]byte("body"), 0)
	_, errs["readat"] = shared.ReadAt(buf[:4], 0)
	opened, err := fsys.Open(filepath.Join(dir, "renamed"))
	if err != nil {
		return errs, err
	}
	_, errs["read"] = opened.Read(buf)
	return errs, errors.Join(shared.Close(), opened.Close())
}

func TestEachCallIsAsked(t *testing.T) {
	var ops []string
	dir := t.TempDir()
	fsys := faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
		if call.N != len(ops)+1 || filepath.Dir(call.Path) != dir && call.Path != dir {
			t.Errorf("call %v is number %d", call, len(ops)+1)
		}
		ops = append(ops, call.Op)
		return nil
	})
	errs, err := everything(fsys, dir)
	for op, err := range errs {
		if err != nil {
			t.Errorf("%s without a fault: %v", op, err)
		}
	}
	want := []string{
		"create", "write", "setattr", "sync", "freeze", "setaccessed", "stat", "attr", "close",
		"stat", "attr", "mkdirall", "move", "rename", "readdir", "syncdir", "remove",
		"openshared", "write", "read", "open", "read", "close", "close",
	}
	if err != nil || !slices.Equal(ops, want) {
		t.Errorf("error %v, asked for\n%v, want\n%v", err, ops, want)
	}
}

func TestFail(t *testing.T) {
	for n := 1; ; n++ {
		var failed faultfs.Call
		errs, err := everything(faultfs.New(vfs.OS{}, faultfs.Fail(n, syscall.EIO, &failed)), t.TempDir())
		if failed.N == 0 {
			if err != nil || n == 1 {
				t.Errorf("after %d calls: %v", n, err)
			}
			return
		}
		var found *fs.PathError
		for _, one := range append(slices.Collect(maps.Values(errs)), err) {
			if errors.Is(one, syscall.EIO) {
				_ = errors.As(one, &found)
			}
		}
		if found == nil || found.Op != failed.Op || found.Path != failed.Path || failed.N != n {
			t.Errorf("call %v: errors %v and %v", failed, errs, err)
		}
	}
}

func TestFailedCallDoesNothing(t *testing.T) {
	for _, op := range []string{"create", "write", "remove", "rename", "mkdirall"} {
		t.Run(op, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "there")
			if err := os.WriteFile(path, []byte("body"), 0o600); err != nil {
				t.Fatal(err)
			}
			fsys := faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
				if call.Op == op {
					return syscall.ENOSPC
				}
				return nil
			})
			switch op {
			case "create":
				_, _ = fsys.Create(filepath.Join(dir, "new"))
			case "mkdirall":
				_ = fsys.MkdirAll(filepath.Join(dir, "new"))
			case "remove":
				_ = fsys.Remove(path)
			case "rename":
				_ = fsys.Rename(path, filepath.Join(dir, "new"))
			case "write":
				file, err := fsys.OpenShared(path)
				if err != nil {
					t.Fatal(err)
				}
				if n, err := file.Write([]byte("other")); n != 0 || err != syscall.ENOSPC {
					t.Errorf("Write: %d and error %v", n, err)
				}
				_ = file.Close()
			}
			names, err := fsys.ReadDir(dir)
			if body, readErr := os.ReadFile(path); len(names) != 1 || err != nil || string(body) != "body" || readErr != nil {
				t.Errorf("afterwards there are %v, the file is %q (errors %v, %v)", names, body, err, readErr)
			}
		})
	}
	t.Run("close closes all the same", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		fsys := faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
			if call.Op == "close" {
				return syscall.EIO
			}
			return nil
		})
		file, err := fsys.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != syscall.EIO {
			t.Errorf("Close: %v, want %v", err, syscall.EIO)
		}
		if _, err := file.Stat(); err == nil {
			t.Error("the file is still open")
		}
	})
}

func Example() {
	var failed faultfs.Call
	fsys := faultfs.New(vfs.OS{}, faultfs.Fail(2, syscall.ENOSPC, &failed))
	_, _ = fsys.Stat("/") // the first call
	_, err := fsys.Create("/no/such/file")
	fmt.Println(err)
	fmt.Println(failed)
	// Output:
	// create /no/such/file: no space left on device
	// 2: create /no/such/file
}
