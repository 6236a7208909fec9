// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// maxUses bounds the memory for uses, about 100 bytes each, but for those handed
// out by path: they have to be kept.
const maxUses = 1 << 16

// uses are the entries that this process used lately: exact recency for its own
// evictions, and what a client of this process may still read by path.
type uses struct {
	mu     sync.Mutex
	last   map[interfaces.Key]int64    // Unix nanoseconds
	handed map[interfaces.Key]struct{} // out by path

	untouched map[interfaces.Key]struct{} // their files have older times of last use

	every   time.Duration // between two calls of keep
	keep    func()        // keeps what was handed out
	keeper  *time.Timer   // runs once something was handed out
	stopped bool
}

// note remembers that an entry was used now.
func (u *uses) note(key interfaces.Key, now time.Time, handed bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil {
		u.last = make(map[interfaces.Key]int64, 512)
		u.handed = make(map[interfaces.Key]struct{}, 512)
	}
	if _, known := u.last[key]; !known && len(u.last) >= maxUses {
		clear(u.last) // recency in the files is still exact to half of Grace
	}
	u.last[key] = now.UnixNano()
	if !handed {
		return
	}
	u.handed[key] = struct{}{}
	if u.keeper == nil && !u.stopped {
		u.keeper = time.AfterFunc(u.every, u.keep)
	}
}

// stale reports whether a time of last use has to be brought up to date: it is
// older than half of Grace. Doing so at each use would cost more than the use.
func (c *Cache) stale(used int64) bool {
	return c.opts.Clock().UnixNano()-used > int64(c.opts.Grace/2)
}

// used notes a use of the entry whose file is open and marks it as handed out.
// If that is news, the index is told, and the file's time of last use is brought
// up to date: at once if the file must stay, or if there is no index, and else
// when the index is told, so that a hit does not wait for it. What the system
// refuses costs recency and nothing else (F13).
func (c *Cache) used(file vfs.File, key interfaces.Key, seen look, handed bool) {
	now := c.opts.Clock()
	c.uses.note(key, now, handed)
	stale, freeze := c.stale(seen.info.Used()), handed && !seen.info.Frozen
	if stale && c.index != nil {
		if handed || c.uses.later(key) {
			c.changes.used(key, now.UnixNano())
		}
		stale = handed
	}
	if !stale && !freeze {
		return
	}
	if stale {
		_ = file.SetAccessed(now)
	}
	if freeze {
		_ = file.Freeze()
	}
	c.proveAgain(file, key, seen)
}

// keepHandedOut brings the times of everything that was handed out by path up
// to date: as long as this cache is open its client may read those files. It
// runs at every half of Grace, which few processes live to see.
func (c *Cache) keepHandedOut() {
	for _, key := range c.uses.handedOut() {
		if c.closed.Load() {
			return
		}
		now := c.opts.Clock()
		c.touch(key, now)
		c.changes.used(key, now.UnixNano())
	}
}

// touch brings the time of last use of an entry's file up to date. One that is
// gone, or not to be had, needs none.
func (c *Cache) touch(key interfaces.Key, at time.Time) {
	file, seen, err := c.openEntry(key)
	if err != nil {
		return
	}
	if seen.info.Used() < at.UnixNano() {
		_ = file.SetAccessed(at)
		c.proveAgain(file, key, seen)
	}
	_ = file.Close() // only read
}

// touchLater touches what was used by hits that did not wait for it.
func (c *Cache) touchLater(ctx context.Context) {
	for _, key := range c.uses.takeLater() {
		if ctx.Err() != nil {
			return
		}
		c.touch(key, time.Unix(0, c.uses.at(key)))
	}
}

// later remembers that a file is to be touched, and reports whether that is
// news.
func (u *uses) later(key interfaces.Key) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, known := u.untouched[key]; known || len(u.untouched) >= maxUses {
		return false
	}
	if u.untouched == nil {
		u.untouched = make(map[interfaces.Key]struct{})
	}
	u.untouched[key] = struct{}{}
	return true
}

func (u *uses) takeLater() []interfaces.Key {
	u.mu.Lock()
	defer u.mu.Unlock()
	keys := slices.Collect(maps.Keys(u.untouched))
	u.untouched = nil
	return keys
}

// again has keep called once more, unless it was stopped.
func (u *uses) again() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.stopped {
		u.keeper.Reset(u.every)
	}
}

// stop ends the calls of keep.
func (u *uses) stop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stopped = true
	if u.keeper != nil {
		u.keeper.Stop()
	}
}

func (u *uses) handedOut() []interfaces.Key {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Collect(maps.Keys(u.handed))
}

// isHanded reports whether this process handed the entry out by path.
func (u *uses) isHanded(key interfaces.Key) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, handed := u.handed[key]
	return handed
}

// at returns when this process last used the entry, or 0.
func (u *uses) at(key interfaces.Key) int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.last[key]
}

// proveAgain renews the proof of a verified file whose times were changed by
// this process.
func (c *Cache) proveAgain(file vfs.File, key interfaces.Key, seen look) {
	if seen.bare || !c.proofs.has(seen.proof) {
		return
	}
	if now, err := file.Stat(); err == nil && now.Same(seen.info) {
		c.proofs.add(proofOf(key, now))
	}
}
