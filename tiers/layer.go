// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"
	"errors"
	"fmt"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// Layer is a tier in a [Stack] and the policy for it. Name and Tier must be
// set.
type Layer struct {
	// Name is what events and errors call the layer. No other has it.
	Name string
	// Tier keeps the entries. The Stack owns it and closes it.
	Tier interfaces.Cache
	// ReadOnly keeps every write, promotion and removal away from the layer;
	// what its tier does of itself, such as removing damage, it still does.
	// Its entries cannot be replaced: they hide those of farther layers.
	ReadOnly bool
	// Behind makes writes wait in a queue, from which workers send them; reads
	// and removals do not wait. A write that fails is told and not tried again.
	// Another layer must take writes at once.
	Behind bool
	// Remote says that the tier waits for another machine: statistics tell more
	// of it.
	Remote bool
	// MaxBody is the largest body in bytes that the layer is given; 0 means
	// any. A body of unknown size is not, until another layer has counted it.
	MaxBody int64
}

var errSizeUnknown = errors.New("the size of the body is not known, and the layer takes only up to a limit; set Entry.Size")

// refuses returns why the layer is not given a body of size bytes, or nil.
func (l *Layer) refuses(size int64) error {
	switch {
	case l.ReadOnly:
		return cacheerr.ErrReadOnly
	case l.MaxBody == 0 || 0 <= size && size <= l.MaxBody:
		return nil
	case size < 0:
		return errSizeUnknown
	default:
		return &cacheerr.EntryTooLargeError{Requested: size, Available: l.MaxBody}
	}
}

// takes reports whether the layer is given a body of size bytes at once.
func (l *Layer) takes(size int64) bool { return !l.Behind && l.refuses(size) == nil }

// takers returns how many of the first n layers take a body of size bytes,
// which may be unknown yet.
func (s *Stack) takers(n int, size int64) (takers int) {
	for i := range n {
		if l := &s.layers[i]; l.takes(size) || size < 0 && l.takes(0) {
			takers++
		}
	}
	return takers
}

// decides reports whether the layer may be the one that Insert asks: see
// Stack.Insert.
func (l *Layer) decides() bool {
	_, ok := l.Tier.(interfaces.Inserter)
	return ok && !l.ReadOnly && !l.Behind
}

// validate returns what is wrong with layers, or nil.
func validate(layers []Layer) error {
	if len(layers) == 0 {
		return errors.New("tiers: a stack needs at least one layer")
	}
	names := make(map[string]bool, len(layers))
	behind, direct := "", false
	for i, l := range layers {
		if err := l.validate(); err != nil {
			return fmt.Errorf("tiers: layer %d, %q: %w", i, l.Name, err)
		}
		if names[l.Name] {
			return fmt.Errorf("tiers: layer %d, %q: another layer has this name; give each its own", i, l.Name)
		}
		names[l.Name] = true
		if l.Behind {
			behind = l.Name
		}
		direct = direct || !l.Behind && !l.ReadOnly
	}
	if behind != "" && !direct {
		return fmt.Errorf("tiers: layer %q is written behind, but no other layer can be written before it", behind)
	}
	return nil
}

func (l *Layer) validate() error {
	switch {
	case l.Name == "":
		return errors.New("it has no name; events and errors need one")
	case l.Tier == nil:
		return errors.New("its tier is nil")
	case l.MaxBody < 0:
		return fmt.Errorf("MaxBody is %d bytes; use 0 for no limit", l.MaxBody)
	case l.Behind && l.ReadOnly:
		return errors.New("it is both read-only and written behind; choose one")
	}
	return nil
}

// ask gets key from layer i.
func (s *Stack) ask(ctx context.Context, op Op, i int, key interfaces.Key) (interfaces.Entry, error) {
	l := &s.layers[i]
	start := s.begin()
	entry, err := l.Tier.Get(ctx, key)
	wrong := false
	if err == nil {
		entry, err = s.verify(i, key, entry)
		wrong = err != nil
	}
	s.tell(ctx, about(op, l.Name, &key, Hit, &entry.Head), start, err)
	if wrong {
		_ = s.drop(ctx, op, i, key) // told
	}
	return entry, err
}

// errOvertaken is why a copy is not made where somebody has put an entry
// meanwhile.
var errOvertaken = errors.New("another entry is there")

