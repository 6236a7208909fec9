// SPDX-License-Identifier: Apache-2.0

package gocacheprog

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tiercecache/tierce/interfaces"
)

const (
	// batchBytes and batchKeys bound a batch of outputs that is fetched ahead.
	batchBytes = 4 << 20
	batchKeys  = 128
	// firstBatch is the length of the first one, in bytes, since somebody waits
	// for it, and early that of others until it is known how long one takes.
	firstBatch = 256 << 10
	early      = 1 << 20
	// quick and slow are how long a batch takes for which the next may be longer,
	// or must be shorter: all that is under way comes over one network, and is
	// given up if it takes too long.
	quick = 250 * time.Millisecond
	slow  = 500 * time.Millisecond
	// batchesAhead is how many batches are under way at the same time, at most. Most
	// wait for the network: 48 MiB of outputs, compressed to a third, are fetched in
	// one round trip, and some of a tier's connections are left for others.
	batchesAhead = 12
	// distant is how long the manifest takes of a server so far away that
	// connections are made meanwhile.
	distant = 2 * time.Millisecond
	// newCode is how many unknown actions in a row must be missing until most
	// of those that follow are taken to be missing too, and tryAgain how many of
	// them are asked for all the same: every so manieth.
	newCode  = 8
	tryAgain = 8
)

// prefetcher is a [tiers.Stack].
type prefetcher interface {
	interfaces.Cache

	BeginPrefetch(ctx context.Context, keys []interfaces.Key) (fetch func() error)
	Connect(ctx context.Context, n int)
	Newest(ctx context.Context, key interfaces.Key) (interfaces.Entry, error)
}

// forecast is what a build is expected to ask for, after what one like it did
// ask for, and what it does ask for. Its nil is that of a build of which nothing
// is known nor kept.
type forecast struct {
	cache prefetcher
	key   interfaces.Key // of the manifest
	stop  context.CancelFunc
	work  sync.WaitGroup // what fetches ahead

	needed   func()                    // tells that something is not near; once
	read     chan struct{}             // closed when the manifest was looked for, and the first batches were begun
	expected []action                  // of the manifest; not to be read before
	known    map[interfaces.Key]action // expected, by record; nil if there is no manifest

	queue sync.Mutex // held while a batch is begun
	left  []action   // guarded by queue: expected, and not begun
	limit int64      // guarded by queue: of the next batch, in bytes

	missing atomic.Int64 // actions that were not expected and not there either, since one was
	spared  atomic.Int64 // actions that might have been taken to be nowhere

	mu    sync.Mutex
	asked []action               // guarded by mu: in the order asked for; those that missed have no output
	place map[interfaces.Key]int // guarded by mu: in asked, by record
}

// foresee returns the forecast for the build whose manifest is under key, if it
// has one, and begins to fetch.
func foresee(ctx context.Context, cache interfaces.Cache, key interfaces.Key) *forecast {
	far, ok := cache.(prefetcher)
	if !ok || key == (interfaces.Key{}) {
		return nil
	}
	f := &forecast{cache: far, key: key, read: make(chan struct{}), place: make(map[interfaces.Key]int)}
	ctx, f.stop = context.WithCancel(ctx)
	away, needed := context.WithCancel(ctx)
	f.needed = needed
	f.work.Go(func() { f.connect(ctx, away.Done()) })
	f.work.Go(func() {
		began := time.Now()
		f.load(ctx)
		f.fetch(ctx, time.Since(began))
		close(f.read)
	})
	return f
}

// connect makes connections while the manifest is on its way, if that takes long
// and something is away.
func (f *forecast) connect(ctx context.Context, away <-chan struct{}) {
	select {
	case <-away:
	case <-f.read:
		return
	}
	timer := time.NewTimer(distant)
	defer timer.Stop()
	select {
	case <-timer.C:
		f.cache.Connect(ctx, batchesAhead)
	case <-f.read:
	}
}

// load reads the manifest that was left last. One that is damaged is none.
func (f *forecast) load(ctx context.Context) {
	entry, err := f.cache.Newest(ctx, f.key)
	if err != nil { // told to the stack's observer
		return
	}
	defer entry.Close() //nolint:errcheck // only read
	if entry.Size < 0 || entry.Size > maxManifest {
		return
	}
	text, err := entry.Bytes()
	if err == nil {
		f.expected, err = parseManifest(text)
	}
	if err != nil {
		return
	}
	f.known = make(map[interfaces.Key]action, len(f.expected))
	for _, a := range f.expected {
		f.known[a.record] = a
	}
}

