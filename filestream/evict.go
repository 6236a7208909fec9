// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/internal/lock"
	"github.com/tiercecache/tierce/internal/vfs"
)

// Evicted is what an eviction did.
type Evicted struct {
	Entries int   // removed
	Bytes   int64 // that they took on disk
	Left    int64 // bytes on disk now, temporary files included
	Kept    int64 // bytes of entries that were old enough but handed out within the grace
}

// holdCap starts an eviction when the directory has outgrown its cap. It waits
// for it only when the cap is exceeded by an eighth.
func (c *Cache) holdCap(ctx context.Context) error {
	limit := c.opts.MaxBytes
	if limit == 0 {
		return nil
	}
	if c.usage.unwritten() > limit/128 {
		_ = c.usage.flush(ctx, lock.Try) // a hint for others; Close tries again
	}
	total, known := c.usage.total()
	age := c.opts.Clock().Sub(c.usage.scanned())
	switch {
	case !known, age > rescanAfter, age < 0: // the future is a clock that was wrong
		c.evictBehind()
	case total <= max(limit, c.usage.floor.Load()):
	case total > limit+limit/8:
		_, _ = c.Evict(ctx, nil) // the entry is stored; the next Put tries again
	default:
		c.evictBehind()
	}
	return nil
}

// evictBehind evicts in the background, once at a time.
func (c *Cache) evictBehind() {
	if !c.evicting.CompareAndSwap(false, true) {
		return
	}
	c.behind(func() {
		defer c.evicting.Store(false)
		_, _ = c.evict(context.Background(), nil) //nolint:forbidigo // Close waits for it
	})
}

// Evict removes the least recently used entries until the directory takes at
// most 90 % of its cap, if it takes more than the cap; without a cap it only
// sweeps dead temporary files. Progress may be nil. While another process
// evicts it does nothing.
//
// An entry that was replaced since it was looked at survives, as does one
// handed out by path within the grace; if those alone exceed the cap, Left
// does too.
func (c *Cache) Evict(ctx context.Context, progress Progress) (Evicted, error) {
	if err := c.usable(ctx); err != nil {
		return Evicted{}, err
	}
	return c.evict(ctx, progress)
}

func (c *Cache) evict(ctx context.Context, progress Progress) (done Evicted, err error) {
	if err := c.fs.MkdirAll(c.statePath("")); err != nil { // deleted, or never made by another tool
		return done, notWritten("evict", err)
	}
	err = lock.Files(c.statePath("evict.lock")).With(ctx, lock.Try, func() error {
		done, err = c.evictLocked(ctx, progress)
		return err
	})
	var taken *cacheerr.FileLockTimeoutError
	if errors.As(err, &taken) {
		return done, nil
	}
	return done, notWritten("evict", err)
}

func (c *Cache) evictLocked(ctx context.Context, progress Progress) (Evicted, error) {
	if names, err := c.fs.ReadDir(c.tmpDir()); err == nil {
		c.sweep(names)
	}
	var files []file
	var failures []error // of single directories and files: the rest is evicted all the same
	mark := c.usage.mark()
	done := Evicted{Left: c.tmpBytes()}
	for f, err := range c.files(ctx, progress) {
		if ctx.Err() != nil {
			return done, ctx.Err()
		}
		if err != nil {
			failures = append(failures, err)
			continue
		}
		files = append(files, f)
		done.Left += f.info.Disk
	}
	if limit := c.opts.MaxBytes; limit > 0 && done.Left > limit {
		low := limit - limit/10
		failures = append(failures, c.removeOldest(ctx, files, low, &done))
		c.usage.floor.Store(0)
		if done.Left > low { // what is left is kept: look again when more came
			c.usage.floor.Store(done.Left + limit/16)
		}
	}
	c.usage.set(ctx, done.Left, mark)
	return done, errors.Join(failures...)
}

// removeOldest removes files in the order of their last use until low is
// reached.
func (c *Cache) removeOldest(ctx context.Context, files []file, low int64, done *Evicted) error {
	used := func(f file) int64 { return max(f.info.Used(), c.uses.at(f.key)) }
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(used(a), used(b)) })
	// A file handed out had its time brought up to date within half of the grace.
	young := c.opts.Clock().Add(-c.opts.Grace - c.opts.Grace/2).UnixNano()
	var failures []error
	for _, f := range files {
		if done.Left <= low {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		kept := false
		gone, err := c.removeUnless(f.key, f.info, func(now vfs.Info) bool {
			f.info = now // since the scan another process may have handed it out
			// What takes no block frees nothing; for Go it is the way to an output that stays.
			kept = (now.Frozen || now.Disk == 0) && (used(f) > young || c.uses.isHanded(f.key))
			return kept
		})
		if err != nil && !errors.Is(err, vfs.ErrBusy) { // which is for another time
			failures = append(failures, err)
		}
		if kept {
			done.Kept += f.info.Disk
		}
		if gone {
			done.Entries++
			done.Bytes += f.info.Disk
			done.Left -= f.info.Disk
		}
	}
	return errors.Join(failures...)
}

// rescanAfter is how old the last scan may be before the size of the directory
// is counted anew: what killed processes did not write down adds up.
const rescanAfter = 24 * time.Hour
