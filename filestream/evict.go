// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

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

// holdCap starts an eviction when the directory has outgrown one of its limits.
// It waits for it, also for another process's, only when the cap is exceeded by
// an eighth: who goes on storing then would outrun it.
func (c *Cache) holdCap(ctx context.Context) error {
	if !c.opts.limited() {
		return nil
	}
	limit := c.opts.MaxBytes
	if limit > 0 && c.usage.unwritten() > limit/128 {
		_ = c.flush(ctx, lock.Try) // a hint for others; Close tries again
	}
	total, known := c.usage.total()
	age := c.opts.Clock().Sub(c.usage.scanned())
	switch {
	case !known, age > c.opts.lookAfter(), age < 0, c.crowded(total): // the future is a clock that was wrong
		c.evictBehind()
	case limit == 0, total.bytes <= max(limit, c.usage.floor.Load()):
	case total.bytes > limit+limit/8:
		_, _ = c.evict(ctx, patience, eviction{}) // the entry is stored; the next Put tries again
	default:
		c.evictBehind()
	}
	return nil
}

// crowded reports whether there are too many files, or too little room on the
// disk, which is asked for now and then.
func (c *Cache) crowded(total amount) bool {
	if most := int64(c.opts.MaxFiles); most > 0 && total.files > max(most, c.usage.fileFloor.Load()) {
		return true
	}
	if c.opts.MinFree == 0 || c.puts.Add(1)%freeEvery != 1 {
		return false
	}
	free, err := vfs.Free(c.fs, c.dir)
	return err == nil && free < c.opts.MinFree
}

// freeEvery is at every how many Puts the room on the disk is asked for.
const freeEvery = 64

// evictBehind evicts in the background, once at a time.
func (c *Cache) evictBehind() {
	if !c.evicting.CompareAndSwap(false, true) {
		return
	}
	c.behind(func() {
		defer c.evicting.Store(false)
		_, _ = c.evict(c.work, lock.Try, eviction{})
	})
}

// madeFull starts an eviction if err says that the disk is full.
func (c *Cache) madeFull(err error) {
	if vfs.Full(err) {
		c.full.Store(true)
		c.evictBehind()
	}
}

// Evict removes the least recently used entries until the directory is at most
// at its low-water mark, if it exceeds one of its limits; without limits it only
// sweeps dead temporary files and tends the index. Progress may be nil. While
// another process evicts it does nothing.
//
// An entry that was replaced since it was looked at survives, as does one
// handed out by path within the grace; if those alone exceed the cap, Left
// does too. What cannot be looked at or removed is left, the rest is evicted, and
// the error, with Evicted, is a *cacheerr.BackendExecutionError, in which is
// cacheerr.ErrReadOnly where that is why; or the context's.
func (c *Cache) Evict(ctx context.Context, progress Progress) (Evicted, error) {
	if err := c.usable(ctx); err != nil {
		return Evicted{}, err
	}
	return c.evict(ctx, lock.Try, eviction{progress: progress})
}

// PlanEviction returns what [Cache.Evict] would do, and does nothing of it. It
// fails as Evict does.
func (c *Cache) PlanEviction(ctx context.Context, progress Progress) (Evicted, error) {
	if err := c.usable(ctx); err != nil {
		return Evicted{}, err
	}
	return c.evict(ctx, lock.Try, eviction{progress: progress, dry: true})
}

// eviction is one run of it.
type eviction struct {
	progress Progress
	dry      bool // nothing is removed

	goal  goal
	done  Evicted
	files int // left
	young int64
}

// patience is how long a Put waits for another process that evicts.
const patience = lock.Wait(2 * time.Second)

func (c *Cache) evict(ctx context.Context, wait lock.Wait, e eviction) (Evicted, error) {
	err := c.tending(ctx, wait, func() error { return c.evictTending(ctx, &e) })
	if isTaken(err) {
		return e.done, nil
	}
	return e.done, notWritten("evict", err)
}

// evictTending evicts by the index, or, if there is none to be had, by a scan.
func (c *Cache) evictTending(ctx context.Context, e *eviction) error {
	if names, err := c.fs.ReadDir(c.tmpDir()); err == nil && !e.dry {
		c.sweep(names)
	}
	status, err := c.tend(ctx, e.progress)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return c.evictScanning(ctx, e)
	}
	e.done.Left, e.files = status.Bytes+c.tmpBytes(), int(status.Entries)
	err = c.removeOldest(ctx, e, c.oldestIndexed(ctx))
	if errors.Is(err, errIndexLost) && ctx.Err() == nil {
		e.done.Kept = 0 // it is counted anew
		return c.evictScanning(ctx, e)
	}
	c.settleFloor(e)
	if c.changes.some() && !e.dry {
		_, _ = c.tend(ctx, nil) // what fails is tried again when more came
	}
	return err
}

