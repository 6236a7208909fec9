// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/internal/vfs/faultfs"
)

// held is a file system on which another process holds the entry of a name, as
// Windows has it, for longer than anybody waits.
func held(dir, name string) vfs.FS {
	return faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
		if call.Path == entryPath(dir, named(name)) && (call.Op == "open" || call.Op == "rename" || call.Op == "remove") {
			return fmt.Errorf("%w: %w", vfs.ErrBusy, syscall.Errno(32))
		}
		return nil
	})
}

func TestHeld(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	each := fill(t, dir, clock.now(), ten...)
	c := openOn(t, dir, filestream.Options{MaxBytes: 5 * each, Clock: clock.now}, held(dir, "a"))
	t.Run("F10 a read of a held file is a miss", func(t *testing.T) { wantMiss(t, c, "a") })
	t.Run("F10 a write over a held file gives up quietly", func(t *testing.T) {
		put(t, c, "a", "new")
		wantHit(t, openIn(t, dir, filestream.Options{}), "a", blocks(1, "a"))
		if left := names(t, filepath.Join(dir, "tmp")); len(left) != 0 {
			t.Errorf("tmp has %v", left)
		}
	})
	t.Run("F10 an eviction skips a held file", func(t *testing.T) {
		long := clock.now().Add(-1000 * time.Hour)
		setUsed(t, dir, "a", long, long) // it would be the first to go
		evict(t, c)
		if got, want := present(dir, ten...), "a h i j"; got != want {
			t.Errorf("left are %s, want %s", got, want)
		}
	})
}