// fetch begins to fetch all that is expected, in that order. The manifest took so
// long.
func (f *forecast) fetch(ctx context.Context, took time.Duration) {
	f.left, f.limit = f.expected, firstBatch
	for range atOnce(took) {
		fetch := f.begin(ctx, 0)
		if fetch == nil {
			return
		}
		f.work.Go(func() {
			for fetch != nil {
				began := time.Now()
				_ = fetch() // told to the stack's observer
				if ctx.Err() != nil {
					return
				}
				fetch = f.begin(ctx, time.Since(began))
			}
		})
	}
}

// atOnce returns how many batches are to be under way when the manifest took so
// long: no more than are needed to wait for none, since those that come
// together come later than one after the other would.
func atOnce(took time.Duration) int {
	return min(runtime.NumCPU()+1+int(took/(2*time.Millisecond)), batchesAhead)
}

// begin begins the next batch, after one that took so long, and returns what
// fetches it; nil if there is none left.
func (f *forecast) begin(ctx context.Context, took time.Duration) (fetch func() error) {
	f.queue.Lock()
	defer f.queue.Unlock()
	var keys []interfaces.Key
	keys, f.left = batch(f.left, f.limit)
	f.limit = pace(f.limit, took)
	if len(keys) == 0 {
		return nil
	}
	return f.cache.BeginPrefetch(ctx, keys)
}

// pace returns how long the next batch may be, in bytes, after one of limit that
// took so long; 0 if none has come yet.
func pace(limit int64, took time.Duration) int64 {
	switch {
	case took == 0:
		return min(2*limit, early)
	case took > slow:
		return max(limit/2, firstBatch)
	case took < quick:
		return min(2*limit, batchBytes)
	}
	return limit
}

// batch returns the keys of the first actions whose outputs have limit bytes
// together, of one at least, and the actions behind them.
func batch(actions []action, limit int64) (keys []interfaces.Key, rest []action) {
	for i, a := range actions {
		if limit -= a.size; i > 0 && limit < 0 || len(keys) >= batchKeys {
			return keys, actions[i:]
		}
		keys = append(keys, a.record, a.output)
	}
	return keys, nil
}

// await makes sure that what belongs to record is on its way, if it is
// expected. It reports false if record may be taken to be nowhere.
func (f *forecast) await(ctx context.Context, record interfaces.Key) bool {
	if f == nil {
		return true
	}
	f.needed()
	select {
	case <-f.read:
	case <-ctx.Done():
		return true
	}
	if a, ok := f.known[record]; ok {
		f.queue.Lock() // not while a batch is begun, which may have it
		fetch := f.cache.BeginPrefetch(ctx, []interfaces.Key{a.record, a.output})
		f.queue.Unlock()
		_ = fetch() // nothing if it is under way
		return true
	}
	return f.known == nil || f.missing.Load() < newCode || f.spared.Add(1)%tryAgain == 0
}

// looked takes note of whether the cache had what record led to.
func (f *forecast) looked(record interfaces.Key, hit bool) {
	if f == nil || f.expects(record) {
		return
	}
	if hit {
		f.missing.Store(0)
	} else {
		f.missing.Add(1)
	}
}

// expects reports whether record is expected, as far as that is known by now.
func (f *forecast) expects(record interfaces.Key) bool {
	select {
	case <-f.read:
		_, ok := f.known[record]
		return ok
	default:
		return false
	}
}

// ask takes note that record was asked for.
func (f *forecast) ask(record interfaces.Key) { f.note(action{record: record}) }

// note takes note of what an action led to.
func (f *forecast) note(a action) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	i, ok := f.place[a.record]
	if !ok {
		f.place[a.record] = len(f.asked)
		f.asked = append(f.asked, a)
	} else if a.output != (interfaces.Key{}) {
		f.asked[i] = a
	}
}

// halt makes an end of fetching, without waiting for it.
func (f *forecast) halt() {
	if f != nil {
		f.stop()
	}
}

// end leaves what was asked for to the next build.
func (f *forecast) end(ctx context.Context) {
	if f == nil {
		return
	}
	f.halt()
	f.work.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	var made []action
	for _, a := range f.asked {
		if a.output != (interfaces.Key{}) {
			made = append(made, a)
		}
	}
	if next, changed := merge(made, f.expected); changed { // never without one that was made
		_ = f.cache.Put(ctx, f.key, interfaces.Bytes(appendManifest(nil, next))) // told to the stack's observer
	}
}