// evictScanning evicts by the files alone.
func (c *Cache) evictScanning(ctx context.Context, e *eviction) error {
	var files []file
	var failures []error // of single directories and files: the rest is evicted all the same
	mark := c.usage.mark()
	e.done.Left = c.tmpBytes()
	for f, err := range c.files(ctx, e.progress) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failures = append(failures, err)
			continue
		}
		f.used = max(f.info.Used(), c.uses.at(f.key))
		files = append(files, f)
		e.done.Left += f.info.Disk
	}
	e.files = len(files)
	slices.SortFunc(files, byUse)
	failures = append(failures, c.removeOldest(ctx, e, func(yield func(file, error) bool) {
		for _, f := range files {
			if !yield(f, nil) {
				return
			}
		}
	}))
	c.settleFloor(e)
	if !e.dry {
		c.usage.set(ctx, amount{e.done.Left, int64(e.files)}, mark)
	}
	return errors.Join(failures...)
}

// settleFloor remembers what had to be kept: evicting again is in vain until
// more came.
func (c *Cache) settleFloor(e *eviction) {
	if e.dry {
		return
	}
	floor, fileFloor := int64(0), int64(0)
	if e.done.Left > e.goal.bytes {
		floor = e.done.Left + c.opts.MaxBytes/16
	}
	if int64(e.files) > e.goal.files {
		fileFloor = int64(e.files) + int64(c.opts.MaxFiles)/16
	}
	c.usage.floor.Store(floor)
	c.usage.fileFloor.Store(fileFloor)
}

// removeOldest removes files, which come in the order of their last use, until
// the goal is reached.
func (c *Cache) removeOldest(ctx context.Context, e *eviction, files iter.Seq2[file, error]) error {
	now := c.opts.Clock()
	e.goal = c.goalOf(e.done.Left, int64(e.files), now)
	if e.goal.met(e, 0) {
		return nil
	}
	// A file handed out had its time brought up to date within half of the grace.
	e.young = now.Add(-c.opts.Grace - c.opts.Grace/2).UnixNano()
	var failures []error
	for f, err := range files {
		switch {
		case err != nil && f == file{}:
			return errors.Join(append(failures, err)...)
		case err != nil: // of this one
			failures = append(failures, err)
			continue
		case e.goal.met(e, f.used):
			return errors.Join(failures...)
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if err := c.removeOne(e, f); err != nil && !errors.Is(err, vfs.ErrBusy) { // which is for another time
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// removeOne removes a file, if it may go.
func (c *Cache) removeOne(e *eviction, f file) error {
	if f.missing {
		e.gone(f)
		return nil
	}
	kept := false
	keep := func(now vfs.Info) bool {
		// Since the look another process may have handed it out. What takes no block
		// frees nothing; for Go it is the way to an output that stays.
		used := max(f.used, now.Used(), c.uses.at(f.key))
		kept = (now.Frozen || now.Disk == 0) && (used > e.young || c.uses.isHanded(f.key))
		return kept || e.dry
	}
	gone, err := c.removeUnless(f.key, f.info, keep)
	switch {
	case kept:
		e.done.Kept += f.info.Disk
	case gone, e.dry && err == nil:
		e.gone(f)
		e.done.Entries++
		e.done.Bytes += f.info.Disk
	}
	return err
}

// gone counts a file off.
func (e *eviction) gone(f file) {
	e.done.Left -= f.info.Disk
	e.files--
}

// goal is where an eviction ends.
type goal struct {
	bytes, files int64 // at most
	since        int64 // what was last used before goes, Unix nanoseconds
}

func (g goal) met(e *eviction, used int64) bool {
	return e.done.Left <= g.bytes && int64(e.files) <= g.files && used >= g.since
}

// goalOf returns how far to evict what there is: not at all, or down to the
// low-water mark of each limit that is exceeded.
func (c *Cache) goalOf(bytes, files int64, now time.Time) goal {
	low := func(n int64) int64 { return n/100*int64(c.opts.LowWater) + n%100*int64(c.opts.LowWater)/100 }
	g := goal{bytes: maxBytes, files: maxBytes}
	if limit := c.opts.MaxBytes; limit > 0 && bytes > limit {
		g.bytes = low(limit)
	}
	if most := int64(c.opts.MaxFiles); most > 0 && files > most {
		g.files = low(most)
	}
	if c.opts.MaxAge > 0 {
		g.since = now.Add(-c.opts.MaxAge).UnixNano()
	}
	least := c.opts.MinFree
	if c.full.Swap(false) {
		least = max(least, fullBytes)
	}
	if least > 0 {
		if free, err := vfs.Free(c.fs, c.dir); err == nil && free < least {
			g.bytes = min(g.bytes, max(0, bytes-(least+least-low(least)-free)))
		}
	}
	return g
}

// fullBytes is how much of a disk that was full is made free at least, in bytes.
const fullBytes = 64 << 20
