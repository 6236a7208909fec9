// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"cmp"
	"context"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// farOf returns the place of the first layer that is far: beyond all those whose
// bodies are files on this machine, and never layer 0.
func farOf(pathers []pather) int {
	far := 1
	for _, p := range pathers {
		far = max(far, p.at+1)
	}
	return far
}

// nears returns how many layers are near.
func (s *Stack) nears() int { return min(s.far, len(s.layers)) }

// StatNear is [Stack.Stat] of the near layers alone: layer 0 and those up to the
// last whose bodies are files. Only a hit is told, since whoever misses here asks
// the whole Stack next.
func (s *Stack) StatNear(ctx context.Context, key interfaces.Key) (interfaces.Head, error) {
	if err := s.check(ctx); err != nil {
		return interfaces.Head{}, err
	}
	for i := range s.nears() {
		start := s.begin()
		head, err := interfaces.Stat(ctx, s.layers[i].Tier, key)
		if err == nil {
			s.tell(ctx, about(OpStat, s.layers[i].Name, &key, Hit, &head), start, nil)
			return head, nil
		}
	}
	return interfaces.Head{}, cacheerr.ErrMiss
}

// PathNear is [Stack.Path] of what is in a layer with paths by now. Only a hit is
// told, of the layer and not of the Stack, since whoever misses here asks the
// whole Stack next.
func (s *Stack) PathNear(ctx context.Context, key interfaces.Key) (path string, size int64, err error) {
	if err := s.check(ctx); err != nil {
		return "", 0, err
	}
	for _, p := range s.pathers {
		start := s.begin()
		if path, size, err = p.Path(ctx, key); err == nil {
			s.tell(ctx, about(OpPath, s.layers[p.at].Name, &key, Hit, &interfaces.Head{Size: size}), start, nil)
			return path, size, nil
		}
	}
	return "", 0, cacheerr.ErrMiss
}

// Newest is [Stack.Get] of the far layers alone, so that what a near one has kept
// does not hide what others have put there since. It makes no copy.
func (s *Stack) Newest(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	if err := s.check(ctx); err != nil {
		return interfaces.Entry{}, err
	}
	f := fetch{stack: s, op: OpPrefetch, key: key}
	hit, err := f.lookup(ctx, s.far)
	return hit.entry, err
}

// askBatch gets keys from layer i and calls each as [interfaces.GetBatch] does,
// but not for those that a layer which failed did not answer. It returns what
// each returned, or the context's error: that a layer failed is told.
func (s *Stack) askBatch(ctx context.Context, op Op, i int, keys []interfaces.Key, each func(j int, entry interfaces.Entry, err error) error) error {
	l, start := &s.layers[i], s.begin()
	var damaged []interfaces.Key
	var stop error
	err := interfaces.GetBatch(ctx, l.Tier, keys, func(j int, entry interfaces.Entry, err error) error {
		if err == nil {
			if entry, err = s.verify(i, keys[j], entry); err != nil {
				damaged = append(damaged, keys[j])
			}
		}
		s.tell(ctx, about(op, l.Name, &keys[j], Hit, &entry.Head), start, err)
		stop = each(j, entry, err)
		return stop
	})
	for _, key := range damaged { // not while a layer calls back, which would not expect to be called then
		_ = s.drop(ctx, op, i, key) // told
	}
	if err != nil && stop == nil {
		s.tell(ctx, Event{Op: op, Layer: l.Name}, start, err)
	}
	return cmp.Or(stop, ctx.Err())
}

// verify returns what layer i answered as Options.Verify lets it pass, if the
// layer is far.
func (s *Stack) verify(i int, key interfaces.Key, entry interfaces.Entry) (interfaces.Entry, error) {
	if s.verifier == nil || i < s.far {
		return entry, nil
	}
	passed, err := s.verifier(key, entry)
	if err != nil {
		_ = entry.Close() // at most looked at
		return interfaces.Entry{Head: entry.Head}, err
	}
	return passed, nil
}
