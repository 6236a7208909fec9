// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/internal/vfs/faultfs"
)

func handOut(t testing.TB, c *filestream.Cache, name string) string {
	t.Helper()
	path, _, err := c.Path(t.Context(), named(name))
	if err != nil {
		t.Fatalf("Path of %s: %v", name, err)
	}
	return path
}

func TestPath(t *testing.T) {
	for kind, fs := range eachFS {
		t.Run("F1 an absolute path of a regular file, not to be written to, "+kind, func(t *testing.T) {
			t.Chdir(t.TempDir())
			c := openOn(t, "relative", filestream.Options{}, fs())
			for _, size := range append(sizesOf, 0) {
				name, body := fmt.Sprint(size), strings.Repeat("x", size)
				head := interfaces.Head{Tag: "tag", Time: time.Unix(1, 2).UTC()}
				mustDo(t, c.Put(t.Context(), named(name), interfaces.Text(body).WithHead(head)))
				for range 2 {
					path, length, err := c.Path(t.Context(), named(name))
					mustDo(t, err)
					if !filepath.IsAbs(path) || length != int64(size) {
						t.Errorf("Path: %q, %d bytes", path, length)
					}
					info, err := os.Lstat(path)
					if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o222 != 0 && runtime.GOOS != "windows" {
						t.Errorf("the file has mode %v and error %v, want a regular one without the right to write", info.Mode(), err)
					}
					if got, err := os.ReadFile(path); err != nil || string(got) != body {
						t.Errorf("the file is %s and error %v, want %s", brief(string(got)), err, brief(body))
					}
				}
				put(t, c, name, "replaced")
				wantHit(t, c, name, "replaced")
			}
		})
	}
}

// TestPathOpensNothing is about what every hit of a compiler costs.
func TestPathOpensNothing(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	var opened []string
	c := openOn(t, dir, filestream.Options{Clock: clock.now}, faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
		if call.Op == "open" && strings.HasPrefix(call.Path, filepath.Join(dir, "entries")) {
			opened = append(opened, call.Path)
		}
		return nil
	}))
	_, err := c.Place(t.Context(), named("placed"), interfaces.Text(oldBody))
	mustDo(t, err)
	opened = nil
	if handOut(t, c, "placed"); len(opened) != 0 {
		t.Errorf("Path of what was placed opened %v", opened)
	}
	put(t, c, "key", oldBody)
	handOut(t, c, "key")
	for _, test := range []struct {
		name string
		do   func()
		want int
	}{
		{"again", func() {}, 0},
		{"after half of Grace", func() { clock.add(31 * time.Minute) }, 1},
		{"and again", func() {}, 0},
		{"after a change", func() { change(t, entryPath(dir, named("key")), func(b []byte) []byte { return b }) }, 1},
		{"after a replacement", func() { put(t, c, "key", newBody) }, 1},
		{"of the new one again", func() {}, 0},
	} {
		test.do()
		opened = nil
		handOut(t, c, "key")
		if len(opened) != test.want {
			t.Errorf("%s: Path opened %v, want %d files", test.name, opened, test.want)
		}
	}
}

func TestPathMisses(t *testing.T) {
	c := openIn(t, t.TempDir(), filestream.Options{})
	put(t, c, "key", oldBody)
	path := handOut(t, c, "key")
	mustDo(t, c.Delete(t.Context(), named("key")))
	for _, name := range []string{"key", "never there"} {
		if path, size, err := c.Path(t.Context(), named(name)); err != cacheerr.ErrMiss || path != "" || size != 0 {
			t.Errorf("Path of %s: %q, %d bytes and error %v, want a bare miss", name, path, size, err)
		}
	}
	if exists(path) {
		t.Error("a deleted entry has a file")
	}
}

