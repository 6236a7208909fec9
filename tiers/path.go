// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"
	"errors"
	"slices"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// pather is a layer whose bodies are files.
type pather struct {
	interfaces.Pather
	at int // place of the layer
}

func pathersOf(layers []Layer) []pather {
	var pathers []pather
	for i, l := range layers {
		if p, ok := l.Tier.(interfaces.Pather); ok {
			pathers = append(pathers, pather{p, i})
		}
	}
	return pathers
}

// Path implements [interfaces.Pather]: it asks the layers whose bodies are
// files, nearest first. An entry that only other layers have is first copied to
// the nearest of these that takes it. Path fails as Get does; it is a miss too
// if none of them takes the entry, and errors.ErrUnsupported if there are none.
func (s *Stack) Path(ctx context.Context, key interfaces.Key) (path string, size int64, err error) {
	if err := s.check(ctx); err != nil {
		return "", 0, err
	}
	start := s.begin()
	f := fetch{stack: s, op: OpPath, key: key}
	where, err := f.path(ctx)
	if !errors.Is(err, errors.ErrUnsupported) {
		s.conclude(&f, interfaces.Head{Size: where.size}, start, err)
	}
	return where.path, where.size, err
}

// PutPath puts entry as [Stack.Put] does and returns where its body is, as
// [Stack.Path] does, but it is no Get in statistics. If the entry was stored
// and no layer has a path for it, it fails as Path does.
func (s *Stack) PutPath(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (path string, size int64, err error) {
	if err := s.Put(ctx, key, entry); err != nil {
		return "", 0, err
	}
	f := fetch{stack: s, op: OpPut, key: key}
	where, err := f.path(ctx)
	return where.path, where.size, err
}

// located is what Path returns.
type located struct {
	path string
	size int64
}

// path asks the layers with paths, and if they have none all others, which only
// one caller at a time does.
func (f *fetch) path(ctx context.Context) (located, error) {
	defer f.refute(ctx)
	for {
		landed := f.stack.flights.landings(&f.key)
		where, err := f.pathNear(ctx)
		if err == nil || !errors.Is(err, cacheerr.ErrMiss) {
			return where, err
		}
		flight, lead := f.stack.flights.join(f.key)
		if lead {
			where, err = f.pathFar(ctx, flight, landed)
			if !errors.Is(err, errStale) {
				return where, err
			}
			continue
		}
		if err := flight.wait(ctx); err != nil {
			return located{}, err
		}
		if flight.answered && flight.err != nil {
			f.verdict = flight.verdict
			return located{}, flight.err
		}
	}
}

// pathNear asks the layers with paths. That they have none is a miss; f.skip
// names those that said so.
func (f *fetch) pathNear(ctx context.Context) (located, error) {
	s := f.stack
	f.skip, f.failed, f.copied, f.overtaken, f.verdict = f.skip[:0], nil, nil, false, verdict{}
	for i := range s.pathers {
		p := &s.pathers[i]
		start := s.begin()
		path, size, err := p.Path(ctx, f.key)
		if err == nil {
			if s.observer != nil {
				s.tellHit(f.op, s.layers[p.at].Name, &f.key, &interfaces.Head{Size: size}, start)
			}
			return located{path, size}, nil
		}
		if errors.Is(err, errors.ErrUnsupported) {
			continue
		}
		s.tell(ctx, Event{Op: f.op, Layer: s.layers[p.at].Name, Key: f.key}, start, err)
		if err := f.note(ctx, p.at, err); err != nil {
			return located{}, err
		}
		f.skip = append(f.skip, p.at)
	}
	if len(f.skip) == 0 {
		return located{}, errors.ErrUnsupported
	}
	return located{}, f.miss()
}

var errStale = errors.New("the entry was replaced or removed while it was copied")

// pathFar asks the layers without paths and copies a hit to one with. If
// another flight has landed since the caller asked those with paths, they may
// have the key by now. It is errStale if the entry was replaced or removed
// meanwhile.
func (f *fetch) pathFar(ctx context.Context, flight *flight, landed uint64) (located, error) {
	flights := &f.stack.flights
	defer flights.land(f.key, flight)
	if flights.landings(&f.key) != landed {
		where, err := f.pathNear(ctx)
		if err == nil || !errors.Is(err, cacheerr.ErrMiss) {
			return where, err
		}
	}
	hit, err := f.lookupWhole(ctx)
	if err != nil {
		flight.answered = errors.Is(err, cacheerr.ErrMiss)
		flight.verdict, flight.err = f.verdict, err
		return located{}, err
	}
	defer hit.entry.Close() //nolint:errcheck // only read
	if !flights.promote(flight, summed(f.key, hit.entry)) {
		return located{}, errStale
	}
	where, err := f.place(ctx, hit)
	if f.uncopy(ctx, flight) > 0 {
		return located{}, errStale
	}
	return where, err
}

// lookupWhole returns the first hit whose body, if it is small, does not break.
func (f *fetch) lookupWhole(ctx context.Context) (found, error) {
	for from := 0; ; {
		hit, err := f.lookup(ctx, from)
		if err != nil {
			return found{}, err
		}
		if hit, from = f.load(ctx, hit); from < 0 {
			return hit, nil
		}
	}
}

// place puts hit into the nearest layer with paths that takes it and returns
// where it is there. It is a miss if there is none.
func (f *fetch) place(ctx context.Context, hit found) (located, error) {
	s, offered := f.stack, offer(hit.entry)
	offered.out = true
	for i := range s.pathers {
		p := &s.pathers[i]
		if !slices.Contains(f.skip, p.at) || !f.takes(p.at, hit.entry.Size) {
			continue
		}
		err := f.lend(ctx, p.at, hit.at, &offered)
		if err == nil || f.overtaken {
			var where located
			if where.path, where.size, err = p.Path(ctx, f.key); err == nil {
				return where, nil
			}
		}
		if ctx.Err() != nil {
			return located{}, ctx.Err()
		}
		f.verdict.ill = f.verdict.ill || !refused(err)
		if !offered.again() {
			break
		}
	}
	return located{}, f.miss()
}
