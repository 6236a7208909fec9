// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/internal/vfs/faultfs"
)

// TestOpenFaults fails each call of Open, of a directory that is not there yet,
// and of one with entries and with what a dead writer left: it says what failed,
// or the cache serves, and nothing is left open.
func TestOpenFaults(t *testing.T) {
	for name, begin := range map[string]func(dir string){
		"a new directory": func(dir string) { mustDo(t, os.RemoveAll(dir)) },
		"one with entries": func(dir string) {
			put(t, openIn(t, dir, filestream.Options{}), "old", oldBody)
			writeFile(t, filepath.Join(dir, "tmp", "left"), "left")
			long := time.Now().Add(-2 * time.Hour)
			mustDo(t, os.Chtimes(filepath.Join(dir, "tmp", "left"), long, long))
		},
	} {
		t.Run("F10 "+name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			for _, errno := range errnos {
				for n := 1; ; n++ {
					begin(dir)
					if !openFailing(t, dir, n, errno) {
						break
					}
				}
			}
		})
	}
}

// openFailing fails call n of Open, and reports whether it came so far.
func openFailing(t *testing.T, dir string, n int, errno syscall.Errno) bool {
	t.Helper()
	files, had := openFiles(t), exists(entryPath(dir, named("old")))
	fault := &script{at: n, err: errno, armed: true}
	c, err := filestream.OpenFS(t.Context(), dir, filestream.Options{}, faultfs.New(vfs.OS{}, fault.hook))
	fault.arm(false)
	what := fmt.Sprintf("%v with %q", fault.failed, errno)
	var ill *cacheerr.BackendNotAvailableError
	switch {
	case err == nil:
		if had {
			wantHit(t, c, "old", oldBody)
		}
		mustDo(t, c.Close())
	case c != nil || !errors.As(err, &ill) || !errors.Is(err, errno) || !strings.Contains(err.Error(), fault.failed.Path):
		t.Errorf("%s: %v and error %v, want one that names the path", what, c, err)
	}
	if now := openFiles(t); now != files {
		t.Errorf("%s: %d files were open before, %d are now", what, files, now)
	}
	return fault.failed.N != 0
}

// TestCloseFaults fails each call of Close, which tells the index what this
// process did: no entry is hurt, and the next process finds all of them.
func TestCloseFaults(t *testing.T) {
	dir := t.TempDir()
	mustDo(t, openIn(t, dir, filestream.Options{}).Tend(t.Context()))
	for _, errno := range errnos {
		reached := true
		for n := 1; reached; n++ {
			files := openFiles(t)
			fault := &script{at: n, err: errno}
			c, err := filestream.OpenFS(t.Context(), dir, filestream.Options{}, faultfs.New(vfs.OS{}, fault.hook))
			mustDo(t, err)
			name := fmt.Sprint("entry ", n)
			put(t, c, name, oldBody)
			wantHit(t, c, name, oldBody)
			fault.arm(true)
			err = c.Close()
			reached = fault.failed.N != 0
			if err != nil && !errors.Is(err, errno) || err != nil && !strings.Contains(err.Error(), fault.failed.Path) {
				t.Errorf("%v with %q: error %v, want the system's with the path", fault.failed, errno, err)
			}
			if now := openFiles(t); now != files {
				t.Errorf("%v with %q: %d files were open before, %d are now", fault.failed, errno, files, now)
			}
			wantHit(t, openIn(t, dir, filestream.Options{}), name, oldBody)
		}
	}
}
