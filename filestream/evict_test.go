// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tiercecache/tierce/boltindex"
	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/internal/vfs/faultfs"
)

// present returns which of the names have an entry's file.
func present(dir string, names ...string) string {
	var found []string
	for _, name := range names {
		if exists(entryPath(dir, named(name))) {
			found = append(found, name)
		}
	}
	return strings.Join(found, " ")
}

// setUsed sets when the file of an entry was last used, and written.
func setUsed(t testing.TB, dir, name string, used, written time.Time) {
	t.Helper()
	mustDo(t, os.Chtimes(entryPath(dir, named(name)), used, written))
}

// disk returns what a file takes on disk.
func disk(t testing.TB, path string) int64 {
	t.Helper()
	info, err := vfs.OS{}.Stat(path)
	mustDo(t, err)
	return info.Disk
}

// fill puts an entry of a block for each name, used in that order, a minute
// apart, the last ten hours before now. It returns what each takes on disk.
func fill(t testing.TB, dir string, now time.Time, names ...string) int64 {
	t.Helper()
	c := openIn(t, dir, filestream.Options{})
	for i, name := range names {
		put(t, c, name, blocks(1, name))
		at := now.Add(-10*time.Hour - time.Duration(len(names)-1-i)*time.Minute)
		setUsed(t, dir, name, at, at)
	}
	mustDo(t, c.Close())
	return disk(t, entryPath(dir, named(names[0])))
}

func evict(t testing.TB, c *filestream.Cache) filestream.Evicted {
	t.Helper()
	done, err := c.Evict(t.Context(), nil)
	if err != nil {
		t.Fatalf("Evict: %v", err)
	}
	return done
}

var ten = []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}

func TestCap(t *testing.T) {
	t.Run("F6 the least recently used go, down to 90 % of the cap", func(t *testing.T) {
		dir, clock := t.TempDir(), newClock()
		each := fill(t, dir, clock.now(), ten...)
		c := openIn(t, dir, filestream.Options{MaxBytes: 8 * each, Clock: clock.now})
		done := evict(t, c)
		if got, want := present(dir, ten...), "d e f g h i j"; got != want {
			t.Errorf("left are %s, want %s", got, want)
		}
		if want := (filestream.Evicted{Entries: 3, Bytes: 3 * each, Left: 7 * each}); done != want {
			t.Errorf("Evict: %+v, want %+v", done, want)
		}
		if done := evict(t, c); done.Entries != 0 || done.Left != 7*each {
			t.Errorf("Evict below the cap: %+v, want nothing", done)
		}
	})
	t.Run("F6 at the cap nothing goes", func(t *testing.T) {
		dir, clock := t.TempDir(), newClock()
		each := fill(t, dir, clock.now(), ten...)
		if done := evict(t, openIn(t, dir, filestream.Options{MaxBytes: 10 * each})); done.Entries != 0 {
			t.Errorf("Evict: %+v, want nothing", done)
		}
	})
	t.Run("F6 no cap keeps everything", func(t *testing.T) {
		dir, clock := t.TempDir(), newClock()
		each := fill(t, dir, clock.now(), ten...)
		if done := evict(t, openIn(t, dir, filestream.Options{})); done.Entries != 0 || done.Left != 10*each {
			t.Errorf("Evict: %+v, want nothing", done)
		}
	})
	t.Run("F6 temporary files count", func(t *testing.T) {
		dir, clock := t.TempDir(), newClock()
		each := fill(t, dir, clock.now(), ten...)
		c := openIn(t, dir, filestream.Options{MaxBytes: 12 * each})
		writeFile(t, filepath.Join(dir, "tmp", "another-writers"), blocks(6, "t"))
		tmp := disk(t, filepath.Join(dir, "tmp", "another-writers"))
		done := evict(t, c)
		if done.Left > 12*each*9/10 || done.Left < tmp || done.Entries == 0 || done.Entries == 10 {
			t.Errorf("Evict: %+v, want some entries gone for the %d bytes in tmp", done, tmp)
		}
		if usage, err := c.Usage(t.Context(), nil); err != nil || usage.Bytes != done.Left || usage.Entries != 10-done.Entries {
			t.Errorf("Usage: %+v and error %v, want %d bytes", usage, err, done.Left)
		}
	})
	t.Run("F6 a Put beyond the cap evicts", func(t *testing.T) {
		dir, clock := t.TempDir(), newClock()
		each := fill(t, dir, clock.now(), ten...)
		c := openIn(t, dir, filestream.Options{MaxBytes: 8 * each, Clock: clock.now})
		for i := range 40 {
			put(t, c, fmt.Sprint("new ", i), blocks(1, "n"))
			c.Wait()
			if usage, err := c.Usage(t.Context(), nil); err != nil || usage.Bytes > 8*each {
				t.Fatalf("after Put %d: %+v and error %v, want at most %d bytes", i, usage, err, 8*each)
			}
		}
		wantHit(t, c, "new 39", blocks(1, "n"))
	})
}

