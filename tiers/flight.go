// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tiercecache/tierce/interfaces"
)

// flights are the fetches beyond layer 0 that are under way. They have two
// duties:
//
//   - callers that want one key share one flight;
//   - a copy that a flight makes in a nearer layer does not outlive a Put,
//     Insert, Delete or Clear that came meanwhile, unless the same was put: each
//     of these settles the flights of its key before it returns.
//
// No goroutine is started for a flight: the caller that began it fetches.
type flights struct {
	landed [64]atomic.Uint64 // how many flights are over, by the key's first bits
	mu     sync.Mutex
	byKey  map[interfaces.Key][]*flight // guarded by mu: those under way, stale ones too
}

// landings returns a number that is another one when a flight for key has
// landed since. Now and then it is for another key, which costs one question.
func (t *flights) landings(key *interfaces.Key) uint64 { return t.landed[key[0]%64].Load() }

// flight is one fetch.
type flight struct {
	shared    bool          // whether others may wait for the answer
	promoting bool          // guarded by flights.mu: copies are being made, or removed again
	stale     int           // guarded by flights.mu: layers nearer than this must have no copy
	done      chan struct{} // closed when it is over

	// head is that of the entry being copied. Only the caller that began the
	// flight changes it, with flights.mu.
	head interfaces.Head

	// The answer, to be read once done is closed.
	answered bool // false if the caller gave up: somebody else has to fetch
	hit      found
	verdict  verdict
	err      error
}

// join returns the flight for key that is shared and not stale, and whether the
// caller has begun it and must land it.
func (t *flights) join(key interfaces.Key) (f *flight, lead bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.byKey[key] {
		if f.shared && f.stale == 0 {
			return f, false
		}
	}
	return t.add(key, true), true
}

// begin returns a new flight for key that nobody waits for, which the caller
// must land.
func (t *flights) begin(key interfaces.Key) *flight {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.add(key, false)
}

// add needs mu.
func (t *flights) add(key interfaces.Key, shared bool) *flight {
	if t.byKey == nil {
		t.byKey = make(map[interfaces.Key][]*flight)
	}
	f := &flight{shared: shared, done: make(chan struct{})}
	t.byKey[key] = append(t.byKey[key], f)
	return f
}

// land ends f, once.
func (t *flights) land(key interfaces.Key, f *flight) {
	t.mu.Lock()
	others := slices.DeleteFunc(t.byKey[key], func(other *flight) bool { return other == f })
	if t.byKey[key] = others; len(others) == 0 {
		delete(t.byKey, key)
	}
	t.landed[key[0]%64].Add(1)
	t.mu.Unlock()
	close(f.done)
}

// promote reports whether copies of what f fetched, which has head, may be made.
// If so, promoted must be called after that.
func (t *flights) promote(f *flight, head interfaces.Head) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.promoting, f.head = f.stale == 0, head
	return f.promoting
}

// promoted returns the layer before which copies have to go again, because the
// entry was replaced or removed since f began; 0 if they may stay. Until they
// have gone from before layer undone, f is promoting.
func (t *flights) promoted(f *flight, undone int) (stale int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.promoting = f.stale > undone
	return f.stale
}

// everyLayer is farther than any layer.
const everyLayer = math.MaxInt

// settle makes an end of copies, in layers nearer than the one given, of what
// was under key until now: those that are being made are waited for, and
// whoever makes them removes them. Nobody joins a settled flight. Copies of what
// was stored now stay; that is nil if nothing was.
func (t *flights) settle(ctx context.Context, key interfaces.Key, layer int, stored *interfaces.Entry) {
	t.mu.Lock()
	promoting := t.discard(nil, key, layer, stored)
	t.mu.Unlock()
	waitAll(ctx, promoting)
}

// settleAll settles every key in every layer.
func (t *flights) settleAll(ctx context.Context) {
	var promoting []*flight
	t.mu.Lock()
	for key := range t.byKey {
		promoting = t.discard(promoting, key, everyLayer, nil)
	}
	t.mu.Unlock()
	waitAll(ctx, promoting)
}

// discard makes the flights of key stale, but for those that copy what was
// stored, and appends to promoting those that are making copies. It needs mu.
func (t *flights) discard(promoting []*flight, key interfaces.Key, layer int, stored *interfaces.Entry) []*flight {
	for _, f := range t.byKey[key] {
		if f.promoting && f.stale == 0 && f.copies(key, stored) {
			continue
		}
		f.stale = max(f.stale, layer)
		if f.promoting {
			promoting = append(promoting, f)
		}
	}
	return promoting
}

// copies reports whether f is known to copy the same as stored.
func (f *flight) copies(key interfaces.Key, stored *interfaces.Entry) bool {
	return stored != nil && stored.Size == f.head.Size && alike(f.head, summed(key, *stored))
}

// waitAll waits for flights, unless the context ends: a caller that gave up need
// not be told.
func waitAll(ctx context.Context, flights []*flight) {
	for _, f := range flights {
		_ = f.wait(ctx)
	}
}

// wait returns when f has landed, or with the context's error.
func (f *flight) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
