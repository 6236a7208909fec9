// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofrs/flock"

	"github.com/tiercecache/tierce/boltindex"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/internal/vfs/faultfs"
)

func indexPath(dir string) string { return filepath.Join(dir, "state", "index") }

// checked are the directories whose index is checked when their test ends.
var checked sync.Map

// checkIndex has the index of a directory, if it is made, checked when the test
// ends and all caches are closed. What the test did behind the index's back is
// found a day later: then it has just the files that are there.
func checkIndex(t testing.TB, dir string) {
	t.Helper()
	if _, twice := checked.LoadOrStore(dir, true); twice {
		return
	}
	t.Cleanup(func() {
		if exists(indexPath(dir)) {
			wantIndexAt(t, dir, func() time.Time { return time.Now().Add(25 * time.Hour) })
		}
	})
}

// wantIndex fails the test unless the index of a directory, once it was told
// everything, has just the files that are there.
func wantIndex(t testing.TB, dir string) {
	t.Helper()
	wantIndexAt(t, dir, time.Now)
}

func wantIndexAt(t testing.TB, dir string, now func() time.Time) {
	t.Helper()
	c, err := filestream.Open(context.Background(), dir, filestream.Options{Clock: now})
	mustDo(t, err)
	defer func() { mustDo(t, c.Close()) }()
	mustDo(t, c.Tend(context.Background()))
	x := boltindex.New(indexPath(dir), boltindex.Options{})
	mustDo(t, x.Check(context.Background()))
	got, want := make(map[string]int64), make(map[string]int64)
	records, err := x.Oldest(context.Background(), boltindex.Position{}, math.MaxInt)
	mustDo(t, err)
	for _, r := range records {
		got[r.Key.String()] = r.Disk
	}
	for key, err := range c.List(context.Background()) {
		mustDo(t, err)
		want[key.String()] = disk(t, entryPath(dir, key))
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("the index says %d bytes of %s, which takes %d", got[name], name[:8], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("the index has %d entries, and the directory %d", len(got), len(want))
	}
}

// indexed returns a directory with ten entries and a complete index.
func indexed(t testing.TB, clock *clock) (dir string, each int64) {
	t.Helper()
	dir = t.TempDir()
	each = fill(t, dir, clock.now(), ten...)
	c := openIn(t, dir, filestream.Options{Clock: clock.now})
	mustDo(t, c.Tend(t.Context()))
	return dir, each
}

// counted counts an operation on entries.
func counted(op string, n *atomic.Int64) vfs.FS {
	return faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
		if call.Op == op && strings.Contains(call.Path, string(filepath.Separator)+"entries") {
			n.Add(1)
		}
		return nil
	})
}

func TestIndexed(t *testing.T) {
	t.Run("F9 an eviction looks at no more files than go, and lists none", testEvictionLooks)
	t.Run("F9 at the cap no Put lists a directory", testPutAtTheCap)
	t.Run("F6 what another process stored, used and removed is known after its flush", testOthersFlush)
	t.Run("F6 a hit asks the system for nothing more because of recency", testHitCalls)
	t.Run("F6 what was used by its file's time alone comes later", testUsedByFileTime)
	t.Run("F7 an entry that was replaced since the index learned of it stays", testReplacedSince)
	t.Run("F8 entries that were removed by hand are counted off", testRemovedByHand)
	t.Run("F8 what a killed process did not tell is found within a day", testUntoldInADay)
	t.Run("F8 what a killed process did not tell is found at the next eviction", testUntoldAtEviction)
	t.Run("foreign files are left alone", testForeignFiles)
}

func testEvictionLooks(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	var all []string
	for i := range 400 {
		all = append(all, fmt.Sprint("entry ", i))
	}
	each := fill(t, dir, clock.now(), all...)
	mustDo(t, openIn(t, dir, filestream.Options{Clock: clock.now}).Tend(t.Context()))
	var looks, lists atomic.Int64
	both := faultfs.New(counted("stat", &looks), func(call faultfs.Call) error {
		if call.Op == "readdir" && strings.Contains(call.Path, "entries") {
			lists.Add(1)
		}
		return nil
	})
	done := evict(t, openOn(t, dir, filestream.Options{MaxBytes: 399 * each, Clock: clock.now}, both))
	if done.Entries != 41 || present(dir, all[:41]...) != "" || !exists(entryPath(dir, named(all[41]))) {
		t.Errorf("Evict: %+v, want the oldest tenth gone", done)
	}
	if got := looks.Load(); got > 2*41+1 || lists.Load() != 0 {
		t.Errorf("%d looks at files and %d lists of directories to remove 41 of 400", got, lists.Load())
	}
	wantIndex(t, dir)
}