func TestRecency(t *testing.T) {
	t.Run("F6 a read counts at once in this process", testReadCountsHere)
	t.Run("F6 a read counts for other processes", testReadCountsElsewhere)
	for _, test := range []struct {
		age  time.Duration
		want bool
	}{{31 * time.Minute, true}, {29 * time.Minute, false}} {
		t.Run(fmt.Sprintf("F6 without an index a file used %v ago is brought up to date: %t", test.age, test.want), func(t *testing.T) {
			for _, size := range sizesOf {
				dir, clock := t.TempDir(), newClock()
				c := openIn(t, dir, filestream.Options{Clock: clock.now, Index: filestream.IndexNone})
				put(t, c, "key", strings.Repeat("x", size))
				used, written := clock.now().Add(-test.age), clock.now().Add(-100*time.Hour)
				setUsed(t, dir, "key", used, written)
				wantHit(t, c, "key", strings.Repeat("x", size))
				info, err := vfs.OS{}.Stat(entryPath(dir, named("key")))
				mustDo(t, err)
				if got := info.Accessed == clock.now().UnixNano(); got != test.want {
					t.Errorf("%d bytes: last use is now %v, updated is %t", size, time.Unix(0, info.Accessed), got)
				}
				if info.Modified != written.UnixNano() {
					t.Errorf("%d bytes: F7 the time of the last change became %v", size, time.Unix(0, info.Modified))
				}
			}
		})
	}
	t.Run("F6 written lately counts as used", func(t *testing.T) {
		dir, clock := t.TempDir(), newClock()
		each := fill(t, dir, clock.now(), ten...)
		setUsed(t, dir, "b", clock.now().Add(-1000*time.Hour), clock.now())
		evict(t, openIn(t, dir, filestream.Options{MaxBytes: 5 * each, Clock: clock.now}))
		if got, want := present(dir, ten...), "b h i j"; got != want {
			t.Errorf("left are %s, want %s", got, want)
		}
	})
}

func testReadCountsHere(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	each := fill(t, dir, clock.now(), ten...)
	c := openIn(t, dir, filestream.Options{MaxBytes: 5 * each, Clock: clock.now, Grace: 1000 * time.Hour})
	for _, name := range []string{"c", "a"} {
		wantHit(t, c, name, blocks(1, name))
	}
	evict(t, c)
	if got, want := present(dir, ten...), "a c i j"; got != want {
		t.Errorf("left are %s, want %s", got, want)
	}
}

func testReadCountsElsewhere(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	each := fill(t, dir, clock.now(), ten...)
	opts := filestream.Options{MaxBytes: 5 * each, Clock: clock.now}
	reader, other := openIn(t, dir, opts), openIn(t, dir, opts)
	wantHit(t, reader, "c", blocks(1, "c"))
	if _, err := reader.Stat(t.Context(), named("b")); err != nil { // which is no use
		t.Error(err)
	}
	_, err := reader.VerifyAll(t.Context(), true, nil) // nor is this
	mustDo(t, err)
	reader.Tell()
	evict(t, other)
	if got, want := present(dir, ten...), "c h i j"; got != want {
		t.Errorf("left are %s, want %s", got, want)
	}
}

func TestBadOptions(t *testing.T) {
	for want, opts := range map[string]filestream.Options{
		"a cap of -1 bytes":   {MaxBytes: -1},
		"a grace of -1ns":     {Grace: -1},
		`"often" is not one`:  {Verify: "often"},
		`"mostly" is not one`: {Durability: "mostly"},
	} {
		t.Run("F6 "+want, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "new")
			c, err := filestream.Open(t.Context(), dir, opts)
			if c != nil || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Open: %v and error %v, want %q", c, err, want)
			}
			if exists(dir) {
				t.Error("the directory was made")
			}
		})
	}
	for word, set := range map[string]func([]byte) error{
		"first-read": new(filestream.Verify).UnmarshalText,
		"full":       new(filestream.Durability).UnmarshalText,
	} {
		if err := set([]byte(word)); err != nil {
			t.Errorf("%s: %v", word, err)
		}
		if err := set([]byte("x")); err == nil {
			t.Errorf("x is taken for a word such as %s", word)
		}
	}
}

