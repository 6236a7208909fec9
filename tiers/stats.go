// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// Counters is an [Observer] that counts. The zero value is ready; it must not
// be copied. Observe allocates only for a layer's first event.
//
// One that observes a stack must not observe a stack within it too: what that
// does would count twice.
type Counters struct {
	gets, hits, misses, puts, hitBytes, putBytes atomic.Int64
	saved                                        atomic.Int64 // nanoseconds
	errors, promotions, dropped, unstored        atomic.Int64
	absent, damaged, expired, illTier            atomic.Int64

	mu     sync.Mutex // held to add a layer
	layers atomic.Pointer[[]*layerCounters]
}

type layerCounters struct {
	name                       string
	hits, misses, puts, errors atomic.Int64

	remote                           atomic.Bool
	hitBytes, retries, dropped, left atomic.Int64
	waited, vain                     atomic.Int64 // nanoseconds

	illMu sync.Mutex
	ill   map[string]int64 // guarded by illMu: failures by reason
}

// Observe implements [Observer].
func (c *Counters) Observe(event Event) {
	if event.Layer == "" {
		c.observeStack(&event)
		return
	}
	l := c.layer(event.Layer)
	switch event.Result {
	case Done:
		if event.Op == OpOpen {
			l.remote.Store(event.Remote)
		}
	case Hit:
		l.hit(&event)
	case Miss:
		c.observeMiss(l, &event)
	case Stored:
		l.puts.Add(1)
	case Promoted:
		l.puts.Add(1)
		c.promotions.Add(1)
	case Dropped:
		l.dropped.Add(1)
		c.dropped.Add(1)
	case Failed:
		l.errors.Add(1)
		c.errors.Add(1)
		l.failed(event.Err)
	case Refused:
		l.refused(event.Err)
	case Waited:
		l.waited.Add(int64(event.Duration))
	case InVain:
		l.vain.Add(int64(event.Duration))
	case Retried:
		l.retries.Add(1)
	case Left:
		l.left.Add(1)
	}
}

// hit counts a read that the layer had the entry for.
func (l *layerCounters) hit(event *Event) {
	if event.Op.reads() {
		l.hits.Add(1)
		l.hitBytes.Add(max(event.Size, 0))
	}
}

// refused counts a tier that is asked and takes nothing, such as a replica.
func (l *layerCounters) refused(err error) {
	if _, ill := errors.AsType[cacheerr.BackendError](err); ill {
		l.failed(err)
	}
}

// observeStack counts what callers asked for and got.
func (c *Counters) observeStack(event *Event) {
	switch {
	case event.Op.reads():
		c.gets.Add(1)
		switch event.Result {
		case Hit:
			c.hits.Add(1)
			c.hitBytes.Add(max(event.Size, 0))
			c.saved.Add(int64(event.Cost))
		case Miss:
			c.misses.Add(1)
			c.observeReason(event.Reason)
		}
	case event.Result == Stored:
		c.puts.Add(1)
		c.putBytes.Add(max(event.Size, 0))
	case event.Op == OpPut && (event.Result == Failed || event.Result == Refused):
		c.unstored.Add(1)
	}
}

// observeMiss counts a layer's miss. Damage is counted where it is met, also
// if a farther layer has the entry.
func (c *Counters) observeMiss(l *layerCounters, event *Event) {
	if event.Op.reads() {
		l.misses.Add(1)
	}
	switch event.Reason {
	case cacheerr.ReasonDamaged:
		c.damaged.Add(1)
	case cacheerr.ReasonExpired:
		c.expired.Add(1)
	}
}

// observeReason counts why the stack had a miss, unless observeMiss has.
func (c *Counters) observeReason(reason cacheerr.Reason) {
	switch reason {
	case cacheerr.ReasonAbsent:
		c.absent.Add(1)
	case cacheerr.ReasonIllTier:
		c.illTier.Add(1)
	}
}

// reads reports whether a hit of op is one in statistics.
func (op Op) reads() bool { return op == OpGet || op == OpPath || op == OpPrefetch }

// layer returns the counters of the layer with name.
func (c *Counters) layer(name string) *layerCounters {
	if l := find(c.layers.Load(), name); l != nil {
		return l
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.layers.Load()
	if l := find(known, name); l != nil {
		return l
	}
	l := &layerCounters{name: name}
	var layers []*layerCounters
	if known != nil {
		layers = slices.Clone(*known)
	}
	layers = append(layers, l)
	c.layers.Store(&layers)
	return l
}

// find is faster than a map for the few layers that a stack has.
func find(layers *[]*layerCounters, name string) *layerCounters {
	if layers == nil {
		return nil
	}
	for _, l := range *layers {
		if l.name == name {
			return l
		}
	}
	return nil
}

// Snapshot returns the counts so far. Counts of events that happen meanwhile
// may be in it or not, each for itself.
func (c *Counters) Snapshot() Snapshot {
	s := Snapshot{
		Gets: c.gets.Load(), Hits: c.hits.Load(), Misses: c.misses.Load(), Puts: c.puts.Load(),
		Errors: c.errors.Load(), HitBytes: c.hitBytes.Load(), PutBytes: c.putBytes.Load(),
		SecondsSaved: time.Duration(c.saved.Load()).Seconds(),
		Tiers:        []TierSnapshot{},
		MissReasons: MissReasons{
			Absent: c.absent.Load(), Damaged: c.damaged.Load(),
			Expired: c.expired.Load(), IllTier: c.illTier.Load(),
		},
		Promotions: c.promotions.Load(), Dropped: c.dropped.Load(), Unstored: c.unstored.Load(),
	}
	if layers := c.layers.Load(); layers != nil {
		for _, l := range *layers {
			s.Tiers = append(s.Tiers, TierSnapshot{
				Name: l.name, Hits: l.hits.Load(), Misses: l.misses.Load(),
				Puts: l.puts.Load(), Errors: l.errors.Load(), Remote: l.snapshot(),
			})
			s.WaitedSeconds += time.Duration(l.waited.Load()).Seconds()
		}
	}
	return s
}
