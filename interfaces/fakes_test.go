// SPDX-License-Identifier: Apache-2.0

package interfaces_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

var errBroken = errors.New("broken")

// key returns the key whose first byte is n.
func key(n byte) interfaces.Key { return interfaces.Key{n} }

// bare is a cache without capabilities.
type bare struct {
	entries map[interfaces.Key]interfaces.Entry
	calls   []string // what was called, in order
	fail    error    // of the next Get and Put
}

func newBare() *bare { return &bare{entries: make(map[interfaces.Key]interfaces.Entry)} }

func (b *bare) Get(_ context.Context, key interfaces.Key) (interfaces.Entry, error) {
	b.calls = append(b.calls, "Get")
	entry, ok := b.entries[key]
	switch {
	case b.fail != nil:
		return interfaces.Entry{}, b.fail
	case !ok:
		return interfaces.Entry{}, cacheerr.ErrMiss
	}
	return entry, nil
}

func (b *bare) Put(_ context.Context, key interfaces.Key, entry interfaces.Entry) error {
	b.calls = append(b.calls, "Put")
	if b.fail != nil {
		return b.fail
	}
	b.entries[key] = entry
	return nil
}

// full is a cache with every capability. Each method notes that it was called
// and returns err, if that is not nil: errors.ErrUnsupported is "as if I had not
// this capability".
type full struct {
	*bare
	err error
}

var (
	_ interfaces.Inserter    = full{}
	_ interfaces.Deleter     = full{}
	_ interfaces.Statter     = full{}
	_ interfaces.Lener       = full{}
	_ interfaces.Clearer     = full{}
	_ interfaces.Lister      = full{}
	_ interfaces.Pather      = full{}
	_ interfaces.BatchGetter = full{}
	_ interfaces.BatchPutter = full{}
	_ interfaces.Pinger      = full{}
	_ interfaces.Consistent  = full{}
)

func (f full) called(name string) error {
	f.calls = append(f.calls, name)
	return f.err
}

func (f full) Insert(_ context.Context, key interfaces.Key, entry interfaces.Entry) (bool, error) {
	if err := f.called("Insert"); err != nil {
		return false, err
	}
	_, taken := f.entries[key]
	if !taken {
		f.entries[key] = entry
	}
	return !taken, nil
}

func (f full) Delete(_ context.Context, key interfaces.Key) error {
	if err := f.called("Delete"); err != nil {
		return err
	}
	if _, ok := f.entries[key]; !ok {
		return cacheerr.ErrMiss
	}
	delete(f.entries, key)
	return nil
}

func (f full) Stat(_ context.Context, key interfaces.Key) (interfaces.Head, error) {
	if err := f.called("Stat"); err != nil {
		return interfaces.Head{}, err
	}
	entry, ok := f.entries[key]
	if !ok {
		return interfaces.Head{}, cacheerr.ErrMiss
	}
	return entry.Head, nil
}

func (f full) Len(context.Context) (int, error) { return len(f.entries), f.called("Len") }

func (f full) Clear(context.Context) error {
	if err := f.called("Clear"); err != nil {
		return err
	}
	clear(f.entries)
	return nil
}

func (f full) List(context.Context) iter.Seq2[interfaces.Key, error] {
	err := f.called("List")
	return func(yield func(interfaces.Key, error) bool) {
		for _, key := range slices.SortedFunc(maps.Keys(f.entries), func(a, b interfaces.Key) int { return int(a[0]) - int(b[0]) }) {
			if err == nil && !yield(key, nil) {
				return
			}
		}
		if err != nil {
			yield(interfaces.Key{}, err)
		}
	}
}

func (f full) Path(_ context.Context, key interfaces.Key) (string, int64, error) {
	if err := f.called("Path"); err != nil {
		return "", 0, err
	}
	return "/" + key.String(), 3, nil
}

func (f full) GetBatch(_ context.Context, keys []interfaces.Key, each func(int, interfaces.Entry, error) error) error {
	if err := f.called("GetBatch"); err != nil {
		return err
	}
	for i, key := range keys {
		if err := each(i, f.entries[key], nil); err != nil {
			return err
		}
	}
	return nil
}

func (f full) PutBatch(_ context.Context, items []interfaces.Item) error {
	if err := f.called("PutBatch"); err != nil {
		return err
	}
	for _, item := range items {
		f.entries[item.Key] = item.Entry
	}
	return nil
}

func (f full) Ping(context.Context) error { return f.called("Ping") }

func (f full) Consistency() interfaces.Consistency { return interfaces.ConsistencyStrong }

func (f full) Close() error { return f.called("Close") }

// lists has List, Delete and nothing else besides Get and Put.
type lists struct{ full full }

func (l lists) Get(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	return l.full.Get(ctx, key)
}

func (l lists) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	return l.full.Put(ctx, key, entry)
}

func (l lists) Delete(ctx context.Context, key interfaces.Key) error { return l.full.Delete(ctx, key) }

func (l lists) List(ctx context.Context) iter.Seq2[interfaces.Key, error] { return l.full.List(ctx) }

// filled returns a bare cache with n entries, under keys 1 to n.
func filled(n byte) *bare {
	b := newBare()
	for i := range n {
		b.entries[key(i+1)] = interfaces.Bytes([]byte{i + 1})
	}
	return b
}

// wantCalls fails the test unless exactly these methods were called, in order.
func wantCalls(t *testing.T, b *bare, want ...string) {
	t.Helper()
	if !slices.Equal(b.calls, want) {
		t.Errorf("called %q, want %q", b.calls, want)
	}
}

// wantError fails the test unless errors.Is(got, want).
func wantError(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("error %v, want %v", got, want)
	}
}