// removals are what may meet an entry that another process has just replaced.
var removals = map[string]func(context.Context, *filestream.Cache) error{
	"Evict": func(ctx context.Context, c *filestream.Cache) error { _, err := c.Evict(ctx, nil); return err },
	"Clear": func(ctx context.Context, c *filestream.Cache) error { return c.Clear(ctx) },
	"VerifyAll": func(ctx context.Context, c *filestream.Cache) error {
		_, err := c.VerifyAll(ctx, true, nil)
		return err
	},
	"Get of a damaged one": func(ctx context.Context, c *filestream.Cache) error {
		_, err := c.Get(ctx, named("key"))
		return missOnly(err)
	},
	"Path of a damaged one": func(ctx context.Context, c *filestream.Cache) error {
		_, _, err := c.Path(ctx, named("key"))
		return missOnly(err)
	},
}

func missOnly(err error) error {
	if damage := (*filestream.DamageError)(nil); errors.As(err, &damage) {
		return nil
	}
	return fmt.Errorf("error %w, want damage", err)
}

func TestReplacedMeanwhile(t *testing.T) {
	for name, remove := range removals {
		t.Run("F7 "+name, func(t *testing.T) {
			dir := t.TempDir()
			other := openIn(t, dir, filestream.Options{})
			put(t, other, "key", "old body")
			flipBit(t, entryPath(dir, named("key")))
			looks, replaced := 0, false
			c := openOn(t, dir, filestream.Options{MaxBytes: 1}, faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
				if call.Path != entryPath(dir, named("key")) || call.Op != "stat" {
					return nil
				}
				if looks++; looks == lastLook[name] {
					put(t, other, "key", "new body")
					replaced = true
				}
				return nil
			}))
			mustDo(t, remove(t.Context(), c))
			if !replaced {
				t.Fatal("the file was not looked at before it was removed")
			}
			wantHit(t, other, "key", "new body")
		})
	}
}

// lastLook is at which look at the entry each removal makes sure that it is
// still the same: after the scan's, or after the reader's.
var lastLook = map[string]int{"Evict": 3, "Clear": 2, "VerifyAll": 3, "Get of a damaged one": 2, "Path of a damaged one": 3}

func TestHandedOutMeanwhile(t *testing.T) {
	t.Run("F7 an entry that is handed out between look and removal stays", func(t *testing.T) {
		dir, clock := t.TempDir(), newClock()
		each := fill(t, dir, clock.now(), ten...)
		opts := filestream.Options{MaxBytes: 5 * each, Clock: clock.now}
		other := openIn(t, dir, opts)
		looks := 0
		c := openOn(t, dir, opts, faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
			if call.Op == "stat" && call.Path == entryPath(dir, named("a")) {
				if looks++; looks == lastLook["Evict"] {
					handOut(t, other, "a")
				}
			}
			return nil
		}))
		done := evict(t, c)
		if got, want := present(dir, ten...), "a h i j"; got != want || done.Kept != each {
			t.Errorf("left are %s, kept %d bytes, want %s and %d", got, done.Kept, want, each)
		}
	})
	t.Run("F7 what this process handed out stays though its time is over", func(t *testing.T) {
		dir, clock := t.TempDir(), newClock()
		each := fill(t, dir, clock.now(), ten...)
		c := openIn(t, dir, filestream.Options{MaxBytes: 5 * each, Clock: clock.now})
		handOut(t, openIn(t, dir, filestream.Options{Clock: clock.now}), "a")
		handOut(t, c, "a")         // for which nothing has to be done any more
		clock.add(100 * time.Hour) // and the keeper was not there
		for _, name := range []string{"f", "g", "h", "i", "j"} {
			setUsed(t, dir, name, clock.now(), clock.now())
		}
		evict(t, c)
		if got, want := present(dir, "a", "b"), "a"; got != want {
			t.Errorf("of a and b there is %q, want %s", got, want)
		}
	})
}

