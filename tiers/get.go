// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"
	"errors"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// Get implements [interfaces.Cache]: it asks the layers, nearest first, and
// copies a hit to the nearer layers that take it.
//
// A layer that is ill is passed over, and a copy that fails is not made;
// neither fails the Get. If no layer has the key, the error is that of the
// nearest layer whose entry was damaged or expired, else the bare
// cacheerr.ErrMiss, also when layers were ill: the event says so.
//
// Callers that get one key at the same time share one fetch beyond layer 0.
func (s *Stack) Get(ctx context.Context, key interfaces.Key) (entry interfaces.Entry, err error) {
	if s == nil || s.observer != nil || s.closed.Load() {
		return s.getTold(ctx, key)
	}
	// A hit of layer 0 is to cost what it costs there: nothing is asked, such as
	// the context's end, that a tier asks itself.
	landed := s.flights.landings(&key)
	if entry, err = s.first.Get(ctx, key); err != nil { // into the results at once, which a copy less
		return s.getFar(ctx, key, err, landed, time.Time{})
	}
	return entry, nil
}

// getTold is Get with an observer, or of a Stack that cannot be used.
func (s *Stack) getTold(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	if err := s.check(ctx); err != nil {
		return interfaces.Entry{}, err
	}
	landed, start := s.flights.landings(&key), s.begin()
	entry, err := s.first.Get(ctx, key)
	if err != nil {
		return s.getFar(ctx, key, err, landed, start)
	}
	s.tellHit(OpGet, s.layers[0].Name, &key, &entry.Head, start)
	s.tellHit(OpGet, "", &key, &entry.Head, start)
	return entry, nil
}

// getFar goes on with a Get that layer 0 answered with near. Before that,
// flights.landings was landed.
func (s *Stack) getFar(ctx context.Context, key interfaces.Key, near error, landed uint64, start time.Time) (interfaces.Entry, error) {
	s.tell(ctx, Event{Op: OpGet, Layer: s.layers[0].Name, Key: key}, start, near)
	f := fetch{stack: s, op: OpGet, key: key}
	hit, err := found{}, f.note(ctx, 0, near)
	if err == nil {
		hit, err = f.share(ctx, landed)
	}
	s.conclude(&f, hit.entry.Head, start, err)
	return hit.entry, err
}

// conclude tells of the stack as a whole how a fetch ended.
func (s *Stack) conclude(f *fetch, head interfaces.Head, start time.Time, err error) {
	if s.observer == nil {
		return
	}
	event := about(f.op, "", &f.key, Hit, &head)
	switch {
	case errors.Is(err, cacheerr.ErrMiss):
		event.Result, event.Reason, event.Err = Miss, f.verdict.reason(), f.verdict.err
	case err != nil:
		event.Result, event.Err = Failed, err
	}
	if s.timed {
		event.Duration = s.clock().Sub(start)
	}
	s.observer.Observe(event)
}

// share fetches from beyond layer 0, or waits for whoever does.
func (f *fetch) share(ctx context.Context, landed uint64) (found, error) {
	defer f.refute(ctx)
	for len(f.stack.layers) > 1 {
		flight, lead := f.stack.flights.join(f.key)
		if lead {
			return f.lead(ctx, flight, landed)
		}
		if err := flight.wait(ctx); err != nil {
			return found{}, err
		}
		if flight.answered {
			return f.follow(ctx, flight)
		}
	}
	return found{}, f.miss()
}

// lead fetches for everybody who waits for flight. If another has landed since
// the caller asked layer 0, layer 0 may have the key by now.
func (f *fetch) lead(ctx context.Context, flight *flight, landed uint64) (found, error) {
	defer f.stack.flights.land(f.key, flight)
	from := 1
	if f.stack.flights.landings(&f.key) != landed {
		from = 0
	}
	hit, err := f.run(ctx, flight, from)
	flight.answered = err == nil || errors.Is(err, cacheerr.ErrMiss)
	flight.hit, flight.verdict, flight.err = hit, f.verdict, err
	return hit, err
}

// follow takes the answer of flight. A stream is its leader's alone: it is
// asked for again in the layer where it is now.
func (f *fetch) follow(ctx context.Context, flight *flight) (found, error) {
	if flight.err != nil {
		f.verdict = flight.verdict
		return found{}, flight.err
	}
	if _, ok := flight.hit.entry.Text(); ok {
		return flight.hit, nil
	}
	entry, err := f.stack.ask(ctx, f.op, flight.hit.at, f.key)
	if err == nil {
		return found{entry, flight.hit.at}, nil
	}
	own := f.stack.flights.begin(f.key)
	defer f.stack.flights.land(f.key, own)
	return f.run(ctx, own, 0)
}
