// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"
	"errors"
	"iter"

	"github.com/tiercecache/tierce/interfaces"
)

// List implements [interfaces.Lister]: the keys that a Get could find, each
// once. A layer that cannot list is left out, and one that fails from there on;
// if no layer can list, List is errors.ErrUnsupported, if none succeeds a
// *cacheerr.TierFailures. It remembers the keys of all layers but the farthest.
func (s *Stack) List(ctx context.Context) iter.Seq2[interfaces.Key, error] {
	return func(yield func(interfaces.Key, error) bool) {
		if err := s.check(ctx); err != nil {
			yield(interfaces.Key{}, err)
			return
		}
		l := listing{stack: s, yield: yield, seen: make(map[interfaces.Key]struct{})}
		for i := range s.layers {
			if !l.layer(ctx, i) {
				return
			}
		}
		if !l.listed {
			yield(interfaces.Key{}, l.err())
		}
	}
}

// listing is a List under way.
type listing struct {
	stack  *Stack
	yield  func(interfaces.Key, error) bool
	seen   map[interfaces.Key]struct{} // of the layers before
	listed bool                        // a layer has been listed to its end
	failed failures
}

// layer yields the keys of layer i that no layer before it has. It reports
// whether the list goes on.
func (l *listing) layer(ctx context.Context, i int) bool {
	at := &l.stack.layers[i]
	start := l.stack.begin()
	for key, err := range interfaces.List(ctx, at.Tier) {
		switch {
		case ctx.Err() != nil:
			l.yield(interfaces.Key{}, ctx.Err())
			return false
		case errors.Is(err, errors.ErrUnsupported):
			return true
		case err != nil:
			l.stack.tell(ctx, Event{Op: OpList, Layer: at.Name}, start, err)
			l.failed.add(at.Name, err)
			return true
		}
		if !l.fresh(key, i) {
			continue
		}
		if !l.yield(key, nil) {
			return false
		}
	}
	l.listed = true
	return true
}

// fresh reports whether no layer before i has key. That of the last layer need
// not be remembered.
func (l *listing) fresh(key interfaces.Key, i int) bool {
	if _, ok := l.seen[key]; ok {
		return false
	}
	if i < len(l.stack.layers)-1 {
		l.seen[key] = struct{}{}
	}
	return true
}

func (l *listing) err() error {
	if len(l.failed) == 0 {
		return errors.ErrUnsupported
	}
	return l.failed.err()
}

// Len implements [interfaces.Lener]: it counts the keys that List names, and
// fails as List does.
func (s *Stack) Len(ctx context.Context) (int, error) {
	if s != nil && len(s.layers) == 1 && s.check(ctx) == nil {
		return interfaces.Len(ctx, s.layers[0].Tier)
	}
	n := 0
	for _, err := range s.List(ctx) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}