// give offers b to layer i. Done well, that is good: Stored or Promoted. A body
// that fails of itself is no failure of the layer: nothing is told of it.
func (s *Stack) give(ctx context.Context, op Op, good Result, i int, key interfaces.Key, b *body) error {
	l := &s.layers[i]
	start := s.begin()
	err := s.write(ctx, good, i, key, b)
	switch {
	case errors.Is(err, errOvertaken):
		s.tell(ctx, about(op, l.Name, &key, Kept, &b.entry.Head), start, nil)
	case err == nil || !b.faulty():
		s.tell(ctx, about(op, l.Name, &key, good, &b.entry.Head), start, err)
	}
	return err
}

// write puts entry into layer i. A copy must not replace what another process
// has inserted into the layer that decides since that was asked, nor is one with
// a path to be undone that it did not make.
func (s *Stack) write(ctx context.Context, good Result, i int, key interfaces.Key, b *body) error {
	if p, ok := s.layers[i].Tier.(placer); ok && b.out && good == Promoted {
		placed, err := p.Place(ctx, key, b.entry)
		if err == nil && !placed {
			return errOvertaken
		}
		return err
	}
	if good == Promoted && i == s.decider {
		inserted, err := interfaces.Insert(ctx, s.layers[i].Tier, key, b.entry)
		switch {
		case err == nil && !inserted:
			return errOvertaken
		case !errors.Is(err, errors.ErrUnsupported):
			return err
		}
	}
	return s.layers[i].Tier.Put(ctx, key, b.entry)
}

// placer is a layer with paths that takes a copy whose path is wanted at less
// cost than by Insert and Path. It replaces nothing, and says so.
type placer interface {
	Place(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (placed bool, err error)
}

// copy gives layer i what was found: text as it is, a stream by asking the
// layer that has it once more, so that what was found stays whole.
func (s *Stack) copy(ctx context.Context, op Op, good Result, i int, key interfaces.Key, from found) error {
	if _, ok := from.entry.Text(); ok {
		return s.give(ctx, op, good, i, key, &body{entry: from.entry})
	}
	start := s.begin()
	entry, err := s.layers[from.at].Tier.Get(ctx, key)
	if err != nil {
		s.tell(ctx, Event{Op: op, Layer: s.layers[from.at].Name, Key: key}, start, err)
		return err
	}
	b := offer(entry)
	if err = s.give(ctx, op, good, i, key, &b); err != nil && b.faulty() {
		s.tell(ctx, Event{Op: op, Layer: s.layers[from.at].Name, Key: key}, start, err)
	}
	_ = entry.Close() // only read
	return err
}

// drop removes key from layer i, so that it does not answer with an entry that
// the stack has replaced or must not have. An absent key is as good, and a
// read-only layer keeps what it has. That is done also when the caller gives up,
// since something was stored already.
func (s *Stack) drop(ctx context.Context, op Op, i int, key interfaces.Key) error {
	l := &s.layers[i]
	if l.ReadOnly {
		return nil
	}
	ctx = patient(ctx, op)
	start := s.begin()
	err := interfaces.Delete(ctx, l.Tier, key)
	if err == nil || errors.Is(err, cacheerr.ErrMiss) {
		return nil
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		s.tell(ctx, Event{Op: op, Layer: l.Name, Key: key}, start, err)
	}
	return err
}

// patient returns the context for what is done also when the caller gives up.
func patient(ctx context.Context, op Op) context.Context {
	if op == OpBehind { // whose context ends when somebody waits for the end
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// dropOther is drop for a layer that did not take entry, and reports whether it
// has the same already: that stays, since its path may be in somebody's hands.
func (s *Stack) dropOther(ctx context.Context, op Op, i int, key interfaces.Key, entry interfaces.Entry) (same bool) {
	l := &s.layers[i]
	if l.ReadOnly {
		return false
	}
	has, err := interfaces.Stat(patient(ctx, op), l.Tier, key)
	if err == nil && alike(has, summed(key, entry)) {
		return true
	}
	_ = s.drop(ctx, op, i, key) // told
	return false
}

// alike reports whether a and b are known to be heads of the same answer.
func alike(a, b interfaces.Head) bool {
	return a.Size == b.Size && a.Tag == b.Tag && a.Checksum == b.Checksum && a.Checksum != interfaces.Checksum{}
}

// summed returns the head of entry with the checksum of a body in memory.
func summed(key interfaces.Key, entry interfaces.Entry) interfaces.Head {
	if text, ok := entry.Text(); ok && entry.Checksum == (interfaces.Checksum{}) {
		entry.Checksum = encoding.SumString(key, text)
	}
	return entry.Head
}
