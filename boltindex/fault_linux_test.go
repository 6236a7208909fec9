// SPDX-License-Identifier: Apache-2.0

package boltindex_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tiercecache/tierce/boltindex"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/internal/faultsys"
)

// errnos are what a full disk, a broken one, missing rights and too many open
// files say.
var errnos = []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EACCES, syscall.EMFILE}

// trial is an operation of which each system call on a file is failed once,
// those of bbolt too.
type trial struct {
	name   string
	begin  func(t *testing.T, x *boltindex.Index, path string) // what is there before
	do     func(context.Context, *boltindex.Index) error
	writes bool // record 9000, as used last
}

func applyOne(ctx context.Context, x *boltindex.Index) error {
	return x.Apply(ctx, []boltindex.Change{stored(9000)})
}

func someStored(t *testing.T, x *boltindex.Index, _ string) { apply(t, x, storedAll(0, 50)...) }

var trials = []trial{
	{"Apply to none", func(*testing.T, *boltindex.Index, string) {}, applyOne, true},
	{"Apply", someStored, applyOne, true},
	{"Apply to a damaged one", func(t *testing.T, x *boltindex.Index, path string) {
		someStored(t, x, path)
		overwrite(t, path, 0, noise(5000))
	}, applyOne, true},
	{"Reconcile", someStored, func(ctx context.Context, x *boltindex.Index) error {
		r := stored(9000).Record
		return x.Reconcile(ctx, []byte{r.Key[0]}, []boltindex.Record{r})
	}, true},
	{"compaction", someStored, func(_ context.Context, x *boltindex.Index) error { return x.CompactNow() }, false},
	{"Status", someStored, func(ctx context.Context, x *boltindex.Index) error {
		_, err := x.Status(ctx)
		return err
	}, false},
	{"Oldest", someStored, func(ctx context.Context, x *boltindex.Index) error {
		_, err := x.Oldest(ctx, boltindex.Position{}, 10)
		return err
	}, false},
	{"Check", someStored, func(ctx context.Context, x *boltindex.Index) error { return x.Check(ctx) }, false},
}

// TestFaults fails the first system call of each operation, then the second, and
// so on, with each error. Each time the operation says so or has done its work,
// nothing is left over, and the index can be used after it.
func TestFaults(t *testing.T) {
	for _, trial := range trials {
		t.Run(trial.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "index")
			trial.begin(t, boltindex.New(path, boltindex.Options{}), path)
			p := &patient{trial: trial, before: contentOf(t, filepath.Dir(path)), dir: t.TempDir()}
			for _, errno := range errnos {
				n := 1
				for p.once(t, n, errno) {
					n++
				}
				if n < 5 {
					t.Errorf("%d calls were failed", n)
				}
			}
		})
	}
}

// patient is a directory in which a trial is made again and again.
type patient struct {
	trial
	before map[string]string // files in it
	dir    string
	locked bool // the lock file is
}

// unlocks reports whether a call lets go of the lock file. Then the operation is
// over, and its file is closed in any case, if only when it is collected.
func (p *patient) unlocks(call faultsys.Call) bool {
	if call.Name != "flock" || call.Path != filepath.Join(p.dir, "index.lock") {
		return false
	}
	was := p.locked
	p.locked = true
	return was
}

func contentOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	for _, name := range namesIn(t, dir) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		mustDo(t, err)
		files[name] = string(text)
	}
	return files
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	mustDo(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// once fails call n, and reports whether the operation came so far.
func (p *patient) once(t *testing.T, n int, errno syscall.Errno) bool {
	t.Helper()
	for _, name := range namesIn(t, p.dir) {
		mustDo(t, os.Remove(filepath.Join(p.dir, name)))
	}
	for name, text := range p.before {
		mustDo(t, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600))
	}
	x := boltindex.New(filepath.Join(p.dir, "index"), boltindex.Options{})
	_, _ = x.Status(t.Context()) // so that a whole one is proven to be so
	files := len(namesIn(t, "/proc/self/fd"))
	seen, failed := 0, faultsys.Call{}
	p.locked = false
	var err error
	mustDo(t, faultsys.Run(func() { err = p.do(t.Context(), x) }, func(call faultsys.Call) syscall.Errno {
		if !strings.HasPrefix(call.Path, p.dir) || p.unlocks(call) {
			return 0
		}
		if seen++; seen != n && call.Name == "fdatasync" {
			return faultsys.Done
		} else if seen != n {
			return 0
		}
		failed = call
		return errno
	}))
	if failed.N == 0 {
		mustDo(t, err)
		return false
	}
	// bbolt has the text of some errors only.
	if err != nil && !strings.Contains(err.Error(), errno.Error()) && !errors.Is(err, cacheerr.ErrDamaged) {
		t.Errorf("%v with %q: error %v, want the system's", failed, errno, err)
	}
	if now := len(namesIn(t, "/proc/self/fd")); now != files {
		t.Errorf("%v with %q: %d files were open before, %d are now", failed, errno, files, now)
	}
	for _, name := range namesIn(t, p.dir) {
		if strings.HasPrefix(name, "index.new") && failed.Name != "unlinkat" {
			t.Errorf("%v with %q: %s is left", failed, errno, name)
		}
	}
	p.checkAfter(t, x, failed, err)
	return true
}

// checkAfter checks that an index has what it said that it has, is consistent
// and can be used.
func (p *patient) checkAfter(t *testing.T, x *boltindex.Index, failed faultsys.Call, err error) {
	t.Helper()
	record := stored(9000).Record
	records, shardErr := x.Shard(t.Context(), record.Key[0])
	if has := slices.Contains(records, record); err == nil && p.writes && !has {
		t.Errorf("%v: no error, and the index has not what was written: %v", failed, shardErr)
	}
	apply(t, x, stored(9001))
	if err := x.Check(t.Context()); err != nil {
		t.Errorf("%v: afterwards %v", failed, err)
	}
	if got := status(t, x); got.Entries == 0 {
		t.Errorf("%v: afterwards %+v", failed, got.Totals)
	}
}
