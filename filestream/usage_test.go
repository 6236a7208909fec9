// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/lock"
	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/internal/vfs/faultfs"
)

const usageLine = "tierce usage 2: %20d bytes, %20d files, scanned %20d\n"

// spoils are what may happen to the file that says how much there is.
func spoils(now time.Time) map[string]func(path string) error {
	text := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	line := func(bytes, scanned int64) func(string) error { return text(fmt.Sprintf(usageLine, bytes, 3, scanned)) }
	day := int64(24 * 60 * 60)
	return map[string]func(string) error{
		"deleted":                      os.Remove,
		"emptied":                      text(""),
		"garbage":                      text(strings.Repeat("\x00\xff", 100)),
		"negative":                     line(-5_000_000, now.Unix()),
		"not a number":                 text("tierce usage 2:                  abc bytes, scanned                    1\n"),
		"torn":                         text("tierce usage 2:                 12"),
		"too long for a number":        text("tierce usage 2: 99999999999999999999 bytes, scanned 99999999999999999999\n"),
		"too small, a day ago":         line(0, now.Unix()-day-1),
		"too small, of the future":     line(0, now.Unix()+day),
		"too small, of the far future": line(0, math.MaxInt64),
		"too small, of the far past":   line(0, math.MinInt64+1),
		"as large as can be":           line(math.MaxInt64, now.Unix()),
		"a directory":                  func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"without its directory":        func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
	}
}

func TestUsageHeals(t *testing.T) {
	for name, spoil := range spoils(time.Now()) {
		for _, when := range []string{"before Open", "while open"} {
			t.Run("F8 "+name+", "+when, func(t *testing.T) {
				dir, clock := t.TempDir(), newClock()
				each := fill(t, dir, clock.now(), ten...)
				opts := filestream.Options{MaxBytes: 8 * each, Clock: clock.now}
				open := func() *filestream.Cache { return openIn(t, dir, opts) }
				evict(t, openIn(t, dir, filestream.Options{MaxBytes: 100 * each, Clock: clock.now})) // which scans
				c := open()
				if when == "before Open" {
					mustDo(t, c.Close())
				} else {
					put(t, c, "known", "now")
					c.Wait()
				}
				mustDo(t, spoil(filepath.Join(dir, "state", "usage")))
				if when == "before Open" {
					c = open()
				}
				for i := range 3 {
					put(t, c, fmt.Sprint("new ", i), blocks(1, "n"))
					c.Wait()
					if total, _ := c.Total(); total < 0 {
						t.Errorf("the total is %d", total)
					}
				}
				if usage, err := c.Usage(t.Context(), nil); err != nil || usage.Bytes > 8*each {
					t.Errorf("Usage: %+v and error %v, want at most %d bytes", usage, err, 8*each)
				}
			})
		}
	}
}