func TestGrace(t *testing.T) {
	// The file's time may be as old as half of Grace when it is handed out,
	// and is not brought up to date then.
	for _, age := range []time.Duration{0, 29 * time.Minute, 31 * time.Minute} {
		t.Run(fmt.Sprintf("kept for Grace by every process, last used %v before", age), func(t *testing.T) {
			dir, clock := t.TempDir(), newClock()
			each := fill(t, dir, clock.now(), ten...)
			opts := filestream.Options{MaxBytes: 3 * each, Clock: clock.now}
			c := openIn(t, dir, opts)
			setUsed(t, dir, "a", clock.now().Add(-age), clock.now().Add(-100*time.Hour))
			handOut(t, c, "a")
			for _, name := range []string{"b", "c", "d", "e", "f", "g", "h", "i", "j"} { // used later, by others
				setUsed(t, dir, name, clock.now(), clock.now())
			}
			mustDo(t, c.Close()) // its client is gone too
			clock.add(59 * time.Minute)
			done := evict(t, openIn(t, dir, opts))
			if !exists(entryPath(dir, named("a"))) {
				t.Error("gone within its grace")
			}
			if done.Kept != each || done.Left > 3*each {
				t.Errorf("Evict: %+v, want %d bytes kept", done, each)
			}
		})
	}
	t.Run("goes when its grace is over", testGraceOver)
	t.Run("when everything is kept the statistics say so", testAllIsKept)
	t.Run("Clear and Delete do not wait for it", testGraceNotForRemoval)
}

func testGraceOver(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	each := fill(t, dir, clock.now(), ten...)
	opts := filestream.Options{MaxBytes: 3 * each, Clock: clock.now}
	c := openIn(t, dir, opts)
	handOut(t, c, "a")
	mustDo(t, c.Close())
	clock.add(91 * time.Minute) // exact to half of Grace
	for _, name := range []string{"h", "i", "j"} {
		setUsed(t, dir, name, clock.now(), clock.now())
	}
	evict(t, openIn(t, dir, opts))
	if exists(entryPath(dir, named("a"))) {
		t.Error("still there after its grace")
	}
}

func testAllIsKept(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	each := fill(t, dir, clock.now(), ten...)
	c := openIn(t, dir, filestream.Options{MaxBytes: 3 * each, Clock: clock.now})
	for _, name := range ten {
		handOut(t, c, name)
	}
	want := filestream.Evicted{Left: 10 * each, Kept: 10 * each}
	if done := evict(t, c); done != want {
		t.Errorf("Evict: %+v, want %+v", done, want)
	}
}

func testGraceNotForRemoval(t *testing.T) {
	c := openIn(t, t.TempDir(), filestream.Options{})
	put(t, c, "a", "body")
	put(t, c, "b", "body")
	handOut(t, c, "a")
	handOut(t, c, "b")
	mustDo(t, c.Delete(t.Context(), named("a")), c.Clear(t.Context()))
	if left := present(c.Dir(), "a", "b"); left != "" {
		t.Errorf("left are %s", left)
	}
}

func TestKeeper(t *testing.T) {
	t.Run("handed out is kept for as long as the cache is open", testKeeperWhileOpen)
	t.Run("what is gone, damaged or broken is passed over", testKeeperPassesOver)
	t.Run("many entries in use do not push out what was handed out", testKeeperManyInUse)
}

func testKeeperWhileOpen(t *testing.T) {
	dir, start := t.TempDir(), time.Now()
	each := fill(t, dir, start, ten...)
	synctest.Test(t, func(t *testing.T) {
		bubble := time.Now()
		opts := filestream.Options{MaxBytes: 3 * each, Clock: func() time.Time { return start.Add(time.Since(bubble)) }}
		c, err := filestream.Open(t.Context(), dir, opts)
		mustDo(t, err)
		other, err := filestream.Open(t.Context(), dir, opts)
		mustDo(t, err)
		writer, err := filestream.Open(t.Context(), dir, filestream.Options{})
		mustDo(t, err)
		// others puts three entries that are used now.
		others := func(names ...string) {
			for _, name := range names {
				put(t, writer, name, blocks(1, name))
				setUsed(t, dir, name, opts.Clock(), opts.Clock())
			}
			writer.Tell()
			evict(t, other)
		}
		handOut(t, c, "a")
		wantHit(t, c, "b", blocks(1, "b")) // which is not handed out
		<-time.After(5*time.Hour + 10*time.Minute)
		synctest.Wait()
		others("k", "l", "m")
		if got := present(dir, "a", "b"); got != "a" {
			t.Errorf("after five hours %q is left, want a", got)
		}
		wantHit(t, other, "a", blocks(1, "a"))

		mustDo(t, c.Close())
		<-time.After(2 * time.Hour)
		others("n", "o", "p")
		if got := present(dir, "a"); got != "" {
			t.Error("still kept two hours after Close")
		}
		mustDo(t, other.Close(), writer.Close())
	})
}

