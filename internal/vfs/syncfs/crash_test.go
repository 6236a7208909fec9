// SPDX-License-Identifier: Apache-2.0

package syncfs_test

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/internal/vfs/syncfs"
)

// found returns all that the file path may be after a power failure: its body,
// with the attribute behind a bar, or "none".
func found(t *testing.T, fsys *syncfs.FS, path string) []string {
	t.Helper()
	all := make(map[string]bool)
	for after := range fsys.Crashes(1000, rand.New(rand.NewPCG(1, 2))) {
		if _, err := after.Stat(path); errors.Is(err, fs.ErrNotExist) {
			all["none"] = true
			continue
		}
		buf := make([]byte, 10)
		n, err := after.Attr(path, buf)
		body := read(t, after, path)
		if err == nil {
			body += "|" + string(buf[:n])
		}
		all[body] = true
	}
	return slices.Sorted(maps.Keys(all))
}

func want(t *testing.T, fsys *syncfs.FS, path string, outcomes ...string) {
	t.Helper()
	slices.Sort(outcomes)
	if got := found(t, fsys, path); !slices.Equal(got, outcomes) {
		t.Errorf("%s is after a power failure one of %q, want %q", path, got, outcomes)
	}
}

func TestCrash(t *testing.T) {
	t.Run("a file that was not synced is absent, or has any part of what was written", testCrashContent)
	t.Run("a name and what it names are synced apart", testCrashName)
	t.Run("a rename is seen or not, at either name", testCrashRename)
	t.Run("every name since the last sync may come back", testCrashNames)
	t.Run("what was removed may come back, and whole", testCrashRemoved)
	t.Run("with a directory goes all that is in it", testCrashDirectory)
	t.Run("the file system goes on, and what a crash left is as good as synced", testCrashGoesOn)
}

func testCrashContent(t *testing.T) {
	fsys := syncfs.New()
	create(t, fsys, "/new", "body")
	want(t, fsys, "/new", "none", "", "bo", "bo\x00\x00", "\x00\x00\x00\x00", "body")
}

func testCrashName(t *testing.T) {
	fsys := syncfs.New()
	create(t, fsys, "/new", "body")
	ok(t, fsys.SyncDir("/"))
	want(t, fsys, "/new", "", "bo", "bo\x00\x00", "\x00\x00\x00\x00", "body")
	file, err := fsys.OpenShared("/new")
	ok(t, err, file.Sync())
	want(t, fsys, "/new", "body")
	_, err = file.WriteAt([]byte("B"), 0)
	ok(t, err, file.SetAttr([]byte("a")))
	want(t, fsys, "/new", "body", "body|a", "Body", "Body|a", "Bo", "Bo|a", "Bo\x00\x00", "Bo\x00\x00|a",
		"\x00\x00\x00\x00", "\x00\x00\x00\x00|a")
	ok(t, file.Sync(), file.Close())
	want(t, fsys, "/new", "Body|a")
}

func testCrashRename(t *testing.T) {
	fsys := syncfs.New()
	create(t, fsys, "/old", "old")
	create(t, fsys, "/new", "new")
	fsys.SyncAll()
	ok(t, fsys.Rename("/new", "/old"))
	want(t, fsys, "/old", "old", "new")
	want(t, fsys, "/new", "none", "new")
	ok(t, fsys.SyncDir("/"))
	want(t, fsys, "/old", "new")
	want(t, fsys, "/new", "none")
}

func testCrashNames(t *testing.T) {
	fsys := syncfs.New()
	for _, body := range []string{"one", "two", "three"} {
		create(t, fsys, "/"+body, body)
	}
	fsys.SyncAll()
	ok(t, fsys.Rename("/one", "/name"), fsys.Rename("/two", "/name"), fsys.Remove("/name"), fsys.Rename("/three", "/name"))
	want(t, fsys, "/name", "none", "one", "two", "three")
}

func testCrashRemoved(t *testing.T) {
	fsys := syncfs.New()
	create(t, fsys, "/gone", "body")
	fsys.SyncAll()
	ok(t, fsys.Remove("/gone"))
	want(t, fsys, "/gone", "none", "body")
}

func testCrashDirectory(t *testing.T) {
	fsys := syncfs.New()
	ok(t, fsys.MkdirAll("/dir/sub"))
	create(t, fsys, "/dir/sub/file", "body")
	file, err := fsys.Open("/dir/sub/file")
	ok(t, err, file.Sync(), file.Close(), fsys.SyncDir("/dir/sub"), fsys.SyncDir("/dir"))
	want(t, fsys, "/dir/sub/file", "none", "body")
	ok(t, fsys.SyncDir("/"))
	want(t, fsys, "/dir/sub/file", "body")
}

func testCrashGoesOn(t *testing.T) {
	fsys := syncfs.New()
	create(t, fsys, "/file", "body")
	after := fsys.Crash(func(n int) int { return n - 1 })
	ok(t, fsys.Remove("/file"))
	want(t, after, "/file", "body")
	create(t, after, "/another", "")
	if one, two := stat(t, after, "/file"), stat(t, after, "/another"); one.ID == two.ID {
		t.Errorf("two files are %d", one.ID)
	}
}

func TestCrashes(t *testing.T) {
	fsys := syncfs.New()
	for _, name := range strings.Fields("a b c d e f g h") {
		create(t, fsys, "/"+name, name)
	}
	n, none, all := 0, false, false
	for after := range fsys.Crashes(20, rand.New(rand.NewPCG(1, 2))) {
		names, err := after.ReadDir("/")
		ok(t, err)
		n++
		none, all = none || len(names) == 0, all || len(names) == 8 && read(t, after, "/h") == "h"
	}
	if n != 20 || !none || !all {
		t.Errorf("%d outcomes; nothing among them: %t, everything: %t", n, none, all)
	}
}
