// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"
	"errors"
	"slices"

	"github.com/tiercecache/tierce/interfaces"
)

var errBehind = errors.New("the layer is written behind, from another that has the entry, and none has")

// Put implements [interfaces.Cache]. The body is read once: a small one, up to
// 256 KiB, into memory and given to each layer, as text is; a large one into the
// nearest layer that takes it, from where the others are fed. Layers written
// behind get the entry later.
//
// Put fails only if no layer took the entry: the error is a
// *cacheerr.TierFailures that says why of each, or the body's own. A layer that
// fails when it has read some of a large body leaves nothing for those after
// it, unless the reader is an [io.Seeker], which is then rewound.
//
// A layer that does not take the entry loses what it had under key unless that
// is the same, so that it does not answer with it later; without [interfaces.Deleter] it cannot. So do
// those that are not reached before the context ends, once one layer has the
// entry: Put succeeds then. Puts of one key at the same time may leave
// different layers with different entries.
func (s *Stack) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	start := s.begin()
	var err error
	entry.Size, err = s.put(ctx, key, s.stamp(entry))
	s.tell(ctx, about(OpPut, "", &key, Stored, &entry.Head), start, err)
	return err
}

// put returns the size of the body, which the head may not tell.
func (s *Stack) put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (int64, error) {
	entry, err := s.loadFor(entry)
	if err != nil {
		return entry.Size, err
	}
	from, failed, err := s.putFirst(ctx, key, entry)
	if err != nil {
		return entry.Size, err
	}
	return s.spread(ctx, OpPut, key, from, failed), nil
}

// loadFor reads the body of entry into memory if it is small and several layers
// are to have it.
func (s *Stack) loadFor(entry interfaces.Entry) (interfaces.Entry, error) {
	if s.takers(len(s.layers), entry.Size) < 2 {
		return entry, nil
	}
	return load(entry)
}

// putFirst puts entry into the nearest layer that takes it. It returns also the
// layers that failed to.
func (s *Stack) putFirst(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (from found, failed []int, err error) {
	offered, whole := offer(entry), true
	var why failures
	for i := range s.layers {
		l := &s.layers[i]
		err := l.refuses(entry.Size)
		switch {
		case l.Behind:
			err = errBehind
		case err != nil:
		case !whole:
			err = errConsumed
		default:
			if err = s.give(ctx, OpPut, Stored, i, key, &offered); err == nil {
				return found{entry, i}, failed, nil
			}
			failed, whole = append(failed, i), offered.again()
		}
		if ctx.Err() != nil {
			return found{}, nil, ctx.Err()
		}
		if offered.faulty() {
			return found{}, nil, err
		}
		why.add(l.Name, err)
	}
	return found{}, nil, why.err()
}

// spread gives what layer from.at took to every other layer but those that have
// failed to take it, and makes an end of what they had under key. It returns
// the size of the body.
func (s *Stack) spread(ctx context.Context, op Op, key interfaces.Key, from found, failed []int) int64 {
	from.entry.Size = s.size(ctx, key, from)
	for i := range s.layers {
		if l := &s.layers[i]; i == from.at || l.ReadOnly || l.Behind {
			continue
		}
		if slices.Contains(failed, i) || s.fill(ctx, op, i, key, from) != nil {
			s.dropOther(ctx, op, i, key, from.entry)
		}
	}
	s.finish(ctx, key, from.entry)
	return from.entry.Size
}

// finish ends what stored entry under key.
func (s *Stack) finish(ctx context.Context, key interfaces.Key, entry interfaces.Entry) {
	s.flights.settle(ctx, key, everyLayer, &entry)
	if s.queue != nil {
		s.queue.add(ctx, key, s.queue.wait)
	}
}

// fill copies from to layer i if the layer is to have it.
func (s *Stack) fill(ctx context.Context, op Op, i int, key interfaces.Key, from found) error {
	l := &s.layers[i]
	if err := l.refuses(from.entry.Size); err != nil {
		s.tell(ctx, Event{Op: op, Layer: l.Name, Key: key}, s.begin(), err)
		return err
	}
	return s.copy(ctx, op, Stored, i, key, from)
}

// size returns how long the body of from is; a stream may have told its layer
// only now.
func (s *Stack) size(ctx context.Context, key interfaces.Key, from found) int64 {
	if from.entry.Size >= 0 || len(s.layers) == 1 && s.observer == nil {
		return from.entry.Size
	}
	head, err := interfaces.Stat(ctx, s.layers[from.at].Tier, key)
	if err != nil {
		return interfaces.SizeUnknown
	}
	return head.Size
}
