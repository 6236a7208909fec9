// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/pause"
	"github.com/tiercecache/tierce/tiers"
)

// errAway is what passes, errBroken what does not.
var (
	errAway   = &cacheerr.BackendNotAvailableError{Tier: "fake", Reason: "connection refused"}
	errBroken = &cacheerr.BackendExecutionError{Tier: "fake", Op: "do", Reason: "out of memory"}
)

func keyOf(name string) interfaces.Key { return encoding.RawKey([]byte(name)) }

// remote is a tier whose Get and Put take as long as a test says. The others
// are not there.
type remote struct {
	mu    sync.Mutex
	gets  int // guarded by mu
	puts  int // guarded by mu
	onGet func(ctx context.Context, n int) (interfaces.Entry, error)
	onPut func(ctx context.Context, n int, entry interfaces.Entry) error
}

func (r *remote) Get(ctx context.Context, _ interfaces.Key) (interfaces.Entry, error) {
	r.mu.Lock()
	r.gets++
	n := r.gets
	r.mu.Unlock()
	return r.onGet(ctx, n)
}

func (r *remote) Put(ctx context.Context, _ interfaces.Key, entry interfaces.Entry) error {
	r.mu.Lock()
	r.puts++
	n := r.puts
	r.mu.Unlock()
	return r.onPut(ctx, n, entry)
}

func (r *remote) counts() (gets, puts int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gets, r.puts
}

// missAfter is an onGet that has nothing, and takes d to say so.
func missAfter(d time.Duration) func(context.Context, int) (interfaces.Entry, error) {
	return func(ctx context.Context, _ int) (interfaces.Entry, error) {
		if err := pause.For(ctx, d); err != nil {
			return interfaces.Entry{}, err
		}
		return interfaces.Entry{}, cacheerr.ErrMiss
	}
}

// deaf is an onGet that does not hear its context, until the test is over.
func deaf(until <-chan struct{}) func(context.Context, int) (interfaces.Entry, error) {
	return func(context.Context, int) (interfaces.Entry, error) {
		<-until
		return interfaces.Entry{}, errBroken
	}
}

// slow is a tier that has everything, a second after it is asked.
type slow struct{ entry interfaces.Entry }

func (s slow) Get(ctx context.Context, _ interfaces.Key) (interfaces.Entry, error) {
	return s.entry, pause.For(ctx, time.Second)
}
func (slow) Put(context.Context, interfaces.Key, interfaces.Entry) error { return nil }
func (s slow) GetBatch(ctx context.Context, keys []interfaces.Key, each func(int, interfaces.Entry, error) error) error {
	if err := pause.For(ctx, time.Second); err != nil {
		return err
	}
	for i := range keys {
		if err := each(i, s.entry, nil); err != nil {
			return err
		}
	}
	return nil
}

// trickle is a body of pieces, each of which takes a while. It does not hear
// anything while it waits for until, if that is not nil.
type trickle struct {
	pieces int
	every  time.Duration
	until  <-chan struct{} // waited for when there are no pieces left
	closed chan struct{}
}

func (r *trickle) Read(p []byte) (int, error) {
	if r.pieces == 0 {
		if r.until != nil {
			<-r.until
		}
		return 0, io.EOF
	}
	r.pieces--
	<-time.After(r.every)
	return copy(p, "piece"), nil
}

func (r *trickle) Close() error {
	close(r.closed)
	return nil
}

// streams hands every body out as a stream.
type streams struct{ interfaces.Cache }

func (s streams) Get(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	entry, err := s.Cache.Get(ctx, key)
	if err != nil {
		return entry, err
	}
	body, err := entry.Bytes()
	return interfaces.Stream(io.MultiReader(strings.NewReader(string(body))), entry.Size).WithHead(entry.Head), errors.Join(err, entry.Close())
}

func (s streams) Close() error { return interfaces.Close(s.Cache) }

// events is an observer that remembers.
type events struct {
	mu   sync.Mutex
	seen []tiers.Event // guarded by mu
}

func (e *events) Observe(event tiers.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = append(e.seen, event)
}

// count returns how many events had result, and how long they took together.
func (e *events) count(result tiers.Result) (n int, d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.seen {
		if event.Result == result {
			n, d = n+1, d+event.Duration
		}
	}
	return n, d
}

// wantReason fails the test unless err is of a guard and has the reason.
func wantReason(t *testing.T, what string, err error, reason string) {
	t.Helper()
	away, ok := errors.AsType[*cacheerr.BackendNotAvailableError](err)
	if !ok || away.Reason != reason {
		t.Errorf("%s: error %v, want a BackendNotAvailableError with the reason %q", what, err, reason)
	}
}

// took fails the test unless the time since start is what the test says: it is
// virtual, so it is exact.
func took(t *testing.T, what string, start time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(start); got != want {
		t.Errorf("%s took %v, want %v", what, got, want)
	}
}
