// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"
	"errors"
	"slices"

	"github.com/tiercecache/tierce/interfaces"
)

// PutBatch implements [interfaces.BatchPutter]: entries in memory are given to
// each layer in one batch, streams one by one. An item fails as a Put does; a
// layer that fails for one item is given those after it all the same.
func (s *Stack) PutBatch(ctx context.Context, items []interfaces.Item) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	for from := 0; from < len(items); {
		n := texts(items[from:])
		var err error
		if n > 0 {
			err = s.putTexts(ctx, items[from:from+n])
		} else {
			n, err = 1, s.Put(ctx, items[from].Key, items[from].Entry)
		}
		if failed, ok := errors.AsType[*interfaces.BatchError](err); ok {
			failed.Index += from
			return failed
		}
		if err != nil {
			return &interfaces.BatchError{Index: from, Key: items[from].Key, Err: err}
		}
		from += n
	}
	return nil
}

// texts returns how many items from the first on are in memory.
func texts(items []interfaces.Item) int {
	n := slices.IndexFunc(items, func(item interfaces.Item) bool {
		_, ok := item.Entry.Text()
		return !ok
	})
	if n < 0 {
		return len(items)
	}
	return n
}

// putTexts puts items, whose bodies are in memory, layer by layer.
func (s *Stack) putTexts(ctx context.Context, items []interfaces.Item) error {
	start := s.begin()
	items = slices.Clone(items)
	for j := range items {
		items[j].Entry = s.stamp(items[j].Entry)
	}
	refusals := make([][]error, len(s.layers)) // by layer and item
	for i := range s.layers {
		refusals[i] = s.giveTexts(ctx, i, items)
	}
	var first error
	for j, item := range items {
		err := s.settleText(ctx, item, func(i int) error { return refusals[i][j] })
		s.tell(ctx, about(OpPut, "", &item.Key, Stored, &item.Entry.Head), start, err)
		if err != nil && first == nil {
			first = &interfaces.BatchError{Index: j, Key: item.Key, Err: err}
		}
	}
	return first
}

// giveTexts gives items to layer i and returns of each why it did not take it,
// or nil.
func (s *Stack) giveTexts(ctx context.Context, i int, items []interfaces.Item) []error {
	l := &s.layers[i]
	errs := make([]error, len(items))
	var given []interfaces.Item
	var places []int // of given in items
	for j, item := range items {
		if errs[j] = l.refuses(item.Entry.Size); l.Behind {
			errs[j] = errBehind
		}
		if errs[j] == nil {
			given, places = append(given, item), append(places, j)
		}
	}
	start := s.begin()
	for k, err := range putAll(ctx, l.Tier, given) {
		errs[places[k]] = err
	}
	for j, item := range items {
		if !l.Behind && !l.ReadOnly {
			s.tell(ctx, about(OpPut, l.Name, &item.Key, Stored, &item.Entry.Head), start, errs[j])
		}
	}
	return errs
}

// putAll puts all items into c, also those behind one that fails, and returns
// the error of each.
func putAll(ctx context.Context, c interfaces.Cache, items []interfaces.Item) []error {
	errs := make([]error, len(items))
	for from := 0; from < len(items); {
		err := interfaces.PutBatch(ctx, c, items[from:])
		if err == nil {
			break
		}
		failed, ok := errors.AsType[*interfaces.BatchError](err)
		if !ok || failed.Index < 0 || from+failed.Index >= len(items) || ctx.Err() != nil {
			for k := from; k < len(items); k++ {
				errs[k] = err
			}
			break
		}
		errs[from+failed.Index] = failed.Err
		from += failed.Index + 1
	}
	return errs
}

// settleText ends the Put of one item of a batch, of which refusal tells why a
// layer did not take it.
func (s *Stack) settleText(ctx context.Context, item interfaces.Item, refusal func(layer int) error) error {
	var why failures
	for i := range s.layers {
		if err := refusal(i); err != nil {
			why.add(s.layers[i].Name, err)
		}
	}
	switch {
	case len(why) < len(s.layers):
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return why.err()
	}
	for i := range s.layers {
		if l := &s.layers[i]; refusal(i) != nil && !l.Behind {
			s.dropOther(ctx, OpPut, i, item.Key, item.Entry)
		}
	}
	s.finish(ctx, item.Key, item.Entry)
	return nil
}
