// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// inMemory is the longest body that a Full returns as text: a wrapper is to
// meet both kinds.
const inMemory = 1 << 10

// Full is a cache with every capability that there is: what a wrapper is tested
// over, besides a [Bare] one. It is a map, forgets nothing, and checks every
// body that it returns. Bodies longer than 1 KiB are streams, and the test fails
// if one of them is not closed. Batches are got backwards, as they may be.
type Full struct {
	shelf  *shelf
	closed atomic.Bool
}

var (
	_ interfaces.Inserter    = (*Full)(nil)
	_ interfaces.Deleter     = (*Full)(nil)
	_ interfaces.Statter     = (*Full)(nil)
	_ interfaces.Lener       = (*Full)(nil)
	_ interfaces.Clearer     = (*Full)(nil)
	_ interfaces.Lister      = (*Full)(nil)
	_ interfaces.Pather      = (*Full)(nil)
	_ interfaces.BatchGetter = (*Full)(nil)
	_ interfaces.BatchPutter = (*Full)(nil)
	_ interfaces.Pinger      = (*Full)(nil)
	_ interfaces.Consistent  = (*Full)(nil)
	_ io.Closer              = (*Full)(nil)
)

// shelf is what a Full keeps and what a later one opens again.
type shelf struct {
	dir     string       // of the files that Path makes
	lent    atomic.Int64 // streams that are not closed yet
	mu      sync.Mutex
	entries map[interfaces.Key]interfaces.Entry // guarded by mu; bodies are text
}

// NewFull returns an empty Full for the test t, which it fails at the end if a
// body was not closed.
func NewFull(t testing.TB) *Full {
	t.Helper()
	s := &shelf{dir: t.TempDir(), entries: make(map[interfaces.Key]interfaces.Entry)}
	t.Cleanup(func() {
		if n := s.lent.Load(); n != 0 {
			t.Errorf("%d bodies that cachetest.Full lent were not closed", n)
		}
	})
	return &Full{shelf: s}
}

// Reopen returns another Full on what f keeps, for [Config].Reopen.
func (f *Full) Reopen() *Full { return &Full{shelf: f.shelf} }

// Damage changes one bit of what f keeps under key, which must be there and not
// be empty, for [Config].Damage.
func (f *Full) Damage(key interfaces.Key) {
	f.shelf.mu.Lock()
	defer f.shelf.mu.Unlock()
	entry := f.shelf.entries[key]
	body, _ := entry.Bytes() // text: cannot fail
	body[len(body)/2] ^= 1
	f.shelf.entries[key] = interfaces.Bytes(body).WithHead(entry.Head)
}

// Get implements [interfaces.Cache].
func (f *Full) Get(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	entry, err := f.whole(ctx, key)
	if err != nil || entry.Size <= inMemory {
		return entry, err
	}
	text, _ := entry.Text()
	f.shelf.lent.Add(1)
	return interfaces.Stream(&loan{Reader: strings.NewReader(text), lent: &f.shelf.lent}, entry.Size).WithHead(entry.Head), nil
}

// loan is the body of a stream, which must be given back.
type loan struct {
	io.Reader
	lent *atomic.Int64
	back atomic.Bool
}

// Close implements [io.Closer].
func (l *loan) Close() error {
	if !l.back.Swap(true) {
		l.lent.Add(-1)
	}
	return nil
}

// Put implements [interfaces.Cache].
func (f *Full) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	_, err := f.keep(ctx, key, entry, false)
	return err
}

