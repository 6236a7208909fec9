// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// operation is one call of a cache that must fail when the cache, or the
// context, is of no use.
type operation struct {
	name string
	call func(ctx context.Context, c interfaces.Cache) error
}

// operations returns every operation, through the package functions. Those
// without the capability or a fallback are errors.ErrUnsupported.
func operations(key interfaces.Key) []operation {
	entry := interfaces.Text("from an operation")
	return []operation{
		{"Get", func(ctx context.Context, c interfaces.Cache) error {
			entry, err := c.Get(ctx, key)
			return errors.Join(err, entry.Close())
		}},
		{"Put", func(ctx context.Context, c interfaces.Cache) error { return c.Put(ctx, key, entry) }},
		{"Insert", func(ctx context.Context, c interfaces.Cache) error {
			_, err := interfaces.Insert(ctx, c, key, entry)
			return err
		}},
		{"Stat", func(ctx context.Context, c interfaces.Cache) error {
			_, err := interfaces.Stat(ctx, c, key)
			return err
		}},
		{"Path", func(ctx context.Context, c interfaces.Cache) error {
			_, _, err := interfaces.Path(ctx, c, key)
			return err
		}},
		{"Len", func(ctx context.Context, c interfaces.Cache) error {
			_, err := interfaces.Len(ctx, c)
			return err
		}},
		{"List", func(ctx context.Context, c interfaces.Cache) error {
			_, err := keys(ctx, c)
			return err
		}},
		{"GetBatch", func(ctx context.Context, c interfaces.Cache) error {
			each := func(_ int, _ interfaces.Entry, err error) error { return err }
			return interfaces.GetBatch(ctx, c, []interfaces.Key{key}, each)
		}},
		{"PutBatch", func(ctx context.Context, c interfaces.Cache) error {
			return interfaces.PutBatch(ctx, c, []interfaces.Item{{Key: key, Entry: entry}})
		}},
		{"Delete", func(ctx context.Context, c interfaces.Cache) error { return interfaces.Delete(ctx, c, key) }},
		{"Clear", func(ctx context.Context, c interfaces.Cache) error { return interfaces.Clear(ctx, c) }},
	}
}

// noPanic calls call and fails the test if that panics.
func (s *subject) noPanic(what string, call func() error) (err error) {
	s.Helper()
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
			s.Errorf("%s panics: %v", what, reason)
		}
	}()
	return call()
}

// testNil tests that a nil cache, what is left of one whose Open failed, says
// so instead of bringing the program down.
func testNil(s *subject) {
	kind := reflect.TypeOf(s.cache)
	if kind.Kind() != reflect.Pointer {
		s.Logf("%v is not a pointer: there is no nil one", kind)
		return
	}
	c := reflect.Zero(kind).Interface().(interfaces.Cache)
	for _, op := range operations(named("key")) {
		what := op.name + " of a nil cache"
		err := s.noPanic(what, func() error { return op.call(s.Context(), c) })
		s.wantError(what, err)
		if errors.Is(err, cacheerr.ErrMiss) {
			s.Errorf("%s: error %v is a miss, want one that says that the cache is nil", what, err)
		}
	}
	_ = s.noPanic("Ping of a nil cache", func() error { return interfaces.Ping(s.Context(), c) })
	_ = s.noPanic("Consistency of a nil cache", func() error { _ = interfaces.ConsistencyOf(c); return nil })
	_ = s.noPanic("Close of a nil cache", func() error { return interfaces.Close(c) })
}

func testClosed(s *subject) {
	if !s.has("Closer") {
		return
	}
	s.put(named("key"), "body")
	for _, time := range []string{"first", "second"} {
		if err := s.noPanic(time+" Close", func() error { return interfaces.Close(s.cache) }); err != nil {
			s.Errorf("%s Close: %v", time, err)
		}
	}
	ops := operations(named("key"))
	if s.has("Pinger") {
		ops = append(ops, operation{"Ping", interfaces.Ping})
	}
	for _, op := range ops {
		err := s.noPanic(op.name, func() error { return op.call(s.Context(), s.cache) })
		s.wantRefused(op, err, cacheerr.ErrClosed)
	}
}

// testCancelled tests that a cancelled context is the error of every operation
// and that none of them did anything.
func testCancelled(s *subject) {
	key := named("key")
	s.put(key, "body")
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	for _, op := range operations(key) {
		err := s.noPanic(op.name, func() error { return op.call(ctx, s.cache) })
		s.wantRefused(op, err, context.Canceled)
		s.want(key, "body")
	}
	for _, op := range operations(named("absent")) {
		_ = s.noPanic(op.name, func() error { return op.call(ctx, s.cache) })
		s.wantMiss(named("absent"))
	}
}

// wantRefused fails the test unless err, of an operation, is want. Where the
// cache has nothing to do it with, errors.ErrUnsupported is as good.
func (s *subject) wantRefused(op operation, err, want error) {
	s.Helper()
	targets := []error{want}
	if errors.Is(op.call(s.Context(), s.open()), errors.ErrUnsupported) {
		targets = append(targets, errors.ErrUnsupported)
	}
	s.wantError(op.name, err, targets...)
}