func testPutAtTheCap(t *testing.T) {
	clock := newClock()
	dir, each := indexed(t, clock)
	var lists atomic.Int64
	c := openOn(t, dir, filestream.Options{MaxBytes: 50 * each, Clock: clock.now}, counted("readdir", &lists))
	for i := range 200 {
		put(t, c, fmt.Sprint("new ", i), blocks(1, "n"))
		c.Wait()
	}
	if usage, err := c.Usage(t.Context(), nil); err != nil || usage.Bytes > 50*each || usage.Entries < 40 {
		t.Errorf("Usage: %+v and error %v", usage, err)
	}
	if lists.Load() != 1 { // by Usage, for what directories take
		t.Errorf("directories were listed %d times", lists.Load())
	}
}

func testOthersFlush(t *testing.T) {
	clock := newClock()
	dir, each := indexed(t, clock)
	other := openIn(t, dir, filestream.Options{Clock: clock.now})
	wantHit(t, other, "a", blocks(1, "a"))
	put(t, other, "new", blocks(1, "n"))
	mustDo(t, other.Delete(t.Context(), named("c")), other.Close())
	evict(t, openIn(t, dir, filestream.Options{MaxBytes: 4 * each, Clock: clock.now}))
	if got, want := present(dir, append(ten, "new")...), "a j new"; got != want {
		t.Errorf("left are %s, want %s", got, want)
	}
	wantIndex(t, dir)
}

func testHitCalls(t *testing.T) {
	clock := newClock()
	dir, _ := indexed(t, clock)
	calls := []string{}
	c := openOn(t, dir, filestream.Options{Clock: clock.now}, faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
		calls = append(calls, call.Op)
		return nil
	}))
	calls = nil
	wantHit(t, c, "a", blocks(1, "a"))
	if want := []string{"open", "stat", "attr", "read", "close"}; !slices.Equal(calls, want) {
		t.Errorf("a Get does %v, want %v", calls, want)
	}
	mustDo(t, c.Close())
	if info, err := (vfs.OS{}).Stat(entryPath(dir, named("a"))); err != nil || info.Accessed != clock.now().UnixNano() {
		t.Errorf("after Close the file was last used at %v, error %v", time.Unix(0, info.Accessed), err)
	}
}

func testUsedByFileTime(t *testing.T) {
	clock := newClock()
	dir, each := indexed(t, clock)
	at := clock.now().Add(-time.Minute)
	setUsed(t, dir, "a", at, clock.now().Add(-10*time.Hour-9*time.Minute))
	done := evict(t, openIn(t, dir, filestream.Options{MaxBytes: 5 * each, Clock: clock.now}))
	if got, want := present(dir, ten...), "a h i j"; got != want || done.Entries != 6 {
		t.Errorf("left are %s after %+v, want %s", got, done, want)
	}
	done = evict(t, openIn(t, dir, filestream.Options{MaxBytes: each, Clock: clock.now}))
	if done.Entries != 4 || done.Left != 0 {
		t.Errorf("%+v, want all of them gone", done)
	}
	wantIndex(t, dir)
}

func testReplacedSince(t *testing.T) {
	clock := newClock()
	dir, each := indexed(t, clock)
	writeFile(t, entryPath(dir, named("a")), blocks(1, "A")) // by another tool
	evict(t, openIn(t, dir, filestream.Options{MaxBytes: 5 * each, Clock: clock.now}))
	if got, want := present(dir, ten...), "a h i j"; got != want {
		t.Errorf("left are %s, want %s", got, want)
	}
	wantIndex(t, dir)
}

func testRemovedByHand(t *testing.T) {
	clock := newClock()
	dir, each := indexed(t, clock)
	mustDo(t, os.Remove(entryPath(dir, named("a"))), os.Remove(entryPath(dir, named("b"))))
	done := evict(t, openIn(t, dir, filestream.Options{MaxBytes: 9 * each, Clock: clock.now}))
	if done.Entries != 0 || done.Left != 8*each {
		t.Errorf("Evict: %+v, want nothing gone and 8 left", done)
	}
	wantIndex(t, dir)
}

