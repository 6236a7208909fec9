// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"
	"time"

	"github.com/tiercecache/tierce/interfaces"
)

// GetBatch implements [interfaces.BatchGetter]: each layer is asked once, for
// the keys that the nearer ones do not have. Hits are copied, and layers that
// are ill passed over, as by Get; a fetch is not shared with other callers.
func (s *Stack) GetBatch(ctx context.Context, keys []interfaces.Key, each func(i int, entry interfaces.Entry, err error) error) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	b := batch{stack: s, each: each, start: s.begin(), wanted: make([]wanted, len(keys))}
	defer b.land()
	missing := make([]*wanted, len(keys))
	for i, key := range keys {
		b.wanted[i] = wanted{fetch: fetch{stack: s, op: OpGet, key: key}, at: i}
		missing[i] = &b.wanted[i]
	}
	for i := range s.layers {
		if i == 1 {
			b.begin(missing)
		}
		var err error
		if missing, err = b.layer(ctx, i, missing); err != nil {
			return err
		}
	}
	for _, w := range missing {
		if err := b.answer(w, interfaces.Entry{}, w.miss()); err != nil {
			return err
		}
	}
	return nil
}

// batch is a GetBatch under way.
type batch struct {
	stack  *Stack
	each   func(i int, entry interfaces.Entry, err error) error
	start  time.Time
	wanted []wanted
	failed error // what ends the batch
}

// wanted is a key of a batch.
type wanted struct {
	fetch
	at     int     // its place in the batch
	flight *flight // nil while layer 0 is asked
	next   int     // the layer with which its search goes on, if it was spoiled
}

// begin begins the flights of all that layer 0 did not have.
func (b *batch) begin(missing []*wanted) {
	for _, w := range missing {
		w.flight = b.stack.flights.begin(w.key)
	}
}

// land ends the flights that are under way.
func (b *batch) land() {
	for i := range b.wanted {
		b.wanted[i].land(b.stack)
	}
}

func (w *wanted) land(s *Stack) {
	if w.flight != nil {
		s.flights.land(w.key, w.flight)
		w.flight = nil
	}
}

// layer asks layer i for missing and returns what is missing then.
func (b *batch) layer(ctx context.Context, i int, missing []*wanted) (still []*wanted, err error) {
	if len(missing) == 0 {
		return nil, nil
	}
	keys := make([]interfaces.Key, len(missing))
	for j, w := range missing {
		keys[j] = w.key
	}
	var spoiled []*wanted
	err = b.stack.askBatch(ctx, OpGet, i, keys, func(j int, entry interfaces.Entry, err error) error {
		w := missing[j]
		missing[j] = nil // answered
		if err != nil {
			still, b.failed = append(still, w), w.note(ctx, i, err)
		} else if b.hit(ctx, w, found{entry, i}); w.next >= 0 {
			spoiled = append(spoiled, w)
		}
		return b.failed
	})
	if err != nil {
		return nil, err
	}
	for _, w := range missing {
		if w != nil { // not answered
			w.failed, w.verdict.ill = append(w.failed, i), true
			still = append(still, w)
		}
	}
	return still, b.retry(ctx, spoiled)
}

// hit answers w with what a layer had. If its stream was spoiled on the way,
// w.next says where the search goes on, and is below 0 otherwise.
func (b *batch) hit(ctx context.Context, w *wanted, hit found) {
	near, next := w.bring(ctx, w.flight, hit)
	if w.next = next; next >= 0 {
		return
	}
	b.failed = b.answer(w, near.entry, nil)
	if near.at != hit.at {
		_ = near.entry.Close() // only read; the layer closes its own
	}
}

// retry goes on with those whose streams were spoiled, one after the other: not
// while a layer calls back, which would not expect to be called then.
func (b *batch) retry(ctx context.Context, spoiled []*wanted) error {
	for _, w := range spoiled {
		w.refute(ctx)
		hit, err := w.run(ctx, w.flight, w.next)
		if ctx.Err() != nil && err != nil {
			return ctx.Err()
		}
		err = b.answer(w, hit.entry, err)
		_ = hit.entry.Close() // only read
		if err != nil {
			return err
		}
	}
	return nil
}

// answer hands w's entry, or why there is none, to the caller.
func (b *batch) answer(w *wanted, entry interfaces.Entry, err error) error {
	w.land(b.stack)
	b.stack.conclude(&w.fetch, entry.Head, b.start, err)
	return b.each(w.at, entry, err)
}