func TestUsageIsNeverNegative(t *testing.T) {
	t.Run("F8 more goes than was known to be there", func(t *testing.T) {
		dir := t.TempDir()
		fill(t, dir, time.Now(), ten...)
		c := openIn(t, dir, filestream.Options{MaxBytes: 1 << 30})
		writeFile(t, filepath.Join(dir, "state", "usage"), fmt.Sprintf(usageLine, 4096, 1, time.Now().Unix()))
		for _, name := range ten {
			mustDo(t, c.Delete(t.Context(), named(name)))
			if total, _ := c.Total(); total < 0 {
				t.Errorf("the total is %d", total)
			}
		}
		mustDo(t, c.Close())
		if bytes, _, known := filestream.ReadUsage(filepath.Join(dir, "state", "usage")); !known || bytes != 0 {
			t.Errorf("the file says %d, %t, want 0", bytes, known)
		}
	})
	t.Run("F8 replacing counts once", func(t *testing.T) {
		dir := t.TempDir()
		c := openIn(t, dir, filestream.Options{MaxBytes: 1 << 30})
		evict(t, c)
		for i := range 5 {
			put(t, c, "key", blocks(i+1, "x"))
		}
		_, err := c.Insert(t.Context(), named("key"), interfaces.Text("not stored"))
		mustDo(t, err)
		want := disk(t, entryPath(dir, named("key")))
		if total, known := c.Total(); !known || total != want {
			t.Errorf("the total is %d, %t, want %d", total, known, want)
		}
		mustDo(t, c.Close())
		if bytes, _, _ := filestream.ReadUsage(filepath.Join(dir, "state", "usage")); bytes != want {
			t.Errorf("the file says %d after Close, want %d", bytes, want)
		}
	})
	t.Run("F8 several processes add up", func(t *testing.T) {
		dir := t.TempDir()
		opts := filestream.Options{MaxBytes: 1 << 30}
		first, second := openIn(t, dir, opts), openIn(t, dir, opts)
		evict(t, first)
		put(t, first, "a", blocks(1, "a"))
		put(t, second, "b", blocks(2, "b"))
		mustDo(t, first.Close(), second.Close())
		want := disk(t, entryPath(dir, named("a"))) + disk(t, entryPath(dir, named("b")))
		if bytes, _, known := filestream.ReadUsage(filepath.Join(dir, "state", "usage")); !known || bytes != want {
			t.Errorf("the file says %d, %t, want %d", bytes, known, want)
		}
	})
}

// scans counts how often the directory of entries is listed.
func scans(n *atomic.Int64) vfs.FS {
	return faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
		if call.Op == "readdir" && filepath.Base(call.Path) == "entries" {
			n.Add(1)
		}
		return nil
	})
}

func TestPutDoesNotScan(t *testing.T) {
	t.Run("F9 opening and putting below the cap", func(t *testing.T) {
		dir := t.TempDir()
		fill(t, dir, time.Now(), ten...)
		opts := filestream.Options{MaxBytes: 1 << 30}
		evict(t, openIn(t, dir, opts))
		var n atomic.Int64
		c := openOn(t, dir, opts, scans(&n))
		for i := range 20 {
			put(t, c, fmt.Sprint(i), "body")
			c.Wait()
		}
		if n.Load() != 0 {
			t.Errorf("the directory was listed %d times, want never", n.Load())
		}
	})
	t.Run("F9 at the cap one eviction makes room for many, without an index", func(t *testing.T) {
		dir, clock := t.TempDir(), newClock()
		each := fill(t, dir, clock.now(), ten...)
		var n atomic.Int64
		opts := filestream.Options{MaxBytes: 100 * each, Clock: clock.now, Index: filestream.IndexNone}
		c := openOn(t, dir, opts, scans(&n))
		for i := range 300 {
			put(t, c, fmt.Sprint("new ", i), blocks(1, "n"))
			c.Wait()
		}
		if got := n.Load(); got < 2 || got > 40 {
			t.Errorf("the directory was listed %d times in 300 Puts at a cap of 100, want about 20", got)
		}
	})
	t.Run("F9 nothing may go: no scan at every Put, without an index", func(t *testing.T) {
		dir, clock := t.TempDir(), newClock()
		var all []string
		for i := range 96 {
			all = append(all, fmt.Sprint("kept", i))
		}
		each := fill(t, dir, clock.now(), all...)
		var n atomic.Int64
		opts := filestream.Options{MaxBytes: 96 * each, Clock: clock.now, Index: filestream.IndexNone}
		c := openOn(t, dir, opts, scans(&n))
		for _, name := range all {
			_, _, err := c.Path(t.Context(), named(name))
			mustDo(t, err)
		}
		for i := range 48 {
			put(t, c, fmt.Sprint("new ", i), blocks(1, "n"))
			c.Wait()
		}
		if got := n.Load(); got < 2 || got > 16 { // a sixteenth of the cap is six Puts
			t.Errorf("the directory was listed %d times in 48 Puts, want about 8", got)
		}
		if got := len(strings.Fields(present(dir, all...))); got != 96 {
			t.Errorf("%d of 96 that were handed out are left", got)
		}
	})
}