func testKeeperPassesOver(t *testing.T) {
	dir := t.TempDir()
	var fail bool
	c := openOn(t, dir, filestream.Options{}, faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
		if fail && call.Op != "close" {
			return &os.PathError{Op: call.Op, Path: call.Path, Err: errors.New("broken")}
		}
		return nil
	}))
	for _, name := range []string{"gone", "damaged", "whole"} {
		put(t, c, name, oldBody)
		handOut(t, c, name)
	}
	mustDo(t, os.Remove(entryPath(dir, named("gone"))))
	change(t, entryPath(dir, named("damaged")), func(b []byte) []byte { return b[:10] })
	before := time.Now().Add(-100 * time.Hour)
	setUsed(t, dir, "whole", before, before)
	fail = true
	c.KeepHandedOut()
	fail = false
	c.KeepHandedOut()
	if info, err := (vfs.OS{}).Stat(entryPath(dir, named("whole"))); err != nil || info.Used() == before.UnixNano() {
		t.Errorf("the whole one's last use is %v and error %v, want now", time.Unix(0, info.Used()), err)
	}
	wantHit(t, c, "whole", oldBody)
}

func testKeeperManyInUse(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	c := openIn(t, dir, filestream.Options{Clock: clock.now})
	put(t, c, "kept", oldBody)
	handOut(t, c, "kept")
	for i := range filestream.MaxUses + 10 {
		c.NoteUse(named(fmt.Sprint(i)))
	}
	if n := c.Uses(); n > filestream.MaxUses {
		t.Errorf("%d uses are remembered, want at most %d", n, filestream.MaxUses)
	}
	clock.add(5 * time.Hour)
	c.KeepHandedOut()
	if info, err := (vfs.OS{}).Stat(entryPath(dir, named("kept"))); err != nil || info.Used() != clock.now().UnixNano() {
		t.Errorf("last use is %v and error %v, want now", time.Unix(0, info.Used()), err)
	}
}

// TestPlace is Insert and Path in one.
func TestPlace(t *testing.T) {
	for kind, fs := range eachFS {
		t.Run(kind, func(t *testing.T) {
			c := openOn(t, t.TempDir(), filestream.Options{}, fs())
			for _, body := range []string{"", "body", largeBody} {
				name := brief(body)
				placed, err := c.Place(t.Context(), named(name), interfaces.Text(body))
				mustDo(t, err)
				path := entryPath(c.Dir(), named(name))
				if got, err := os.ReadFile(path); string(got) != body || err != nil || !placed {
					t.Errorf("Place of %s: %t, and there is %s (%v)", name, placed, brief(string(got)), err)
				}
				if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o222 != 0 && runtime.GOOS != "windows" {
					t.Errorf("the file can be written to: %v, %v", info.Mode(), err)
				}
				wantHit(t, c, name, body)
			}
			path := entryPath(c.Dir(), named("body"))
			placed, err := c.Place(t.Context(), named("body"), interfaces.Text("another"))
			if got, readErr := os.ReadFile(path); err != nil || readErr != nil || string(got) != "body" || placed {
				t.Errorf("Place of what is there: %t, %q, %v and %v; want the first", placed, got, err, readErr)
			}
			mustDo(t, os.Truncate(path, 2))
			placed, err = c.Place(t.Context(), named("body"), interfaces.Text("another"))
			if got, readErr := os.ReadFile(path); err != nil || readErr != nil || string(got) != "another" || !placed {
				t.Errorf("Place of what is damaged: %t, %q, %v and %v; want the second", placed, got, err, readErr)
			}
			if left, err := os.ReadDir(filepath.Join(c.Dir(), "tmp")); len(left) != 0 || err != nil {
				t.Errorf("%d temporary files are left (%v)", len(left), err)
			}
			mustDo(t, c.Close())
			if _, err := c.Place(t.Context(), named("body"), interfaces.Text("")); !errors.Is(err, cacheerr.ErrClosed) {
				t.Errorf("closed: %v", err)
			}
		})
	}
}
