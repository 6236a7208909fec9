// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"
	"errors"
	"slices"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// Delete implements [interfaces.Deleter]: it removes key from every layer that
// is not read-only, also from those written behind. It is errors.ErrUnsupported
// unless all of them can, since the entry would come back, and
// cacheerr.ErrReadOnly without such a layer. Layers that failed to are a
// *cacheerr.TierFailures: the entry may come back from there.
func (s *Stack) Delete(ctx context.Context, key interfaces.Key) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	if !s.canRemove(canDelete) {
		return errors.ErrUnsupported
	}
	if s.queue != nil {
		s.queue.forget(ctx, key)
	}
	defer s.flights.settle(ctx, key, everyLayer, nil)
	return s.remove(ctx, OpDelete, key, func(c interfaces.Cache) error { return interfaces.Delete(ctx, c, key) })
}

// Clear implements [interfaces.Clearer]: it empties every layer that is not
// read-only, and forgets what waits to be written behind. It fails as Delete
// does.
func (s *Stack) Clear(ctx context.Context) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	if !s.canRemove(canClear) {
		return errors.ErrUnsupported
	}
	if s.queue != nil {
		s.queue.forgetAll(ctx)
	}
	defer s.flights.settleAll(ctx)
	return s.remove(ctx, OpClear, interfaces.Key{}, func(c interfaces.Cache) error { return interfaces.Clear(ctx, c) })
}

func canDelete(c interfaces.Cache) bool {
	_, ok := c.(interfaces.Deleter)
	return ok
}

// canClear is true of what interfaces.Clear can empty.
func canClear(c interfaces.Cache) bool {
	_, clears := c.(interfaces.Clearer)
	_, lists := c.(interfaces.Lister)
	return clears || lists && canDelete(c)
}

// canRemove reports whether can holds for every layer that is not read-only.
func (s *Stack) canRemove(can func(interfaces.Cache) bool) bool {
	return !slices.ContainsFunc(s.layers, func(l Layer) bool { return !l.ReadOnly && !can(l.Tier) })
}

// remove calls how for every layer that is not read-only. One that turns out to
// be unable ends it: what nearer layers have lost by then were copies, or what
// any cache may forget.
func (s *Stack) remove(ctx context.Context, op Op, key interfaces.Key, how func(interfaces.Cache) error) error {
	start := s.begin()
	writable := s.writable()
	err := cacheerr.ErrReadOnly
	if len(writable) > 0 {
		err = s.removeFrom(ctx, writable, op, key, how)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return errors.ErrUnsupported
	}
	s.tell(ctx, Event{Op: op, Key: key, Result: Done}, start, err)
	return err
}

// writable returns the layers that are not read-only.
func (s *Stack) writable() []*Layer {
	var layers []*Layer
	for i := range s.layers {
		if !s.layers[i].ReadOnly {
			layers = append(layers, &s.layers[i])
		}
	}
	return layers
}

// removeFrom returns ErrMiss if all layers do, and nil if one had something.
func (s *Stack) removeFrom(ctx context.Context, layers []*Layer, op Op, key interfaces.Key, how func(interfaces.Cache) error) error {
	var kept failures
	missed := cacheerr.ErrMiss
	for _, l := range layers {
		start := s.begin()
		err := how(l.Tier)
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			return err
		case err == nil:
			missed = nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, cacheerr.ErrMiss):
			kept.add(l.Name, err)
		}
		s.tell(ctx, Event{Op: op, Layer: l.Name, Key: key, Result: Done}, start, err)
	}
	if len(kept) > 0 {
		return kept.err()
	}
	return missed
}
