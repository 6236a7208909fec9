// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/internal/faultsys"
)

// indexTrials are operations by the index: its system calls are failed. It is a
// hint, so none of them fails.
var indexTrials = map[string]func(context.Context, *filestream.Cache) error{
	"Usage": func(ctx context.Context, c *filestream.Cache) error {
		usage, err := c.Usage(ctx, nil)
		if err == nil && usage.Entries != 11 {
			err = fmt.Errorf("Usage says %d entries", usage.Entries)
		}
		return err
	},
	"Usage that makes it": func(ctx context.Context, c *filestream.Cache) error {
		usage, err := c.Usage(ctx, nil)
		if err == nil && usage.Entries != 11 {
			err = fmt.Errorf("Usage says %d entries", usage.Entries)
		}
		return err
	},
	"Evict": func(ctx context.Context, c *filestream.Cache) error {
		done, err := c.Evict(ctx, nil)
		if err == nil && done.Entries != 6 {
			err = fmt.Errorf("Evict removed %d entries", done.Entries)
		}
		return err
	},
}

// TestIndexFaults fails system calls of those operations on the index: the answer
// is the same, no entry is hurt, and nothing is left. boltindex is shown every
// call with every error.
func TestIndexFaults(t *testing.T) {
	for name, run := range indexTrials {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			dir, each := indexed(t, clock)
			n := 1
			for failIndex(t, dir, filestream.Options{MaxBytes: 10 * each, LowWater: 50, Clock: clock.now}, n, func(c *filestream.Cache) error {
				if name == "Usage that makes it" {
					mustDo(t, os.RemoveAll(indexPath(dir)))
				}
				return run(t.Context(), c)
			}) {
				n += 1 + n/20 // the later, the more alike: merge follows merge
			}
			if n < 10 {
				t.Errorf("%d calls were failed", n)
			}
		})
	}
}

// failIndex fails call n, and reports whether the operation came so far.
func failIndex(t *testing.T, dir string, opts filestream.Options, n int, run func(*filestream.Cache) error) bool {
	t.Helper()
	fill(t, dir, opts.Clock(), ten...) // those that went
	files := openFiles(t)
	other, err := filestream.Open(t.Context(), dir, filestream.Options{Clock: opts.Clock})
	mustDo(t, err)
	put(t, other, "new", blocks(1, "n")) // the eleventh, of which the index is told
	mustDo(t, other.Close())
	c, err := filestream.Open(t.Context(), dir, opts)
	mustDo(t, err)
	seen, failed := 0, faultsys.Call{}
	mustDo(t, faultsys.Run(func() { err = run(c) }, func(call faultsys.Call) syscall.Errno {
		if !strings.HasPrefix(call.Path, indexPath(dir)) || strings.HasSuffix(call.Path, ".lock") || call.Name == "unlinkat" {
			return 0
		}
		if seen++; seen != n {
			return 0
		}
		failed = call
		return syscall.EIO
	}))
	if err != nil {
		t.Errorf("%v: %v", failed, err)
	}
	if left, _ := filepath.Glob(indexPath(dir) + ".new*"); len(left) > 0 {
		t.Errorf("%v: %v are left", failed, left)
	}
	wantHit(t, c, "new", blocks(1, "n"))
	wantHit(t, c, "j", blocks(1, "j"))
	mustDo(t, c.Close())
	if now := openFiles(t); now != files {
		t.Errorf("%v: %d files were open before, %d are now", failed, files, now)
	}
	return failed.N != 0
}
