// SPDX-License-Identifier: Apache-2.0

package faultsys_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tiercecache/tierce/internal/faultsys"
)

// run fails the test if calls cannot be watched, and returns those on dir.
func run(t *testing.T, dir string, do func(), hook func(faultsys.Call) syscall.Errno) (names []string) {
	t.Helper()
	err := faultsys.Run(do, func(call faultsys.Call) syscall.Errno {
		if !strings.HasPrefix(call.Path, dir) {
			return 0
		}
		names = append(names, call.Name)
		return hook(call)
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func none(faultsys.Call) syscall.Errno { return 0 }

func TestRun(t *testing.T) {
	dir := t.TempDir()
	path, moved := filepath.Join(dir, "file"), filepath.Join(dir, "moved")
	var errs error
	got := run(t, dir, func() {
		errs = errors.Join(os.WriteFile(path, []byte("text"), 0o600), os.Rename(path, moved))
		text, err := os.ReadFile(moved)
		if errs = errors.Join(errs, err, os.Remove(moved)); string(text) != "text" {
			t.Errorf("read %q", text)
		}
	}, none)
	want := []string{"openat", "write", "fstatat", "renameat", "openat", "fstat", "read", "read", "unlinkat"}
	if errs != nil || !slices.Equal(got, want) {
		t.Errorf("watched %v (error %v), want %v", got, errs, want)
	}
}

// TestFails fails one call after the other, each with the error that was asked
// for, and on the path that it is about.
func TestFails(t *testing.T) {
	for n := 1; n <= 2; n++ {
		dir := t.TempDir()
		path := filepath.Join(dir, "file")
		var err error
		seen := 0
		run(t, dir, func() { err = os.WriteFile(path, []byte("text"), 0o600) }, func(call faultsys.Call) syscall.Errno {
			if seen++; seen == n {
				return syscall.ENOSPC
			}
			return 0
		})
		var failed *fs.PathError
		if !errors.As(err, &failed) || failed.Err != syscall.ENOSPC || failed.Path != path {
			t.Errorf("call %d: error %v, want ENOSPC of %s", n, err, path)
		}
	}
}

// TestOthersGoOn: the calls of other goroutines, and of this one later, do not
// fail.
func TestOthersGoOn(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	var mine, other error
	run(t, dir, func() {
		mine = os.WriteFile(path, nil, 0o600)
		written := make(chan error)
		go func() { written <- os.WriteFile(path, nil, 0o600) }()
		other = <-written
	}, func(faultsys.Call) syscall.Errno { return syscall.EIO })
	if !errors.Is(mine, syscall.EIO) || other != nil {
		t.Errorf("errors %v and %v, want EIO and none", mine, other)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Errorf("later: %v", err)
	}
}