func TestUsageLockHeld(t *testing.T) {
	t.Run("F8 another process that keeps the lock does not stop eviction", func(t *testing.T) {
		dir := t.TempDir()
		each := fill(t, dir, time.Now(), ten...)
		evict(t, openIn(t, dir, filestream.Options{MaxBytes: 100 * each}))
		synctest.Test(t, func(t *testing.T) { // in which waiting for a second takes no time
			release, err := lock.Files(filepath.Join(dir, "state", "usage.lock")).Acquire(t.Context(), lock.Try)
			mustDo(t, err)
			defer release()
			c, err := filestream.OpenFS(t.Context(), dir, filestream.Options{MaxBytes: 8 * each}, vfs.OS{})
			mustDo(t, err)
			for i := range 3 {
				put(t, c, fmt.Sprint("new ", i), blocks(1, "n"))
				c.Wait()
			}
			left := int64(0)
			for _, name := range append(ten, "new 0", "new 1", "new 2") {
				if path := entryPath(dir, named(name)); exists(path) {
					left += disk(t, path)
				}
			}
			if left > 8*each {
				t.Errorf("%d bytes are left, want at most %d", left, 8*each)
			}
			_ = c.Close() // says that it could not write down how much there is
		})
	})
	t.Run("F8 a cancelled context does not stop counting", func(t *testing.T) {
		c := openIn(t, t.TempDir(), filestream.Options{MaxBytes: 1 << 30})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Usage(ctx, nil); err != context.Canceled {
			t.Errorf("Usage: %v, want %v", err, context.Canceled)
		}
		if _, err := c.Evict(ctx, nil); err != context.Canceled {
			t.Errorf("Evict: %v, want %v", err, context.Canceled)
		}
	})
}

func FuzzUsage(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(usageLine, 4096, 1, 1_700_000_000)))
	f.Add([]byte(fmt.Sprintf(usageLine, -1, 1, 0)))
	f.Add([]byte("tierce usage 2: 99999999999999999999 bytes"))
	f.Add([]byte{})
	path := filepath.Join(f.TempDir(), "usage")
	f.Fuzz(func(t *testing.T, text []byte) {
		mustDo(t, os.WriteFile(path, text, 0o600))
		bytes, scanned, known := filestream.ReadUsage(path)
		if bytes < 0 || !known && (bytes != 0 || scanned != 0) {
			t.Errorf("%q is read as %d, %d, %t", text, bytes, scanned, known)
		}
		if !known {
			return
		}
		mustDo(t, os.WriteFile(path, fmt.Appendf(nil, usageLine, bytes, 3, scanned), 0o600))
		if again, at, known := filestream.ReadUsage(path); !known || again != bytes || at != scanned {
			t.Errorf("%d, %d is read as %d, %d, %t when written again", bytes, scanned, again, at, known)
		}
	})
}

// TestNewDirectory: in a directory that a cache has made nobody needs to look at
// the files to know how much there is.
func TestNewDirectory(t *testing.T) {
	dir := t.TempDir()
	looks := 0
	open := func() *filestream.Cache {
		return openOn(t, dir, filestream.Options{MaxBytes: 1 << 30}, faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
			if call.Op == "readdir" && strings.HasPrefix(call.Path, filepath.Join(dir, "entries")) {
				looks++
			}
			return nil
		}))
	}
	for i := range 2 {
		c := open()
		put(t, c, fmt.Sprint("key ", i), blocks(1, "n"))
		c.Wait()
		if total, known := c.Total(); total != int64(i+1)*4096 || !known || looks > 0 {
			t.Errorf("process %d: %d bytes, known is %t, after %d looks at the files", i, total, known, looks)
		}
		mustDo(t, c.Close())
	}
	mustDo(t, os.Remove(filepath.Join(dir, "state", "usage")))
	c := open()
	put(t, c, "key 2", blocks(1, "n"))
	if c.Wait(); looks == 0 {
		t.Error("nobody looked at the files of a directory of which nothing is known")
	}
}
