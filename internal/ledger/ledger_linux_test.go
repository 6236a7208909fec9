// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/tiercecache/tierce/internal/ledger"
)

// TestNotOurs: a ledger in a directory that one may not write to can be read,
// and appending to it says that it is not permitted.
func TestNotOurs(t *testing.T) {
	path := newPath(t)
	add(t, path, gets(3))
	dir := filepath.Dir(path)
	chmod(t, path, 0o444)
	chmod(t, path+".lock", 0o444)
	chmod(t, dir, 0o555)
	t.Cleanup(func() { chmod(t, dir, 0o755) })
	unprivileged(t, func() {
		line, err := ledger.Sum(t.Context(), path)
		if err != nil || line.Gets != 3 {
			t.Errorf("Sum: %d gets and %v, want 3", line.Gets, err)
		}
		if err := ledger.Append(t.Context(), path, gets(1)); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("Append: %v, want that it is not permitted", err)
		}
	})
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// unprivileged calls do with the rights to files of nobody, if ours are root's.
func unprivileged(t *testing.T, do func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		do()
		return
	}
	for dir := t.TempDir(); dir != "/"; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o011 != 0o011 {
			chmod(t, dir, info.Mode().Perm()|0o011) // a way to the directory of the test
			t.Cleanup(func() { chmod(t, dir, info.Mode().Perm()) })
		}
		if dir == os.TempDir() {
			break
		}
	}
	const nobody = 65534
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with the goroutine, and its rights with it
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Error(err)
		}
		do()
	}()
	<-done
}
