// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing/iotest"

	"github.com/tiercecache/tierce/interfaces"
)

// Capabilities returns the names of the capabilities that c has, as their
// interfaces are called ("Inserter", "Deleter", ...; "Closer" for io.Closer):
// those whose method exists and is not errors.ErrUnsupported when called. It
// calls all but Close, Clear too, so c should be empty.
func Capabilities(ctx context.Context, c interfaces.Cache) []string {
	var had []string
	for _, p := range probes() {
		if p.has(ctx, c) {
			had = append(had, p.name)
		}
	}
	return had
}

type probe struct {
	name string
	has  func(context.Context, interfaces.Cache) bool
}

func probes() []probe {
	key := named("a probe")
	bad := func() interfaces.Entry { return interfaces.Stream(iotest.ErrReader(errBody), 1) }
	return []probe{
		capability("Inserter", func(ctx context.Context, c interfaces.Inserter) error {
			_, err := c.Insert(ctx, key, bad())
			return err
		}),
		capability("Deleter", func(ctx context.Context, c interfaces.Deleter) error { return c.Delete(ctx, key) }),
		capability("Statter", func(ctx context.Context, c interfaces.Statter) error {
			_, err := c.Stat(ctx, key)
			return err
		}),
		capability("Lener", func(ctx context.Context, c interfaces.Lener) error {
			_, err := c.Len(ctx)
			return err
		}),
		capability("Clearer", func(ctx context.Context, c interfaces.Clearer) error { return c.Clear(ctx) }),
		capability("Lister", func(ctx context.Context, c interfaces.Lister) error {
			_, err := keys(ctx, c)
			return err
		}),
		capability("Pather", func(ctx context.Context, c interfaces.Pather) error {
			_, _, err := c.Path(ctx, key)
			return err
		}),
		capability("BatchGetter", func(ctx context.Context, c interfaces.BatchGetter) error {
			return c.GetBatch(ctx, []interfaces.Key{key}, func(int, interfaces.Entry, error) error { return nil })
		}),
		capability("BatchPutter", func(ctx context.Context, c interfaces.BatchPutter) error {
			return c.PutBatch(ctx, []interfaces.Item{{Key: key, Entry: bad()}})
		}),
		capability("Pinger", func(ctx context.Context, c interfaces.Pinger) error { return c.Ping(ctx) }),
		capability("Consistent", func(_ context.Context, c interfaces.Consistent) error {
			if c.Consistency() == interfaces.ConsistencyUnknown {
				return errors.ErrUnsupported
			}
			return nil
		}),
		capability("Closer", func(context.Context, io.Closer) error { return nil }),
	}
}

// capability returns the probe for the capability C, which call uses once.
func capability[C any](name string, call func(context.Context, C) error) probe {
	return probe{name, func(ctx context.Context, c interfaces.Cache) bool {
		capable, ok := c.(C)
		return ok && !errors.Is(call(ctx, capable), errors.ErrUnsupported)
	}}
}

// keys returns what List names, sorted.
func keys(ctx context.Context, c interfaces.Cache) ([]interfaces.Key, error) {
	var keys []interfaces.Key
	for key, err := range interfaces.List(ctx, c) {
		if err != nil {
			return keys, err
		}
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b interfaces.Key) int { return slices.Compare(a[:], b[:]) })
	return keys, nil
}

func testRequired(s *subject) {
	had := Capabilities(s.Context(), s.cache)
	s.Logf("capabilities: %v", had)
	for _, name := range s.cfg.Require {
		if !slices.Contains(had, name) {
			s.Errorf("capability %s is required and absent", name)
		}
	}
}
