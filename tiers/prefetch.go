// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"
	"sync"

	"github.com/tiercecache/tierce/interfaces"
)

// Prefetch brings entries near that somebody is going to ask for. Each far layer
// is asked once, for the keys that no near one has and nobody is fetching. Every
// entry is copied to one near layer: the nearest with paths that takes it, or,
// without a body, the nearest that takes it.
//
// A Get or Path of a key that is being prefetched waits for it, and is answered
// without asking the far layer again. What could not be had is told and is no
// error: whoever wants it asks for himself. Prefetch fails only if the Stack is
// closed or the context ends.
func (s *Stack) Prefetch(ctx context.Context, keys []interfaces.Key) error {
	return s.BeginPrefetch(ctx, keys)()
}

// BeginPrefetch is Prefetch in two parts: from its return on a Get or Path of one
// of keys waits for what it returns, which fetches and must be called.
func (s *Stack) BeginPrefetch(ctx context.Context, keys []interfaces.Key) (fetch func() error) {
	if err := s.check(ctx); err != nil {
		return func() error { return err }
	}
	b := ahead{stack: s, wanted: make([]wanted, 0, len(keys))}
	missing := b.begin(ctx, keys)
	return func() error { return b.fetch(ctx, missing) }
}

// fetch asks the far layers for missing.
func (b *ahead) fetch(ctx context.Context, missing []*wanted) error {
	defer b.land()
	s := b.stack
	for i := s.far; i < len(s.layers) && len(missing) > 0; i++ {
		var err error
		if missing, err = b.layer(ctx, i, missing); err != nil {
			return err
		}
	}
	for _, w := range missing {
		if !w.verdict.ill {
			w.flight.answered, w.flight.verdict, w.flight.err = true, w.verdict, w.miss()
		}
	}
	return nil
}

// connecter is a tier that can make connections before they are needed.
type connecter interface {
	Connect(ctx context.Context, n int)
}

// Connect has the far layers make n connections, so that n calls of Prefetch at
// the same time do not each wait for one. What fails is told by those.
func (s *Stack) Connect(ctx context.Context, n int) {
	if s.check(ctx) != nil {
		return
	}
	var all sync.WaitGroup
	for _, l := range s.layers[s.nears():] {
		if tier, ok := l.Tier.(connecter); ok {
			all.Go(func() { tier.Connect(ctx, n) })
		}
	}
	all.Wait()
}

// ahead is a Prefetch under way.
type ahead struct {
	stack  *Stack
	wanted []wanted
}

// begin begins the flights of all keys that are neither near nor being fetched.
func (b *ahead) begin(ctx context.Context, keys []interfaces.Key) []*wanted {
	flights := &b.stack.flights
	for _, key := range keys {
		landed := flights.landings(&key)
		if b.stack.isNear(ctx, key) {
			continue
		}
		flight, lead := flights.join(key)
		switch {
		case !lead:
		case flights.landings(&key) != landed && b.stack.isNear(ctx, key): // another brought it meanwhile
			flights.land(key, flight)
		default:
			b.wanted = append(b.wanted, wanted{fetch: fetch{stack: b.stack, op: OpPrefetch, key: key}, flight: flight})
		}
	}
	missing := make([]*wanted, len(b.wanted))
	for i := range b.wanted {
		missing[i] = &b.wanted[i]
	}
	return missing
}

// isNear reports whether a near layer has key.
func (s *Stack) isNear(ctx context.Context, key interfaces.Key) bool {
	for i := range s.nears() {
		if _, err := interfaces.Stat(ctx, s.layers[i].Tier, key); err == nil {
			return true
		}
	}
	return false
}

// land ends the flights that are under way.
func (b *ahead) land() {
	for i := range b.wanted {
		b.wanted[i].land(b.stack)
	}
}

// layer asks layer i for missing and returns what it does not have. The flights
// of those that it did not answer, or whose body broke, land without an answer.
func (b *ahead) layer(ctx context.Context, i int, missing []*wanted) (still []*wanted, err error) {
	keys := make([]interfaces.Key, len(missing))
	for j, w := range missing {
		keys[j] = w.key
	}
	err = b.stack.askBatch(ctx, OpPrefetch, i, keys, func(j int, entry interfaces.Entry, err error) error {
		w := missing[j]
		if err != nil {
			still = append(still, w)
			return w.note(ctx, i, err)
		}
		w.arrive(ctx, found{entry, i})
		w.land(b.stack)
		return nil
	})
	for _, w := range missing {
		w.refute(ctx)
	}
	return still, err
}

// arrive copies what a far layer had to a near one, and has the answer for those
// who wait for it.
func (w *wanted) arrive(ctx context.Context, hit found) {
	hit, next := w.load(ctx, hit)
	if next >= 0 || !w.stack.flights.promote(w.flight, summed(w.key, hit.entry)) {
		return
	}
	near, ok := w.lodge(ctx, hit)
	stale := w.uncopy(ctx, w.flight)
	w.flight.hit, w.flight.answered = near, ok && stale == 0
}

// lodge puts hit into one near layer and returns what other callers may have,
// which is nothing if the only stream was read in vain.
func (w *wanted) lodge(ctx context.Context, hit found) (near found, ok bool) {
	_, text := hit.entry.Text()
	offered := offer(hit.entry)
	offered.out = hit.entry.Size != 0
	for _, i := range w.stack.homes(hit.entry.Size) {
		if !w.takes(i, hit.entry.Size) {
			continue
		}
		err := w.lend(ctx, i, hit.at, &offered)
		if err == nil && !text {
			return found{hit.entry, i}, true // asked for again there: see follow
		}
		if err == nil || !offered.again() {
			break
		}
	}
	return hit, text
}

// homes returns the near layers in which a body of size bytes is wanted that was
// not asked for yet, best first.
func (s *Stack) homes(size int64) (places []int) {
	if size == 0 || len(s.pathers) == 0 {
		for i := range s.nears() {
			places = append(places, i)
		}
		return places
	}
	for _, p := range s.pathers {
		places = append(places, p.at)
	}
	return places
}
