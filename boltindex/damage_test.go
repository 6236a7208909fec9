// SPDX-License-Identifier: Apache-2.0

package boltindex_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	bolt "go.etcd.io/bbolt"

	"github.com/tiercecache/tierce/boltindex"
	cacheerr "github.com/tiercecache/tierce/errors"
)

func mustDo(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// overwrite puts bytes into the file in place.
func overwrite(t testing.TB, path string, at int64, b []byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	mustDo(t, err)
	_, err = file.WriteAt(b, at)
	mustDo(t, err, file.Close())
}

func noise(n int) []byte {
	random := rand.New(rand.NewPCG(3, 4))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

func size(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	mustDo(t, err)
	return info.Size()
}

// damages are what may happen to the file.
var damages = map[string]func(t testing.TB, path string){
	"deleted":  func(t testing.TB, path string) { mustDo(t, os.Remove(path)) },
	"emptied":  func(t testing.TB, path string) { mustDo(t, os.Truncate(path, 0)) },
	"cut off":  func(t testing.TB, path string) { mustDo(t, os.Truncate(path, size(t, path)/2)) },
	"one page": func(t testing.TB, path string) { mustDo(t, os.Truncate(path, 5000)) },
	"text":     func(t testing.TB, path string) { mustDo(t, os.WriteFile(path, []byte("what?"), 0o644)) },
	"noise":    func(t testing.TB, path string) { overwrite(t, path, 0, noise(int(size(t, path)))) },
	"noise behind the first pages": func(t testing.TB, path string) {
		overwrite(t, path, 8192, noise(int(size(t, path))-8192))
	},
	"zeros": func(t testing.TB, path string) { overwrite(t, path, 8192, make([]byte, size(t, path)-8192)) },
	"another program's": func(t testing.TB, path string) {
		mustDo(t, os.Remove(path))
		db, err := bolt.Open(path, 0o644, nil)
		mustDo(t, err, db.Close())
	},
	"another program's, without a list of free pages": func(t testing.TB, path string) {
		db, err := bolt.Open(path, 0o644, &bolt.Options{NoFreelistSync: true})
		mustDo(t, err, db.Update(func(*bolt.Tx) error { return nil }), db.Close())
	},
}

func TestDamage(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			x, path := newIndex(t, boltindex.Options{})
			apply(t, x, storedAll(0, 3000)...)
			damage(t, path)
			if _, err := x.Status(t.Context()); !errors.Is(err, cacheerr.ErrDamaged) && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Status: %v, want damage", err)
			}
			if _, err := x.Oldest(t.Context(), boltindex.Position{}, 9); err == nil {
				t.Error("Oldest: no error")
			}
			apply(t, x, stored(1))
			wantTotals(t, x, 1)
			if why := status(t, x).Why; name != "deleted" && !strings.Contains(why, "damaged") {
				t.Errorf("made anew since %q", why)
			}
		})
	}
	t.Run("a directory in its place", func(t *testing.T) {
		x, path := newIndex(t, boltindex.Options{})
		mustDo(t, os.Mkdir(path, 0o700))
		if err := x.Apply(t.Context(), storedAll(0, 1)); err == nil {
			t.Error("Apply: no error")
		}
		mustDo(t, os.Remove(path))
	})
}

// TestFlippedBits flips a bit of the file, everywhere, without a trace in its
// times, as bad memory would, and with one: nothing may end this program, and
// what says that it is fine must be fine after the next write.
func TestFlippedBits(t *testing.T) {
	x, path := newIndex(t, boltindex.Options{})
	apply(t, x, storedAll(0, 400)...)
	whole, err := os.ReadFile(path)
	mustDo(t, err)
	random := rand.New(rand.NewPCG(5, 6))
	noticed := 0
	for range 300 {
		page := random.IntN(len(whole) / 4096)
		at := page*4096 + random.IntN(1500) // where heads and elements are
		b := []byte{whole[at] ^ 1<<random.IntN(8)}
		mustDo(t, os.WriteFile(path, whole, 0o644))
		overwrite(t, path, int64(at), b)
		_, err := x.Status(t.Context())
		if err == nil {
			_, err = x.Oldest(t.Context(), boltindex.Position{}, 1000)
		}
		if err != nil {
			noticed++
			if !errors.Is(err, cacheerr.ErrDamaged) {
				t.Fatalf("bit at %d: %v", at, err)
			}
		}
		apply(t, x, used(3, 1<<40), removed(5, 1<<40), stored(500))
	}
	if noticed < 20 {
		t.Errorf("of 300 flipped bits %d were noticed", noticed)
	}
	mustDo(t, os.WriteFile(path, whole, 0o644))
}

func TestLocked(t *testing.T) {
	t.Run("by another program, for ever", func(t *testing.T) {
		x, path := newIndex(t, boltindex.Options{Timeout: time.Millisecond})
		apply(t, x, storedAll(0, 9)...)
		stranger, err := os.Open(path)
		mustDo(t, err)
		defer stranger.Close()
		lock := flock.New(path, flock.SetFlag(os.O_RDWR))
		mustDo(t, lock.Lock())
		defer lock.Close()
		if _, err := x.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "another program") {
			t.Errorf("Status: %v", err)
		}
		apply(t, x, stored(1))
		wantTotals(t, x, 1)
		if why := status(t, x).Why; !strings.Contains(why, "another program") {
			t.Errorf("made anew since %q", why)
		}
	})
	t.Run("by another process that is at work", func(t *testing.T) {
		x, path := newIndex(t, boltindex.Options{Timeout: time.Millisecond})
		apply(t, x, storedAll(0, 9)...)
		lock := flock.New(path + ".lock")
		mustDo(t, lock.Lock())
		timeout := (*cacheerr.FileLockTimeoutError)(nil)
		if err := x.Apply(t.Context(), storedAll(9, 10)); !errors.As(err, &timeout) {
			t.Errorf("Apply: %v", err)
		}
		mustDo(t, lock.Unlock())
		wantTotals(t, x, 9)
	})
}

// TestGoneWhileMapped cuts the file off while it is mapped: a fault, which must
// stay an error.
func TestGoneWhileMapped(t *testing.T) {
	x, path := newIndex(t, boltindex.Options{})
	apply(t, x, storedAll(0, 3000)...)
	err := x.WithOpen(t.Context(), func() error {
		return os.Truncate(path, 4096)
	})
	if !errors.Is(err, cacheerr.ErrDamaged) {
		t.Errorf("error %v, want damage", err)
	}
	apply(t, x, stored(1))
	wantTotals(t, x, 1)
}

// TestKilled holds that a batch that was killed leaves an index that is used
// on: its pages are whole.
func TestKilled(t *testing.T) {
	x, path := newIndex(t, boltindex.Options{})
	apply(t, x, storedAll(0, 3000)...)
	mustDo(t, os.Remove(path+".proof"), os.WriteFile(path+".new-1", []byte("half"), 0o644))
	apply(t, x, stored(3000))
	wantTotals(t, x, 3001)
	if why := status(t, x).Why; why != "there was none" {
		t.Errorf("made anew since %q", why)
	}
}
