// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/internal/vfs/faultfs"
)

// refusing is a file system on which some operations are refused.
func refusing(errno syscall.Errno, ops ...string) vfs.FS {
	return faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
		for _, op := range ops {
			if call.Op == op {
				return &os.PathError{Op: call.Op, Path: call.Path, Err: errno}
			}
		}
		return nil
	})
}

// changes are the operations that a read-only directory refuses. Making a
// directory that is there is none.
var changes = []string{
	"create", "openshared", "write", "setattr", "sync", "rename", "move", "remove", "setaccessed", "freeze", "syncdir",
}

// writes are what says that a directory is read-only.
var writes = map[string]func(context.Context, *filestream.Cache) error{
	"Put": func(ctx context.Context, c *filestream.Cache) error {
		return c.Put(ctx, named("new"), interfaces.Text("body"))
	},
	"Put that replaces": func(ctx context.Context, c *filestream.Cache) error {
		return c.Put(ctx, named("old"), interfaces.Text("body"))
	},
	"Insert": func(ctx context.Context, c *filestream.Cache) error {
		_, err := c.Insert(ctx, named("new"), interfaces.Text("body"))
		return err
	},
	"PutBatch": func(ctx context.Context, c *filestream.Cache) error {
		return c.PutBatch(ctx, []interfaces.Item{{Key: named("new"), Entry: interfaces.Text("body")}})
	},
	"Delete": func(ctx context.Context, c *filestream.Cache) error { return c.Delete(ctx, named("old")) },
	"Clear":  func(ctx context.Context, c *filestream.Cache) error { return c.Clear(ctx) },
	"Evict": func(ctx context.Context, c *filestream.Cache) error {
		_, err := c.Evict(ctx, nil)
		return err
	},
	"VerifyAll": func(ctx context.Context, c *filestream.Cache) error {
		_, err := c.VerifyAll(ctx, true, nil)
		return err
	},
}

// readOnlyDir returns a directory with entries of every size, one damaged.
func readOnlyDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	c := openIn(t, dir, filestream.Options{})
	put(t, c, "old", oldBody)
	put(t, c, "other", smallBody)
	put(t, c, "large", largeBody)
	put(t, c, "damaged", oldBody)
	mustDo(t, c.Close())
	flipBit(t, entryPath(dir, named("damaged")))
	for _, name := range []string{"old", "other", "large"} {
		long := time.Now().Add(-100 * time.Hour)
		setUsed(t, dir, name, long, long)
	}
	return dir
}

// checkReadOnly checks a cache in such a directory, of which nothing can be
// changed.
func checkReadOnly(t testing.TB, c *filestream.Cache) {
	t.Helper()
	for range 2 {
		for name, body := range map[string]string{"old": oldBody, "other": smallBody, "large": largeBody} {
			wantHit(t, c, name, body)
			if got, err := os.ReadFile(handOut(t, c, name)); err != nil || string(got) != body {
				t.Errorf("F13 Path of %s: the file is %s and error %v", name, brief(string(got)), err)
			}
			if _, err := c.Stat(t.Context(), named(name)); err != nil {
				t.Errorf("F13 Stat of %s: %v", name, err)
			}
		}
		if _, err := get(t, c, "damaged"); !errors.Is(err, cacheerr.ErrDamaged) {
			t.Errorf("F13 Get of a damaged entry: %v, want damage", err)
		}
		wantMiss(t, c, "absent")
	}
	for name, write := range writes {
		err := write(t.Context(), c)
		if !errors.Is(err, cacheerr.ErrReadOnly) || !strings.Contains(err.Error(), c.Dir()) {
			t.Errorf("F13 %s: error %v, want %v with a path", name, err, cacheerr.ErrReadOnly)
		}
		if backend := cacheerr.BackendError(nil); !errors.As(err, &backend) {
			t.Errorf("F13 %s: error %T, want a BackendError", name, err)
		}
	}
	if n, err := c.Len(t.Context()); n != 4 || err != nil {
		t.Errorf("F13 Len: %d and error %v, want 4", n, err)
	}
	if usage, err := c.Usage(t.Context(), nil); usage.Entries != 4 || err != nil {
		t.Errorf("F13 Usage: %+v and error %v", usage, err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("F13 Close: %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EROFS, syscall.EACCES, syscall.EPERM} {
		t.Run("F13 serves hits and says that it takes no writes: "+errno.Error(), func(t *testing.T) {
			c, err := filestream.OpenFS(t.Context(), readOnlyDir(t), filestream.Options{MaxBytes: 1}, refusing(errno, changes...))
			mustDo(t, err)
			checkReadOnly(t, c)
		})
	}
	t.Run("F13 what is missing and cannot be made", func(t *testing.T) {
		dir := readOnlyDir(t)
		mustDo(t, os.RemoveAll(filepath.Join(dir, "tmp")), os.RemoveAll(filepath.Join(dir, "state")))
		c, err := filestream.OpenFS(t.Context(), dir, filestream.Options{MaxBytes: 1},
			refusing(syscall.EROFS, append(changes, "mkdirall")...))
		mustDo(t, err)
		checkReadOnly(t, c)
	})
	t.Run("F13 a state that cannot be written to is no error", func(t *testing.T) {
		dir := t.TempDir()
		opts := filestream.Options{MaxBytes: 1 << 20}
		evict(t, openIn(t, dir, opts))
		c, err := filestream.OpenFS(t.Context(), dir, opts, refusing(syscall.EACCES, "openshared"))
		mustDo(t, err)
		put(t, c, "key", smallBody) // too little to be written down before Close
		wantHit(t, c, "key", smallBody)
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	t.Run("F13 a refused recency update makes LRU FIFO and nothing else", func(t *testing.T) {
		dir, clock := t.TempDir(), newClock()
		each := fill(t, dir, clock.now(), ten...)
		opts := filestream.Options{MaxBytes: 5 * each, Clock: clock.now}
		reader := openOn(t, dir, opts, refusing(syscall.EACCES, "setaccessed", "freeze"))
		for _, name := range []string{"a", "b"} {
			wantHit(t, reader, name, blocks(1, name))
			handOut(t, reader, name)
		}
		evict(t, openIn(t, dir, opts))
		if got, want := present(dir, ten...), "g h i j"; got != want {
			t.Errorf("left are %s, want %s", got, want)
		}
	})
}

func TestOpenFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, "not a directory")
	for name, dir := range map[string]string{"a file": file, "below a file": filepath.Join(file, "cache")} {
		t.Run("F10 the directory is "+name, func(t *testing.T) {
			c, err := filestream.Open(t.Context(), dir, filestream.Options{})
			var ill *cacheerr.BackendNotAvailableError
			if c != nil || !errors.As(err, &ill) || !strings.Contains(err.Error(), file) {
				t.Errorf("Open: %v and error %v, want one that names %s", c, err, file)
			}
		})
	}
	for name, ops := range map[string][]string{"cannot be made": {"mkdirall"}, "cannot be listed": {"readdir"}} {
		t.Run("F10 the directory "+name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			c, err := filestream.OpenFS(t.Context(), dir, filestream.Options{}, refusing(syscall.EACCES, ops...))
			var ill *cacheerr.BackendNotAvailableError
			if c != nil || !errors.As(err, &ill) || !errors.Is(err, syscall.EACCES) || !strings.Contains(err.Error(), dir) {
				t.Errorf("Open: %v and error %v, want one that names %s", c, err, dir)
			}
		})
	}
}
