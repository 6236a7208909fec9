// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"
	"errors"
	"slices"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// promote copies hit to the nearer layers that take it and returns what the
// caller may have, whole. If next is not below 0 that is nothing, since the
// stream was spoiled: the search goes on with layer next.
//
// A stream goes into the nearest layer that takes it and is read again from
// there, for the caller and for the layers between. No layer is given a copy
// that has failed in this search, and none when the layer that decides an
// Insert turns out to have another entry by now: that is asked before the
// nearer ones where possible.
func (f *fetch) promote(ctx context.Context, hit found) (near found, next int) {
	near = hit
	if _, ok := hit.entry.Text(); !ok {
		if near, next = f.pour(ctx, hit); next >= 0 {
			return found{}, next
		}
	}
	for i := hit.at - 1; i >= f.untried; i-- {
		if f.takes(i, hit.entry.Size) {
			f.gave(i, f.stack.copy(ctx, f.op, Promoted, i, f.key, near))
		}
	}
	if f.stack.queue != nil && f.stack.queue.nearest < hit.at {
		f.stack.queue.add(ctx, f.key, false)
	}
	return near, -1
}

// takes reports whether layer i is given a copy of size bytes.
func (f *fetch) takes(i int, size int64) bool {
	return !f.overtaken && f.stack.layers[i].takes(size) && !slices.Contains(f.failed, i)
}

// gave takes note of what became of a copy for layer i. That it failed is told
// and does not fail a Get.
func (f *fetch) gave(i int, err error) {
	switch {
	case err == nil:
		f.copied = append(f.copied, i)
	case errors.Is(err, errOvertaken):
		f.overtaken = true
	}
}

// uncopy ends the copying that flights.promote has allowed. It removes the
// copies in layers nearer than flight is stale, and all if the entry was
// overtaken, and returns how far flight is stale: 0 if it is not.
func (f *fetch) uncopy(ctx context.Context, flight *flight) (stale int) {
	for undone := -1; ; undone = stale {
		if stale = f.stack.flights.promoted(flight, undone); stale == undone {
			f.copied = nil
			return stale
		}
		f.copied = slices.DeleteFunc(f.copied, func(i int) bool {
			gone := i < stale || f.overtaken
			if gone {
				f.undo(ctx, i, flight.head)
			}
			return gone
		})
	}
}

// undo removes the copy with head from layer i, but not what somebody has put
// there since: its path may be in somebody's hands.
func (f *fetch) undo(ctx context.Context, i int, head interfaces.Head) {
	has, err := interfaces.Stat(patient(ctx, f.op), f.stack.layers[i].Tier, f.key)
	none := interfaces.Checksum{}
	if err == nil && has.Checksum != none && head.Checksum != none && !alike(has, head) {
		return
	}
	_ = f.stack.drop(ctx, f.op, i, f.key) // told
}

// load reads the body of hit into memory if it is small. If it breaks that is
// told of its layer, and the search goes on with layer next.
func (f *fetch) load(ctx context.Context, hit found) (loaded found, next int) {
	start := f.stack.begin()
	entry, err := load(hit.entry)
	if _, ok := entry.Text(); ok || err != nil {
		_ = hit.entry.Close() // read to its end, or broken
	}
	if err != nil {
		f.broke(ctx, hit.at, start, err)
		return found{}, hit.at + 1
	}
	return found{entry, hit.at}, -1
}

// broke tells that the body of layer i broke.
func (f *fetch) broke(ctx context.Context, i int, start time.Time, err error) {
	f.verdict.ill = true
	f.failed = append(f.failed, i)
	f.stack.tell(ctx, Event{Op: f.op, Layer: f.stack.layers[i].Name, Key: f.key}, start, err)
	if i >= f.stack.far && errors.Is(err, cacheerr.ErrDamaged) {
		f.refuted = append(f.refuted, i)
	}
}

// refute removes the key from far layers that had another's body under it: not
// while one calls back, which would not expect to be called then.
func (f *fetch) refute(ctx context.Context) {
	for _, i := range f.refuted {
		_ = f.stack.drop(ctx, f.op, i, f.key) // told
	}
	f.refuted = nil
}

// pour puts the stream of hit into the nearest layer that takes it and returns
// the entry there; hit itself, whole, if none does. If next is not below 0, a
// layer failed when it had read some of the body, and the search goes on with
// layer next. No layer is tried twice in one search.
func (f *fetch) pour(ctx context.Context, hit found) (near found, next int) {
	offered := offer(hit.entry)
	for f.untried < hit.at {
		i := f.untried
		f.untried++
		if !f.takes(i, hit.entry.Size) {
			continue
		}
		entry, err := f.exchange(ctx, i, hit.at, &offered)
		if err == nil {
			_ = hit.entry.Close() // read to its end
			return found{entry, i}, -1
		}
		if !offered.again() {
			_ = hit.entry.Close() // spoiled
			if offered.faulty() {
				return found{}, hit.at + 1
			}
			return found{}, hit.at
		}
	}
	return hit, -1
}

// exchange puts what layer from had into layer i and returns what is there
// then.
func (f *fetch) exchange(ctx context.Context, i, from int, offered *body) (interfaces.Entry, error) {
	if err := f.lend(ctx, i, from, offered); err != nil {
		return interfaces.Entry{}, err
	}
	return f.stack.layers[i].Tier.Get(ctx, f.key)
}

// lend puts what layer from had into layer i. That the body breaks on the way
// is told of layer from.
func (f *fetch) lend(ctx context.Context, i, from int, offered *body) error {
	start := f.stack.begin()
	err := f.stack.give(ctx, f.op, Promoted, i, f.key, offered)
	f.gave(i, err)
	if err != nil && offered.faulty() {
		f.broke(ctx, from, start, err)
	}
	return err
}
