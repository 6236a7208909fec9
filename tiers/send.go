// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// newQueue returns the queue to the layers of s that are written behind, with
// its workers; nil if there are none.
func (s *Stack) newQueue(opts Options) *queue {
	nearest := slices.IndexFunc(s.layers, func(l Layer) bool { return l.Behind })
	if nearest < 0 {
		return nil
	}
	var names []string
	for _, l := range s.layers[nearest:] {
		if l.Behind {
			names = append(names, l.Name)
		}
	}
	size := cmp.Or(opts.QueueSize, defaultQueueSize)
	q := &queue{
		name: strings.Join(names, ", "), send: s.sendBehind, dropped: s.dropBehind, wait: opts.QueueWait, nearest: nearest,
		room: make(chan struct{}, size), keys: make(chan interfaces.Key, size), jobs: make(map[interfaces.Key]*job),
	}
	q.run(cmp.Or(opts.Workers, defaultWorkers))
	return q
}

// sendBehind copies the entry under key, from the nearest layer that has it, to
// every layer that is written behind. It reports whether it came to an end
// before the context was over. What fails is told, and not tried again.
func (s *Stack) sendBehind(ctx context.Context, key interfaces.Key) bool {
	from, err := s.nearest(ctx, key)
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		s.dropBehind(key, err)
		return true
	}
	defer from.entry.Close() //nolint:errcheck // only read
	kept := false
	for i := range s.layers {
		if !s.layers[i].Behind {
			continue
		}
		if err := s.fill(ctx, OpBehind, i, key, from); err != nil {
			same := s.dropOther(ctx, OpBehind, i, key, from.entry)
			kept = kept || !same && !refused(err)
		}
	}
	if kept {
		s.left.keep(key)
	} else if ctx.Err() == nil {
		s.left.forget(key)
	}
	return ctx.Err() == nil
}

// nearest returns the entry of the nearest layer with key that is not written
// behind. It is not counted as a use of the cache: only what is wrong is told.
func (s *Stack) nearest(ctx context.Context, key interfaces.Key) (found, error) {
	for i := range s.layers {
		l := &s.layers[i]
		if l.Behind {
			continue
		}
		start := s.begin()
		entry, err := l.Tier.Get(ctx, key)
		if err == nil {
			return found{entry, i}, nil
		}
		if !errors.Is(err, cacheerr.ErrMiss) {
			s.tell(ctx, Event{Op: OpBehind, Layer: l.Name, Key: key}, start, err)
		}
	}
	return found{}, cacheerr.ErrMiss
}

// dropBehind tells that the entry under key was not written behind, and keeps
// the key for another stack. An entry that has gone is nothing to tell of if an
// earlier stack has left it.
func (s *Stack) dropBehind(key interfaces.Key, err error) {
	if !errors.Is(err, cacheerr.ErrMiss) {
		s.left.keep(key)
	} else if s.left.forget(key) {
		return
	}
	s.eachBehind(Event{Op: OpBehind, Key: key, Result: Dropped, Err: err})
}
