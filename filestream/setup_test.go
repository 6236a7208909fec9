// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

func named(name string) interfaces.Key { return encoding.RawKey([]byte(name)) }

// entryPath returns where F2 of the behaviours has the entry's file.
func entryPath(dir string, key interfaces.Key) string {
	name := key.String()
	return filepath.Join(dir, "entries", name[:2], name[2:])
}

// openOn opens the cache in dir on a file system and closes it when the test
// ends.
func openOn(t testing.TB, dir string, opts filestream.Options, fs vfs.FS) *filestream.Cache {
	t.Helper()
	if opts.Index != filestream.IndexNone {
		checkIndex(t, dir)
	}
	c, err := filestream.OpenFS(t.Context(), dir, opts, fs)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

func openIn(t testing.TB, dir string, opts filestream.Options) *filestream.Cache {
	t.Helper()
	return openOn(t, dir, opts, vfs.OS{})
}

func put(t testing.TB, c *filestream.Cache, name, body string) {
	t.Helper()
	if err := c.Put(t.Context(), named(name), interfaces.Text(body)); err != nil {
		t.Fatalf("Put of %s: %v", name, err)
	}
}

// get returns the body under a name.
func get(t testing.TB, c *filestream.Cache, name string) (string, error) {
	t.Helper()
	entry, err := c.Get(t.Context(), named(name))
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(entry.Reader())
	if err := errors.Join(err, entry.Close()); err != nil {
		t.Fatalf("reading what Get of %s returned: %v", name, err)
	}
	return string(body), nil
}

func wantHit(t testing.TB, c *filestream.Cache, name, body string) {
	t.Helper()
	if got, err := get(t, c, name); err != nil || got != body {
		t.Errorf("Get of %s: %s and error %v, want %s", name, brief(got), err, brief(body))
	}
}

func wantMiss(t testing.TB, c *filestream.Cache, name string) {
	t.Helper()
	if got, err := get(t, c, name); !errors.Is(err, cacheerr.ErrMiss) {
		t.Errorf("Get of %s: %s and error %v, want a miss", name, brief(got), err)
	}
}

func brief(body string) string {
	if len(body) > 16 {
		return body[:16] + "..."
	}
	return body
}

// mustDo is for what a test does to the directory behind the cache's back.
func mustDo(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	mustDo(t, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o644))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// names returns the names in a directory; none if it is missing.
func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found
}

// blocks is a body that takes so many blocks of 4 KiB on disk.
func blocks(n int, fill string) string { return strings.Repeat(fill, n*4096)[:n*4096] }

// clock is a time that the test moves.
type clock struct{ nanos atomic.Int64 }

// newClock returns a clock that is ahead of every file that the test makes
// without setting its time.
func newClock() *clock {
	c := new(clock)
	c.nanos.Store(time.Now().UnixNano())
	return c
}

func (c *clock) now() time.Time { return time.Unix(0, c.nanos.Load()) }

func (c *clock) add(d time.Duration) { c.nanos.Add(int64(d)) }