func TestEvictGoesOn(t *testing.T) {
	for op, path := range map[string]func(dir string) string{
		"remove":  func(dir string) string { return entryPath(dir, named("a")) },
		"stat":    func(dir string) string { return entryPath(dir, named("a")) },
		"readdir": func(dir string) string { return filepath.Dir(entryPath(dir, named("a"))) },
	} {
		t.Run("F8 a file that fails to "+op+" does not stop eviction", func(t *testing.T) {
			dir, clock := t.TempDir(), newClock()
			each := fill(t, dir, clock.now(), ten...)
			c := openOn(t, dir, filestream.Options{MaxBytes: 5 * each, Clock: clock.now}, faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
				if call.Op == op && call.Path == path(dir) {
					return &os.PathError{Op: op, Path: call.Path, Err: syscall.EIO}
				}
				return nil
			}))
			_, err := c.Evict(t.Context(), nil)
			if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), path(dir)) {
				t.Errorf("Evict: %v, want %v with the path", err, syscall.EIO)
			}
			if got := present(dir, ten[1:]...); len(strings.Fields(got)) > 5 || !strings.HasSuffix(got, "h i j") {
				t.Errorf("left are %s, want the last ones", got)
			}
		})
	}
}

func TestSchema(t *testing.T) {
	old := encoding.Keyspace{Schema: 1, Namespace: "test"}
	next := encoding.Keyspace{Schema: 2, Namespace: "test"}
	key := func(space encoding.Keyspace) interfaces.Key {
		key, err := space.Key([]byte("part"))
		mustDo(t, err)
		return key
	}
	read := func(c *filestream.Cache, space encoding.Keyspace) string {
		entry, err := c.Get(t.Context(), key(space))
		if err != nil {
			return err.Error()
		}
		text, _ := entry.Text()
		return text
	}
	dir, clock := t.TempDir(), newClock()
	c := openIn(t, dir, filestream.Options{})
	mustDo(t, c.Put(t.Context(), key(old), interfaces.Text("old")))
	t.Run("T8 versions do not see each other's entries", func(t *testing.T) {
		if got := read(c, next); got == "old" {
			t.Error("the next version sees the old one's entry")
		}
		mustDo(t, c.Put(t.Context(), key(next), interfaces.Text("next")))
		if got := read(c, old) + " " + read(c, next); got != "old next" {
			t.Errorf("the versions read %s, want each its own", got)
		}
	})
	t.Run("T8 the old version's entries leave by eviction", func(t *testing.T) {
		path := entryPath(dir, key(old))
		mustDo(t, os.Chtimes(path, clock.now().Add(-time.Hour), clock.now().Add(-time.Hour)))
		capped := openIn(t, dir, filestream.Options{MaxBytes: disk(t, path) + disk(t, path)/2, Clock: clock.now})
		evict(t, capped)
		if exists(path) || !exists(entryPath(dir, key(next))) {
			t.Error("want the old entry gone and the new one there")
		}
	})
	t.Run("T10 an empty namespace is an error", func(t *testing.T) {
		if _, err := (encoding.Keyspace{Schema: 1}).Key([]byte("part")); err == nil {
			t.Error("no error")
		}
	})
}

func TestProgress(t *testing.T) {
	for name, run := range map[string]func(*filestream.Cache, filestream.Progress) error{
		"Evict": func(c *filestream.Cache, p filestream.Progress) error { _, err := c.Evict(t.Context(), p); return err },
		"Empty": func(c *filestream.Cache, p filestream.Progress) error { _, err := c.Empty(t.Context(), p); return err },
		"Usage": func(c *filestream.Cache, p filestream.Progress) error { _, err := c.Usage(t.Context(), p); return err },
		"VerifyAll": func(c *filestream.Cache, p filestream.Progress) error {
			_, err := c.VerifyAll(t.Context(), false, p)
			return err
		},
	} {
		t.Run(name+" tells its progress", func(t *testing.T) {
			dir := t.TempDir()
			fill(t, dir, time.Now(), ten...)
			var done []int
			want := boltindex.Shards
			if name == "Empty" || name == "VerifyAll" {
				want = len(names(t, filepath.Join(dir, "entries")))
			}
			mustDo(t, run(openIn(t, dir, filestream.Options{}), func(n, total int) {
				done = append(done, n)
				if total != want {
					t.Errorf("of %d parts, want %d", total, want)
				}
			}))
			if !slices.IsSorted(done) || len(done) != want || done[want-1] != want {
				t.Errorf("told %v of %d parts", done, want)
			}
		})
	}
	t.Run("Empty says what it removed", func(t *testing.T) {
		dir := t.TempDir()
		each := fill(t, dir, time.Now(), ten...)
		got, err := openIn(t, dir, filestream.Options{}).Empty(t.Context(), nil)
		if want := (filestream.Usage{Entries: 10, Bytes: 10 * each}); err != nil || got != want {
			t.Errorf("Empty: %+v and error %v, want %+v", got, err, want)
		}
	})
}
