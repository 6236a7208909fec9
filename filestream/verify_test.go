// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/internal/vfs"
)

// fileDamages are the damages that leave a file; others have no entry's name.
func fileDamages() []damage {
	var all []damage
	for _, damage := range damages {
		if damage.want != filestream.NotAFile {
			all = append(all, damage)
		}
	}
	return all
}

func TestVerifyAll(t *testing.T) {
	for kind, fs := range eachFS {
		for _, policy := range []filestream.Verify{filestream.VerifyFirstRead, filestream.VerifyNever} {
			t.Run("finds every kind of damage, and repairs it, "+kind+", "+string(policy), func(t *testing.T) {
				c := openOn(t, t.TempDir(), filestream.Options{Verify: policy}, fs())
				want := make(map[string]filestream.Damage)
				for _, damage := range fileDamages() {
					put(t, c, damage.name, oldBody)
					wantHit(t, c, damage.name, oldBody) // it is verified by now
					path := entryPath(c.Dir(), named(damage.name))
					damage.do(t, path)
					want[path] = damage.want
				}
				put(t, c, "whole", oldBody)
				put(t, c, "large", largeBody)
				writeFile(t, entryPath(c.Dir(), named("foreign")), "of another tool")

				found, err := c.VerifyAll(t.Context(), false, nil)
				mustDo(t, err)
				checkVerified(t, found, want, 0)
				found, err = c.VerifyAll(t.Context(), true, nil)
				mustDo(t, err)
				checkVerified(t, found, want, len(want))
				found, err = c.VerifyAll(t.Context(), true, nil)
				mustDo(t, err)
				checkVerified(t, found, nil, 0)
				wantHit(t, c, "whole", oldBody)
				wantHit(t, c, "foreign", "of another tool")
				for _, damage := range fileDamages() {
					wantMiss(t, c, damage.name)
				}
			})
		}
	}
}

func checkVerified(t testing.TB, found filestream.Verified, want map[string]filestream.Damage, removed int) {
	t.Helper()
	if found.Entries != 2 || found.Bytes != int64(len(oldBody)+len(largeBody)) || found.Unverified != 1 {
		t.Errorf("VerifyAll: %d entries, %d bytes, %d unverified", found.Entries, found.Bytes, found.Unverified)
	}
	if len(found.Damaged) != len(want) || found.Removed != removed {
		t.Errorf("VerifyAll: %d damaged, %d removed, want %d and %d", len(found.Damaged), found.Removed, len(want), removed)
	}
	for _, damage := range found.Damaged {
		if want[damage.Path] != damage.Damage || damage.Damage == "" {
			t.Errorf("VerifyAll: %v, want %q", damage, want[damage.Path])
		}
		if damage.Removed != (removed > 0) || damage.Err != nil {
			t.Errorf("VerifyAll: %v: removed %t, error %v", damage, damage.Removed, damage.Err)
		}
	}
}

// TestVerifyAllGoesOn: what cannot be removed is told of each entry, and the rest
// is compared all the same.
func TestVerifyAllGoesOn(t *testing.T) {
	dir := t.TempDir()
	c := openOn(t, dir, filestream.Options{}, refusing(syscall.EIO, "remove"))
	for _, name := range []string{"a", "b", "c"} {
		put(t, c, name, oldBody)
	}
	flipBit(t, entryPath(dir, named("a")))
	flipBit(t, entryPath(dir, named("b")))
	found, err := c.VerifyAll(t.Context(), true, nil)
	if !errors.Is(err, syscall.EIO) || found.Entries != 1 || len(found.Damaged) != 2 || found.Removed != 0 {
		t.Errorf("VerifyAll: %+v and error %v, want two damaged that cannot be removed", found, err)
	}
	for _, damage := range found.Damaged {
		if damage.Removed || !errors.Is(damage.Err, syscall.EIO) {
			t.Errorf("%v: removed %t, error %v", damage, damage.Removed, damage.Err)
		}
	}
	if _, err := get(t, c, "a"); !errors.Is(err, cacheerr.ErrDamaged) {
		t.Errorf("Get: error %v, want damage", err)
	}
}

func TestVerifyAllIsNoUse(t *testing.T) {
	c := openIn(t, t.TempDir(), filestream.Options{})
	put(t, c, "key", oldBody)
	used := time.Now().Add(-100 * time.Hour)
	setUsed(t, c.Dir(), "key", used, used)
	_, err := c.VerifyAll(t.Context(), true, nil)
	mustDo(t, err)
	if info, err := (vfs.OS{}).Stat(entryPath(c.Dir(), named("key"))); err != nil || info.Used() != used.UnixNano() {
		t.Errorf("last use %v and error %v, want %v", time.Unix(0, info.Used()), err, used)
	}
}

func TestVerifyAllCancelled(t *testing.T) {
	for name, call := range map[string]func(context.Context, *filestream.Cache, filestream.Progress) error{
		"VerifyAll": func(ctx context.Context, c *filestream.Cache, p filestream.Progress) error {
			_, err := c.VerifyAll(ctx, true, p)
			return err
		},
		"Empty": func(ctx context.Context, c *filestream.Cache, p filestream.Progress) error {
			_, err := c.Empty(ctx, p)
			return err
		},
		"Usage": func(ctx context.Context, c *filestream.Cache, p filestream.Progress) error {
			_, err := c.Usage(ctx, p)
			return err
		},
		"Evict": func(ctx context.Context, c *filestream.Cache, p filestream.Progress) error {
			_, err := c.Evict(ctx, p)
			return err
		},
	} {
		t.Run("T10 "+name+" stops soon after its context is cancelled", func(t *testing.T) {
			dir := t.TempDir()
			fill(t, dir, time.Now(), ten...)
			c := openIn(t, dir, filestream.Options{MaxBytes: 1})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			parts := 0
			err := call(ctx, c, func(done, _ int) {
				parts = done
				cancel()
			})
			if err != context.Canceled || parts != 1 {
				t.Errorf("error %v after %d parts, want %v after 1", err, parts, context.Canceled)
			}
		})
	}
	t.Run("T10 List", func(t *testing.T) {
		dir := t.TempDir()
		fill(t, dir, time.Now(), ten...)
		c := openIn(t, dir, filestream.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		keys, last := 0, error(nil)
		for _, err := range c.List(ctx) {
			if last = err; err == nil {
				keys++
			}
			cancel()
		}
		if keys != 1 || last != context.Canceled {
			t.Errorf("%d keys and error %v, want %v after one", keys, last, context.Canceled)
		}
	})
}

// TestBusy is about an eviction while another process is at it.
func TestBusy(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	each := fill(t, dir, clock.now(), ten...)
	opts := filestream.Options{MaxBytes: 5 * each, Clock: clock.now}
	first, second := openIn(t, dir, opts), openIn(t, dir, opts)
	inside := false
	_, err := first.Evict(t.Context(), func(int, int) {
		if inside {
			return
		}
		inside = true
		if done, err := second.Evict(t.Context(), nil); err != nil || done.Entries != 0 {
			t.Errorf("Evict while another evicts: %+v and error %v, want nothing", done, err)
		}
	})
	mustDo(t, err)
	if left := len(names(t, filepath.Join(dir, "entries"))); !inside || left == 0 {
		t.Errorf("inside is %t, %d directories are left", inside, left)
	}
	if _, err := os.Stat(filepath.Join(dir, "state", "evict.lock")); err != nil {
		t.Errorf("the lock file is gone: %v; somebody may wait for it", err)
	}
}
