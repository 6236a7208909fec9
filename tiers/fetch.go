// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"
	"errors"
	"slices"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// fetch is one caller's search for a key in the layers.
type fetch struct {
	stack   *Stack
	op      Op
	key     interfaces.Key
	verdict verdict
	skip    []int // layers that have answered already
	failed  []int // layers that have failed

	untried   int   // the nearest layer that may still be given a copy of a stream
	copied    []int // layers that were given a copy
	overtaken bool  // the layer that decides has another entry by now: no copies
	refuted   []int // far layers whose body turned out to be another's while it was read
}

// found is an entry and the layer that has it.
type found struct {
	entry interfaces.Entry
	at    int
}

// verdict gathers why no layer had a key.
type verdict struct {
	err error // of the nearest layer with an entry that cannot be used
	ill bool  // whether a layer could not answer
}

// add takes note of a layer's error. It returns the context's error when that
// is over: the caller gave up, and the layer may be well.
func (v *verdict) add(ctx context.Context, err error) error {
	switch {
	case err == cacheerr.ErrMiss: //nolint:errorlint // the usual answer, told without a walk
	case ctx.Err() != nil:
		return ctx.Err()
	case !errors.Is(err, cacheerr.ErrMiss):
		v.ill = true
	case v.err == nil && cacheerr.MissReason(err) != cacheerr.ReasonAbsent:
		v.err = err
	}
	return nil
}

// reason returns why there was no entry: an ill tier may have had one.
func (v *verdict) reason() cacheerr.Reason {
	switch {
	case v.err != nil:
		return cacheerr.MissReason(v.err)
	case v.ill:
		return cacheerr.ReasonIllTier
	default:
		return cacheerr.ReasonAbsent
	}
}

// miss returns what a Get returns when no layer had the key. Layers that were
// closed under its hands are no answer.
func (f *fetch) miss() error {
	switch {
	case f.stack.closed.Load():
		return cacheerr.ErrClosed
	case f.verdict.err != nil:
		return f.verdict.err
	default:
		return cacheerr.ErrMiss
	}
}

// run asks the layers, nearest first, beginning with from, and copies a hit to
// the nearer ones unless flight is stale.
func (f *fetch) run(ctx context.Context, flight *flight, from int) (found, error) {
	for {
		hit, err := f.lookup(ctx, from)
		if err != nil {
			return found{}, err
		}
		if hit, from = f.bring(ctx, flight, hit); from < 0 {
			return hit, nil
		}
	}
}

// note takes note of the error that layer i answered with, as verdict.add does.
func (f *fetch) note(ctx context.Context, i int, err error) error {
	if !errors.Is(err, cacheerr.ErrMiss) {
		f.failed = append(f.failed, i)
	}
	return f.verdict.add(ctx, err)
}

// bring reads a small stream into memory, and is promote under the rules of
// flights: no copy is made of what was replaced or removed since flight began,
// and none stays.
func (f *fetch) bring(ctx context.Context, flight *flight, hit found) (near found, next int) {
	if f.stack.takers(hit.at, hit.entry.Size) > 0 {
		if hit, next = f.load(ctx, hit); next >= 0 {
			return found{}, next
		}
	}
	if hit.at == 0 || !f.stack.flights.promote(flight, summed(f.key, hit.entry)) {
		return hit, -1
	}
	near, next = f.promote(ctx, hit)
	f.uncopy(ctx, flight)
	return near, next
}

// lookup returns the first hit from layer from on.
func (f *fetch) lookup(ctx context.Context, from int) (found, error) {
	for i := from; i < len(f.stack.layers); i++ {
		if slices.Contains(f.skip, i) {
			continue
		}
		entry, err := f.stack.ask(ctx, f.op, i, f.key)
		if err == nil {
			return found{entry, i}, nil
		}
		if err := f.note(ctx, i, err); err != nil {
			return found{}, err
		}
	}
	return found{}, f.miss()
}
