// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"

	"github.com/tiercecache/tierce/interfaces"
)

// Stat implements [interfaces.Statter]: it returns the head that the nearest
// layer with the key has. It fails as Get does.
func (s *Stack) Stat(ctx context.Context, key interfaces.Key) (interfaces.Head, error) {
	if err := s.check(ctx); err != nil {
		return interfaces.Head{}, err
	}
	start := s.begin()
	f := fetch{stack: s, op: OpStat, key: key}
	head, err := f.stat(ctx)
	s.conclude(&f, head, start, err)
	return head, err
}

func (f *fetch) stat(ctx context.Context) (interfaces.Head, error) {
	for i := range f.stack.layers {
		head, err := f.stack.statAt(ctx, f.op, i, f.key)
		if err == nil {
			return head, nil
		}
		if err := f.verdict.add(ctx, err); err != nil {
			return interfaces.Head{}, err
		}
	}
	return interfaces.Head{}, f.miss()
}

func (s *Stack) statAt(ctx context.Context, op Op, i int, key interfaces.Key) (interfaces.Head, error) {
	l := &s.layers[i]
	start := s.begin()
	head, err := interfaces.Stat(ctx, l.Tier, key)
	s.tell(ctx, about(op, l.Name, &key, Hit, &head), start, err)
	return head, err
}

// Ping implements [interfaces.Pinger]: all layers are asked, and those that
// cannot answer are a *cacheerr.TierFailures.
func (s *Stack) Ping(ctx context.Context) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	var away failures
	for _, l := range s.layers {
		start := s.begin()
		err := interfaces.Ping(ctx, l.Tier)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.tell(ctx, Event{Op: OpPing, Layer: l.Name, Result: Done}, start, err)
		if err != nil {
			away.add(l.Name, err)
		}
	}
	return away.err()
}

// Consistency implements [interfaces.Consistent]: what holds for the layer that
// decides an Insert. It says nothing of a Put that replaces an entry, which
// others may keep in nearer layers of their own.
func (s *Stack) Consistency() interfaces.Consistency {
	if s == nil || s.decider < 0 {
		return interfaces.ConsistencyUnknown
	}
	return interfaces.ConsistencyOf(s.layers[s.decider].Tier)
}
