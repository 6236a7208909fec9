// SPDX-License-Identifier: Apache-2.0

// Package memory is the tier that keeps entries in the memory of this process,
// bodies as immutable strings: a hit copies no body and allocates nothing.
//
// # Concurrency
//
// Everything may run at the same time. A hit waits for nobody.
// [Cache.Consistency] is strong: one process.
//
// # Durability
//
// None. What is to outlive the process belongs to another tier.
//
// # Eviction
//
// Above a cap, the entry read least recently goes first: see [Options].
//
// # Errors
//
// A body larger than the cap is a [cacheerr.EntryTooLargeError]; one that fails
// or is not what its head says, a [cacheerr.BackendExecutionError]; a nil cache,
// a [cacheerr.BackendNotAvailableError]; a closed one, [cacheerr.ErrClosed].
//
// # Configuration
//
//	tiers:
//	  - type: memory
//	    options: {max_bytes: 256MiB, max_entries: 100000}
package memory

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// tier is the name that errors give.
const tier = "memory"

var errNotMade = errors.New("it is a nil or zero *memory.Cache; make one with memory.New")

// Options bound a [Cache]. The zero value bounds nothing.
//
// At a cap, a Put evicts what was read or put least recently. Below 64 entries
// that order is exact. Above, a hit moves its entry to the front only if at
// least 1/64 as many writes as there are entries came since its last move: an
// entry may go that much too early. A hit that finds the order being changed
// by another goroutine leaves its entry where it is.
type Options struct {
	// MaxBytes caps the memory in bytes: bodies, tags and [Overhead] for each
	// entry. An entry that is larger alone is refused. 0 means no cap.
	MaxBytes int64
	// MaxEntries caps the number of entries. 0 means no cap.
	MaxEntries int
	// Clock tells the time of an entry that comes without one. Nil means
	// [time.Now].
	Clock func() time.Time
}

// Overhead is what an entry costs in bytes besides its body and tag: 274 to 292
// by BenchmarkOverhead, depending on how full the tables are. What the
// allocator rounds a body up to is not in it.
const Overhead = 288

// Cache is a cache in memory. Make it with [New].
type Cache struct {
	maxBytes   int64
	maxEntries int
	clock      func() time.Time
	buffers    sync.Pool // of *[]byte, for streams

	items   index                           // has what order has; changed only under mu
	order   *simplelru.LRU[*item, struct{}] // never replaced; its content is guarded by mu
	newest  atomic.Pointer[item]            // front of order, nil if not known
	horizon atomic.Int64                    // a hit moves an item that was moved at this write or before

	mu     sync.Mutex
	used   int64       // sum of size over items; guarded by mu
	writes int64       // how many there were; guarded by mu
	closed atomic.Bool // set under mu
}

var (
	_ interfaces.Inserter   = (*Cache)(nil)
	_ interfaces.Deleter    = (*Cache)(nil)
	_ interfaces.Statter    = (*Cache)(nil)
	_ interfaces.Lener      = (*Cache)(nil)
	_ interfaces.Clearer    = (*Cache)(nil)
	_ interfaces.Lister     = (*Cache)(nil)
	_ interfaces.Consistent = (*Cache)(nil)
	_ io.Closer             = (*Cache)(nil)
)

// item is an entry in the cache. Its key and entry stay as they are.
type item struct {
	key   interfaces.Key
	next  [2]atomic.Pointer[item] // links of the index, see there
	moved atomic.Int64            // the write at which it last came to the front
	entry interfaces.Entry        // its body is text
}

// size returns what the item counts towards the cap, in bytes.
func (i *item) size() int64 { return i.entry.Size + int64(len(i.entry.Tag)) + Overhead }

// New returns an empty cache. A negative cap is an error that says why.
// The caller closes the cache.
func New(opts Options) (*Cache, error) {
	if opts.MaxBytes < 0 {
		return nil, negative("MaxBytes", opts.MaxBytes, "bytes")
	}
	if opts.MaxEntries < 0 {
		return nil, negative("MaxEntries", int64(opts.MaxEntries), "entries")
	}
	order, err := simplelru.NewLRU[*item, struct{}](math.MaxInt, nil) // the caps are kept here
	if err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	c := &Cache{maxBytes: opts.MaxBytes, maxEntries: opts.MaxEntries, clock: opts.Clock, order: order}
	c.items.seed = maphash.MakeSeed()
	c.items.clear()
	if c.clock == nil {
		c.clock = time.Now
	}
	return c, nil
}

func negative(name string, value int64, unit string) error {
	return fmt.Errorf("memory: %s is %d, below zero: give a positive number of %s, or 0 for no cap", name, value, unit)
}

// made returns why c cannot be used at all.
func (c *Cache) made() error {
	if c == nil || c.order == nil {
		return &cacheerr.BackendNotAvailableError{Tier: tier, Err: errNotMade}
	}
	return nil
}

// usable returns why c cannot be used now, or the error of ctx.
func (c *Cache) usable(ctx context.Context) error {
	if err := c.made(); err != nil {
		return err
	}
	if c.closed.Load() {
		return cacheerr.ErrClosed
	}
	return ctx.Err()
}