// Insert implements [interfaces.Inserter].
func (f *Full) Insert(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (bool, error) {
	return f.keep(ctx, key, entry, true)
}

// Delete implements [interfaces.Deleter].
func (f *Full) Delete(ctx context.Context, key interfaces.Key) error {
	if err := f.usable(ctx); err != nil {
		return err
	}
	f.shelf.mu.Lock()
	defer f.shelf.mu.Unlock()
	if _, ok := f.shelf.entries[key]; !ok {
		return cacheerr.ErrMiss
	}
	delete(f.shelf.entries, key)
	return nil
}

// Stat implements [interfaces.Statter].
func (f *Full) Stat(ctx context.Context, key interfaces.Key) (interfaces.Head, error) {
	if err := f.usable(ctx); err != nil {
		return interfaces.Head{}, err
	}
	f.shelf.mu.Lock()
	defer f.shelf.mu.Unlock()
	entry, ok := f.shelf.entries[key]
	if !ok {
		return interfaces.Head{}, cacheerr.ErrMiss
	}
	return entry.Head, nil
}

// Len implements [interfaces.Lener].
func (f *Full) Len(ctx context.Context) (int, error) {
	if err := f.usable(ctx); err != nil {
		return 0, err
	}
	f.shelf.mu.Lock()
	defer f.shelf.mu.Unlock()
	return len(f.shelf.entries), nil
}

// Clear implements [interfaces.Clearer].
func (f *Full) Clear(ctx context.Context) error {
	if err := f.usable(ctx); err != nil {
		return err
	}
	f.shelf.mu.Lock()
	defer f.shelf.mu.Unlock()
	clear(f.shelf.entries)
	return nil
}

// List implements [interfaces.Lister]: the keys at the time of the call.
func (f *Full) List(ctx context.Context) iter.Seq2[interfaces.Key, error] {
	if err := f.usable(ctx); err != nil {
		return func(yield func(interfaces.Key, error) bool) { yield(interfaces.Key{}, err) }
	}
	f.shelf.mu.Lock()
	defer f.shelf.mu.Unlock()
	keys := slices.Collect(maps.Keys(f.shelf.entries))
	return func(yield func(interfaces.Key, error) bool) {
		for _, key := range keys {
			if !yield(key, nil) {
				return
			}
		}
	}
}

// Path implements [interfaces.Pather]: a new file that lasts until the test
// ends.
func (f *Full) Path(ctx context.Context, key interfaces.Key) (string, int64, error) {
	entry, err := f.whole(ctx, key)
	if err != nil {
		return "", 0, err
	}
	file, err := os.CreateTemp(f.shelf.dir, key.Short())
	if err != nil {
		return "", 0, err
	}
	text, _ := entry.Text()
	_, err = file.WriteString(text)
	return file.Name(), entry.Size, errors.Join(err, file.Close())
}

// GetBatch implements [interfaces.BatchGetter]; the last key comes first.
func (f *Full) GetBatch(ctx context.Context, keys []interfaces.Key, each func(int, interfaces.Entry, error) error) error {
	for i, key := range slices.Backward(keys) {
		if err := f.usable(ctx); err != nil {
			return err
		}
		entry, err := f.Get(ctx, key)
		err = each(i, entry, err)
		if err := errors.Join(err, entry.Close()); err != nil {
			return err
		}
	}
	return nil
}

// PutBatch implements [interfaces.BatchPutter].
func (f *Full) PutBatch(ctx context.Context, items []interfaces.Item) error {
	for i, item := range items {
		if err := f.Put(ctx, item.Key, item.Entry); err != nil {
			return &interfaces.BatchError{Index: i, Key: item.Key, Err: err}
		}
	}
	return nil
}

// Ping implements [interfaces.Pinger].
func (f *Full) Ping(ctx context.Context) error { return f.usable(ctx) }

// Consistency implements [interfaces.Consistent]: strong.
func (f *Full) Consistency() interfaces.Consistency { return interfaces.ConsistencyStrong }

// Close implements [io.Closer]. What f keeps stays for [Full.Reopen].
func (f *Full) Close() error {
	if f != nil {
		f.closed.Store(true)
	}
	return nil
}

// usable returns why nothing can be done now.
func (f *Full) usable(ctx context.Context) error {
	switch {
	case f == nil:
		return &cacheerr.BackendNotAvailableError{Tier: "full", Err: errors.New("the cache is nil")}
	case f.closed.Load():
		return cacheerr.ErrClosed
	}
	return ctx.Err()
}

// whole returns the entry under key, its body as text, or a miss; a damaged
// entry is removed.
func (f *Full) whole(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	if err := f.usable(ctx); err != nil {
		return interfaces.Entry{}, err
	}
	f.shelf.mu.Lock()
	defer f.shelf.mu.Unlock()
	entry, ok := f.shelf.entries[key]
	if !ok {
		return interfaces.Entry{}, cacheerr.ErrMiss
	}
	if text, _ := entry.Text(); encoding.SumString(key, text) != entry.Checksum {
		delete(f.shelf.entries, key)
		return interfaces.Entry{}, cacheerr.ErrDamaged
	}
	return entry, nil
}

// keep reads the body and then keeps the entry, unless it must be absent and
// is not.
func (f *Full) keep(ctx context.Context, key interfaces.Key, entry interfaces.Entry, absent bool) (bool, error) {
	if err := f.usable(ctx); err != nil {
		return false, err
	}
	entry, err := inText(key, entry)
	if err := errors.Join(err, f.usable(ctx)); err != nil {
		return false, err
	}
	f.shelf.mu.Lock()
	defer f.shelf.mu.Unlock()
	if _, ok := f.shelf.entries[key]; ok && absent {
		return false, nil
	}
	f.shelf.entries[key] = entry
	return true, nil
}

// inText returns entry with its body in memory and a complete head, or why it
// must not be kept.
func inText(key interfaces.Key, entry interfaces.Entry) (interfaces.Entry, error) {
	head := entry.Head
	if len(head.Tag) > interfaces.MaxTag {
		return entry, fmt.Errorf("a tag of %d bytes, more than %d", len(head.Tag), interfaces.MaxTag)
	}
	body, err := io.ReadAll(entry.Reader())
	if err != nil {
		return entry, err
	}
	if head.Size >= 0 && head.Size != int64(len(body)) {
		return entry, fmt.Errorf("a body of %d bytes, not %d as its head says", len(body), head.Size)
	}
	sum := encoding.Sum(key, body)
	if head.Checksum != sum && head.Checksum != (interfaces.Checksum{}) {
		return entry, fmt.Errorf("a body with checksum %x, not %x as its head says", sum, head.Checksum)
	}
	head.Checksum = sum
	if head.Time.IsZero() {
		head.Time = time.Now()
	}
	head.Time = head.Time.UTC()
	return interfaces.Bytes(body).WithHead(head), nil
}
