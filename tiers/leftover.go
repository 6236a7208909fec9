// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"maps"
	"slices"
	"sync"

	"github.com/tiercecache/tierce/interfaces"
)

// leftover is the keys that were not written behind and may be by another
// stack. A nil leftover keeps none.
type leftover struct {
	limit   int // how many keys are kept
	mu      sync.Mutex
	keys    map[interfaces.Key]struct{} // guarded by mu
	resumed map[interfaces.Key]struct{} // guarded by mu: an earlier stack's, which did not come up yet
}

// newLeftover returns what keeps the keys for opts.Leftover.
func newLeftover(opts Options, limit int) *leftover {
	if opts.Leftover == nil {
		return nil
	}
	return &leftover{limit: limit, keys: make(map[interfaces.Key]struct{}), resumed: make(map[interfaces.Key]struct{})}
}

// keep keeps a key that was not sent.
func (l *leftover) keep(key interfaces.Key) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.resumed, key)
	if len(l.keys) < l.limit {
		l.keys[key] = struct{}{}
	}
}

// forget forgets a key that was sent, or is not to be, and reports whether it was
// an earlier stack's.
func (l *leftover) forget(key interfaces.Key) (resumed bool) {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, resumed = l.resumed[key]
	delete(l.keys, key)
	delete(l.resumed, key)
	return resumed
}

// resume takes note of an earlier stack's key.
func (l *leftover) resume(key interfaces.Key) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resumed[key] = struct{}{}
}

// all returns the keys that are kept.
func (l *leftover) all() []interfaces.Key {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.keys))
}

// resume makes an earlier stack's keys wait to be written behind: as many as
// leave half of the queue to this one's, and the others are left over again.
func (s *Stack) resume(keys []interfaces.Key) {
	room := cap(s.queue.room) / 2
	queued := make(map[interfaces.Key]bool, min(len(keys), room))
	for _, key := range keys {
		switch {
		case queued[key]: // it may have been sent by now
			continue
		case len(queued) == room:
			s.left.keep(key)
			continue
		}
		queued[key] = true
		s.left.resume(key)
		s.queue.add(s.queue.ctx, key, false)
	}
}