func testUntoldInADay(t *testing.T) {
	clock := newClock()
	dir, each := indexed(t, clock)
	quiet := openIn(t, dir, filestream.Options{Index: filestream.IndexNone, Clock: clock.now})
	put(t, quiet, "untold", blocks(1, "u"))
	mustDo(t, quiet.Close())
	clock.add(25 * time.Hour)
	c := openIn(t, dir, filestream.Options{Clock: clock.now})
	if usage, err := c.Usage(t.Context(), nil); err != nil || usage.Entries != 11 || usage.Bytes != 11*each {
		t.Errorf("Usage: %+v and error %v", usage, err)
	}
	wantIndex(t, dir)
}

func testUntoldAtEviction(t *testing.T) {
	clock := newClock()
	dir, each := indexed(t, clock)
	writer := child(t, "write for ever", dir, 1)
	stdout, err := writer.StdoutPipe()
	mustDo(t, err, writer.Start())
	_, err = io.CopyN(io.Discard, stdout, 20)
	mustDo(t, err, writer.Process.Kill())
	if err := writer.Wait(); err == nil {
		t.Fatal("a killed process ended well")
	}
	c := openIn(t, dir, filestream.Options{Clock: clock.now})
	usage, err := c.Usage(t.Context(), nil)
	n, lenErr := c.Len(t.Context())
	if err != nil || lenErr != nil || usage.Entries != n || n <= 10 || usage.Bytes < int64(n)*each || !usage.Index.Used {
		t.Errorf("Usage: %+v and error %v, want %d entries", usage, err, n)
	}
	wantIndex(t, dir)
	for _, left := range []string{"suspect", "running/" + fmt.Sprint(writer.Process.Pid) + "-1"} {
		if exists(filepath.Join(dir, "state", left)) {
			t.Errorf("%s is still there", left)
		}
	}
}

func testForeignFiles(t *testing.T) {
	clock := newClock()
	dir, _ := indexed(t, clock)
	foreign := []string{
		filepath.Join(dir, "entries", "README"), filepath.Join(dir, "entries", "zz", "file"),
		filepath.Join(dir, "entries", "00", "short"), filepath.Join(dir, "tmp", "young"), filepath.Join(dir, "mine"),
	}
	for _, path := range foreign {
		writeFile(t, path, "mine")
		mustDo(t, os.Chtimes(path, time.Now(), time.Now().Add(-time.Minute)))
	}
	evict(t, openIn(t, dir, filestream.Options{MaxBytes: 1, Clock: clock.now}))
	for _, path := range foreign {
		if !exists(path) {
			t.Errorf("%s is gone", path)
		}
	}
	if got := present(dir, ten...); got != "" {
		t.Errorf("left are %s", got)
	}
}

// TestTelling holds when processes learn of each other.
func TestTelling(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c, err := filestream.Open(t.Context(), dir, filestream.Options{})
		mustDo(t, err)
		put(t, c, "key", oldBody)
		changes := filepath.Join(dir, "state", "changes")
		<-time.After(9 * time.Second)
		synctest.Wait()
		if exists(changes) {
			t.Error("a change is written down within nine seconds")
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		if !exists(changes) {
			t.Error("a change is not written down after eleven seconds")
		}
		mustDo(t, c.Close())
	})
	t.Run("many changes are written down at once", func(t *testing.T) {
		dir := t.TempDir()
		c := openIn(t, dir, filestream.Options{})
		for i := range filestream.FullChanges {
			c.NoteChange(named(fmt.Sprint(i)))
		}
		c.Wait()
		if info, err := os.Stat(filepath.Join(dir, "state", "changes")); err != nil || info.Size() < filestream.FullChanges*boltindex.ChangeSize {
			t.Errorf("%v and error %v", info, err)
		}
	})
	t.Run("a session that did nothing leaves nothing", func(t *testing.T) {
		dir := t.TempDir()
		mustDo(t, openIn(t, dir, filestream.Options{}).Close())
		if left := names(t, filepath.Join(dir, "state")); len(left) != 0 {
			t.Errorf("state has %v", left)
		}
	})
}

// damages are what may happen to the index while it is in use.
var indexDamages = map[string]func(t testing.TB, path string){
	"deleted":   func(t testing.TB, path string) { mustDo(t, os.Remove(path)) },
	"truncated": func(t testing.TB, path string) { mustDo(t, os.Truncate(path, 5000)) },
	"noise": func(t testing.TB, path string) {
		info, err := os.Stat(path)
		mustDo(t, err)
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		mustDo(t, err)
		random := rand.NewChaCha8([32]byte{1})
		b := make([]byte, info.Size())
		_, _ = random.Read(b)
		_, err = file.Write(b)
		mustDo(t, err, file.Close())
	},
	"locked by a stranger": func(t testing.TB, path string) {
		lock := flock.New(path, flock.SetFlag(os.O_RDWR))
		mustDo(t, lock.Lock())
		t.Cleanup(func() { mustDo(t, lock.Close()) })
	},
	"without its directory": func(t testing.TB, path string) { mustDo(t, os.RemoveAll(filepath.Dir(path))) },
}

