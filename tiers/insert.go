// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"
	"errors"

	"github.com/tiercecache/tierce/interfaces"
)

// Insert implements [interfaces.Inserter]: one layer decides for all, the
// farthest that is an [interfaces.Inserter], takes writes and is not written
// behind. With a disk before a shared remote that is the remote, and everybody
// who shares it agrees; without one it is the disk, for this machine. A layer
// that is not Inserter for now (errors.ErrUnsupported) leaves it to the next
// nearer one; without any, Insert is errors.ErrUnsupported.
//
// If it takes the entry, all other layers are given it as by Put; what nearer
// layers alone had under key is replaced. If it has another, Insert is false,
// and nearer layers lose what they had, so that the next Get brings the
// winner's entry. A read-only layer nearer than the one that decides hides it:
// if it has the key, Insert is false.
//
// If the layer that decides fails or refuses the entry, Insert fails with a
// *cacheerr.TierFailures: no other may decide instead.
func (s *Stack) Insert(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (inserted bool, err error) {
	if err := s.check(ctx); err != nil {
		return false, err
	}
	start, entry := s.begin(), s.stamp(entry)
	at, inserted, err := s.decide(ctx, key, &entry)
	if errors.Is(err, errors.ErrUnsupported) {
		return false, err
	}
	result := Kept
	if inserted {
		result = Stored
		entry.Size = s.spread(ctx, OpInsert, key, found{entry, at}, nil)
	} else if err == nil {
		s.yield(ctx, key, at)
	}
	s.tell(ctx, about(OpInsert, "", &key, result, &entry.Head), start, err)
	return inserted, err
}

// deciderOf returns the place of the layer that decides, below 0 if none.
func deciderOf(layers []Layer) int {
	at := len(layers) - 1
	for at >= 0 && !layers[at].decides() {
		at--
	}
	return at
}

// decide inserts entry into the layer that decides, and returns which that is.
// Before that, a small body is read into memory.
func (s *Stack) decide(ctx context.Context, key interfaces.Key, entry *interfaces.Entry) (at int, inserted bool, err error) {
	for at = s.decider; at >= 0; at-- {
		l := &s.layers[at]
		if !l.decides() {
			continue
		}
		if s.hidden(ctx, key, at) {
			return at, false, nil
		}
		if *entry, err = s.loadFor(*entry); err != nil {
			return at, false, err
		}
		inserted, err = s.insertInto(ctx, at, key, *entry)
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			continue
		case ctx.Err() != nil && err != nil:
			return at, false, ctx.Err()
		case err != nil:
			return at, false, failures{{Tier: l.Name, Err: err}}.err()
		}
		return at, inserted, nil
	}
	return -1, false, errors.ErrUnsupported
}

func (s *Stack) insertInto(ctx context.Context, i int, key interfaces.Key, entry interfaces.Entry) (bool, error) {
	l := &s.layers[i]
	start := s.begin()
	err := l.refuses(entry.Size)
	inserted := false
	if err == nil {
		offered := offer(entry)
		inserted, err = interfaces.Insert(ctx, l.Tier, key, offered.entry)
		if err != nil && offered.faulty() {
			return false, err
		}
	}
	result := Kept
	if inserted {
		result = Stored
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		s.tell(ctx, about(OpInsert, l.Name, &key, result, &entry.Head), start, err)
	}
	return inserted, err
}

// hidden reports whether a read-only layer nearer than far has key.
func (s *Stack) hidden(ctx context.Context, key interfaces.Key, far int) bool {
	for i := range far {
		if s.layers[i].ReadOnly {
			if _, err := s.statAt(ctx, OpInsert, i, key); err == nil {
				return true
			}
		}
	}
	return false
}

// yield makes the layers nearer than winner forget key, or have the winner's
// entry if they cannot forget.
func (s *Stack) yield(ctx context.Context, key interfaces.Key, winner int) {
	for i := range winner {
		l := &s.layers[i]
		if l.ReadOnly || !errors.Is(s.drop(ctx, OpInsert, i, key), errors.ErrUnsupported) {
			continue
		}
		if entry, err := s.layers[winner].Tier.Get(ctx, key); err == nil {
			if l.refuses(entry.Size) == nil {
				_ = s.copy(ctx, OpInsert, Stored, i, key, found{entry, winner}) // told
			}
			_ = entry.Close() // at most looked at
		}
	}
	s.flights.settle(ctx, key, winner, nil)
}
