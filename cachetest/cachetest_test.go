// SPDX-License-Identifier: Apache-2.0

package cachetest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/tiercecache/tierce/cachetest"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/examples/maptier"
	"github.com/tiercecache/tierce/interfaces"
)

// every capability there is, as Capabilities names them.
var every = []string{
	"Inserter", "Deleter", "Statter", "Lener", "Clearer", "Lister", "Pather",
	"BatchGetter", "BatchPutter", "Pinger", "Consistent", "Closer",
}

func openFull(t *testing.T) interfaces.Cache { return cachetest.NewFull(t) }

func reopenFull(_ *testing.T, closed interfaces.Cache) interfaces.Cache {
	return closed.(*cachetest.Full).Reopen()
}

func damageFull(_ *testing.T, c interfaces.Cache, key interfaces.Key) {
	c.(*cachetest.Full).Damage(key)
}

func TestFull(t *testing.T) {
	cachetest.Run(t, cachetest.Config{Open: openFull, Reopen: reopenFull, Damage: damageFull, Require: every})
}

func TestBare(t *testing.T) {
	cachetest.Run(t, cachetest.Config{
		Open:    func(t *testing.T) interfaces.Cache { return cachetest.Bare(cachetest.NewFull(t)) },
		Require: []string{"Closer"},
		MaxBody: 100_000,
	})
}

// TestSmall runs the suite on a cache that takes no body above MaxBody.
func TestSmall(t *testing.T) {
	const most = 10_000
	cachetest.Run(t, cachetest.Config{
		MaxBody: most,
		Open: func(t *testing.T) interfaces.Cache {
			return newBroken(t, func(b *broken) {
				b.put = func(f full, c ctx, k key, e entry) error {
					if e.Size > most {
						return &cacheerr.EntryTooLargeError{Requested: e.Size, Available: most}
					}
					return f.Put(c, k, e)
				}
				b.insert = func(f full, c ctx, k key, e entry) (bool, error) {
					if e.Size > most {
						return false, &cacheerr.EntryTooLargeError{Requested: e.Size, Available: most}
					}
					return f.Insert(c, k, e)
				}
				b.putBatch = func(full, ctx, []interfaces.Item) error { return errors.ErrUnsupported }
			})
		},
	})
}

func TestForgetful(t *testing.T) {
	cachetest.Run(t, cachetest.Config{
		Open:      func(t *testing.T) interfaces.Cache { return newForgetful(t, 3) },
		MayForget: true,
	})
}

func TestCapabilities(t *testing.T) {
	c := cachetest.NewFull(t)
	if got := cachetest.Capabilities(t.Context(), c); !slices.Equal(got, every) {
		t.Errorf("Capabilities of Full: %v, want %v", got, every)
	}
	if got, want := cachetest.Capabilities(t.Context(), cachetest.Bare(c)), []string{"Closer"}; !slices.Equal(got, want) {
		t.Errorf("Capabilities of a bare Full: %v, want %v", got, want)
	}
	if got := cachetest.Capabilities(t.Context(), cachetest.Bare(closeless{c})); len(got) != 0 {
		t.Errorf("Capabilities of a bare cache without Close: %v, want none", got)
	}
	refusing := newBroken(t, func(b *broken) { b.insert = unsupportedInsert })
	if got := cachetest.Capabilities(t.Context(), refusing); slices.Contains(got, "Inserter") || !slices.Contains(got, "Deleter") {
		t.Errorf("Capabilities where Insert is errors.ErrUnsupported: %v, want all but Inserter", got)
	}
}

func BenchmarkFull(b *testing.B) {
	cachetest.Bench(b, func(b *testing.B) interfaces.Cache { return cachetest.NewFull(b) })
}

func ExampleCapabilities() {
	ctx := context.Background()
	c, err := maptier.Open(ctx, maptier.Options{})
	fmt.Println(cachetest.Capabilities(ctx, c), err)
	// Output: [] <nil>
}

// closeless is a cache that has nothing to close.
type closeless struct{ interfaces.Cache }

// forgetful keeps the last few keys that were put, as a cache with a small cap.
type forgetful struct {
	*cachetest.Full
	last chan interfaces.Key
}

func newForgetful(t *testing.T, keep int) forgetful {
	return forgetful{cachetest.NewFull(t), make(chan interfaces.Key, keep)}
}

func (f forgetful) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	err := f.Full.Put(ctx, key, entry)
	f.evict(ctx, key)
	return err
}

func (f forgetful) Insert(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (bool, error) {
	inserted, err := f.Full.Insert(ctx, key, entry)
	f.evict(ctx, key)
	return inserted, err
}

func (f forgetful) PutBatch(context.Context, []interfaces.Item) error { return errors.ErrUnsupported }

func (f forgetful) evict(ctx context.Context, key interfaces.Key) {
	for {
		select {
		case f.last <- key:
			return
		case old := <-f.last:
			_ = f.Delete(ctx, old) // it may have gone already
		}
	}
}