func TestIndexDamage(t *testing.T) {
	why := map[string]string{"deleted": "there was none", "without its directory": "there was none",
		"truncated": "damaged", "noise": "damaged", "locked by a stranger": "another program"}
	for name, damage := range indexDamages {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			dir, each := indexed(t, clock)
			c := openIn(t, dir, filestream.Options{MaxBytes: 20 * each, Clock: clock.now})
			put(t, c, "before", blocks(1, "b"))
			damage(t, indexPath(dir))
			wantHit(t, c, "a", blocks(1, "a"))
			put(t, c, "after", blocks(1, "c"))
			wantHit(t, c, "after", blocks(1, "c"))
			usage, err := c.Usage(t.Context(), nil)
			if err != nil || usage.Entries != 12 || usage.Bytes != 12*each {
				t.Errorf("Usage: %+v and error %v, want 12 entries", usage, err)
			}
			if !usage.Index.Used || !strings.Contains(usage.Index.Why, why[name]) {
				t.Errorf("the index is %+v, want it made anew because of %q", usage.Index, why[name])
			}
			capped := openIn(t, dir, filestream.Options{MaxBytes: 10 * each, Clock: clock.now})
			if done := evict(t, capped); done.Entries != 3 || present(dir, "a", "b", "c", "d") != "a" {
				t.Errorf("Evict: %+v, left of the first are %s", done, present(dir, "a", "b", "c", "d"))
			}
			mustDo(t, c.Close())
			wantIndex(t, dir)
		})
	}
	t.Run("its lock held for ever", testIndexLocked)
	t.Run("switched off", testIndexOff)
}

func testIndexLocked(t *testing.T) {
	clock := newClock()
	dir, each := indexed(t, clock)
	synctest.Test(t, func(t *testing.T) {
		lock := flock.New(indexPath(dir) + ".lock")
		mustDo(t, lock.Lock())
		defer lock.Close()
		c, err := filestream.Open(t.Context(), dir, filestream.Options{MaxBytes: 8 * each, Clock: clock.now})
		mustDo(t, err)
		put(t, c, "new", blocks(1, "n"))
		wantHit(t, c, "new", blocks(1, "n"))
		usage, err := c.Usage(t.Context(), nil)
		if err != nil || usage.Index.Used || !strings.Contains(usage.Index.Why, "lock") {
			t.Errorf("Usage: %+v and error %v, want that it says that the index is locked", usage, err)
		}
		if done := evict(t, c); done.Left > 8*each || exists(entryPath(dir, named("a"))) {
			t.Errorf("Evict: %+v, want an eviction by the files alone", done)
		}
		mustDo(t, c.Close())
	})
	wantIndex(t, dir)
}

func testIndexOff(t *testing.T) {
	dir := t.TempDir()
	each := fill(t, dir, time.Now(), ten...)
	c := openIn(t, dir, filestream.Options{Index: filestream.IndexNone, MaxBytes: 5 * each})
	if done := evict(t, c); done.Left > 5*each {
		t.Errorf("Evict: %+v", done)
	}
	usage, err := c.Usage(t.Context(), nil)
	if err != nil || usage.Index.Used || !strings.Contains(usage.Index.Why, "switched off") || exists(indexPath(dir)) {
		t.Errorf("Usage: %+v and error %v", usage, err)
	}
}

// TestLimits holds the limits besides the bytes.
func TestLimits(t *testing.T) {
	for _, index := range []filestream.Index{filestream.IndexBolt, filestream.IndexNone} {
		t.Run("a cap on files, index "+string(index), func(t *testing.T) {
			dir, clock := t.TempDir(), newClock()
			fill(t, dir, clock.now(), ten...)
			c := openIn(t, dir, filestream.Options{MaxFiles: 8, LowWater: 50, Index: index, Clock: clock.now})
			if done := evict(t, c); done.Entries != 6 || present(dir, ten...) != "g h i j" {
				t.Errorf("Evict: %+v, left are %s", done, present(dir, ten...))
			}
			for i := range 30 {
				put(t, c, fmt.Sprint("new ", i), "n")
				c.Wait()
				if n, err := c.Len(t.Context()); err != nil || n > 8 {
					t.Fatalf("after Put %d: %d entries and error %v, want at most 8", i, n, err)
				}
			}
		})
		t.Run("an age, index "+string(index), func(t *testing.T) {
			dir, clock := t.TempDir(), newClock()
			fill(t, dir, clock.now(), ten...)
			c := openIn(t, dir, filestream.Options{MaxAge: 10*time.Hour + 4*time.Minute + time.Second, Index: index, Clock: clock.now})
			if done := evict(t, c); done.Entries != 5 || present(dir, ten...) != "f g h i j" {
				t.Errorf("Evict: %+v, left are %s", done, present(dir, ten...))
			}
			clock.add(2 * time.Hour) // an eighth of the age and more
			put(t, c, "new", "n")
			c.Wait()
			if got := present(dir, ten...); got != "" {
				t.Errorf("left are %s though they are too old", got)
			}
		})
		t.Run("room on the disk, index "+string(index), func(t *testing.T) {
			dir, clock := t.TempDir(), newClock()
			each := fill(t, dir, clock.now(), ten...)
			disk := &smallDisk{FS: vfs.OS{}, dir: dir, size: 13 * each}
			c := openOn(t, dir, filestream.Options{MinFree: 5 * each, LowWater: 100, Index: index, Clock: clock.now}, disk)
			if done := evict(t, c); done.Entries != 2 || present(dir, ten...) != "c d e f g h i j" {
				t.Errorf("Evict: %+v, left are %s", done, present(dir, ten...))
			}
		})
	}
	t.Run("a full disk starts an eviction", testFullDisk)
	t.Run("a plan removes nothing", testPlan)
}

func testFullDisk(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	each := fill(t, dir, clock.now(), ten...)
	disk := &smallDisk{FS: vfs.OS{}, dir: dir, size: 10 * each, full: true}
	c := openOn(t, dir, filestream.Options{Clock: clock.now}, disk)
	if err := c.Put(t.Context(), named("new"), interfaces.Text(oldBody)); err == nil {
		t.Error("a Put on a full disk: no error")
	}
	c.Wait()
	if got := present(dir, ten...); got != "" { // since it is less than what is wanted free
		t.Errorf("left are %s", got)
	}
}

func testPlan(t *testing.T) {
	for _, index := range []filestream.Index{filestream.IndexBolt, filestream.IndexNone} {
		dir, clock := t.TempDir(), newClock()
		each := fill(t, dir, clock.now(), ten...)
		c := openIn(t, dir, filestream.Options{MaxBytes: 8 * each, Index: index, Clock: clock.now})
		plan, err := c.PlanEviction(t.Context(), nil)
		mustDo(t, err)
		if got := present(dir, ten...); got != strings.Join(ten, " ") {
			t.Errorf("left are %s", got)
		}
		if done := evict(t, c); done != plan || done.Entries != 3 {
			t.Errorf("the plan was %+v, and done was %+v", plan, done)
		}
	}
}

// smallDisk is a disk of a size.
type smallDisk struct {
	vfs.FS
	dir  string
	size int64
	full bool // nothing can be made
}

// Free is what a disk of that size has left.
func (d *smallDisk) Free(string) (int64, error) {
	used := int64(0)
	for _, name := range ten {
		if info, err := d.Stat(entryPath(d.dir, named(name))); err == nil {
			used += info.Disk
		}
	}
	return d.size - used, nil
}

// Create implements [vfs.FS].
func (d *smallDisk) Create(path string) (vfs.File, error) {
	if d.full {
		return nil, &os.PathError{Op: "create", Path: path, Err: syscall.ENOSPC}
	}
	return d.FS.Create(path)
}

func TestBadLimits(t *testing.T) {
	for want, opts := range map[string]filestream.Options{
		"a cap of -1 files":     {MaxFiles: -1},
		"an age of -1ns":        {MaxAge: -1},
		"-1 free bytes":         {MinFree: -1},
		"low-water mark of -1":  {LowWater: -1},
		"low-water mark of 101": {LowWater: 101},
		`"lsm" is not one`:      {Index: "lsm"},
	} {
		t.Run(want, func(t *testing.T) {
			c, err := filestream.Open(t.Context(), filepath.Join(t.TempDir(), "new"), opts)
			if c != nil || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Open: %v and error %v", c, err)
			}
		})
	}
}
