// SPDX-License-Identifier: Apache-2.0

// Package redis is the tier that a team shares: entries in a Redis server,
// behind Sentinels, or in a Cluster.
//
// # Layout
//
//	<prefix>1:<64 hex>                the frame of an entry, its body in it
//	<prefix>1:<64 hex>                of a large one: a frame that says where its chunks are
//	<prefix>1:+<32 hex>:<n>           chunk n of a large body, a frame of its own
//
// The 1 is the version of this layout: another version's entries are not seen.
// The frame is described in package encoding/frame. The chunks of a body have a
// random name of their own and are written before the frame that names them, so
// readers see all of an entry or nothing of it.
//
// # Concurrency
//
// Any number of goroutines, processes and machines may use one server. What a
// reader began to read stays for five minutes when it is replaced or removed.
//
// # Durability
//
// That of the server. See [Cache.Consistency] for what a topology gives.
//
// # Eviction
//
// By the server: by its maxmemory-policy (allkeys-lru is right), and when the
// time to live is over. The cache removes only what it finds damaged.
//
// # Errors
//
// Absent: cacheerr.ErrMiss. Damage of any kind: [*DamageError], a miss; the
// entry is removed. A server that cannot be reached, is starting, or answers
// too late: *cacheerr.BackendNotAvailableError. A replica: cacheerr.ErrReadOnly.
// Anything else that the server refuses is a *cacheerr.BackendExecutionError.
// Nothing is tried twice; that is for who knows the budget.
//
// # Configuration
//
//	tiers:
//	  - type: redis
//	    behind: true
//	    options: {url: "rediss://user:${REDIS_PASSWORD}@redis.example.com:6379/0"}
package redis

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tiercecache/tierce/encoding/frame"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// tierName is what errors call this tier.
const tierName = "redis"

// Cache is the tier. Make one with [Open]; close it when done.
type Cache struct {
	opts   settings
	client goredis.UniversalClient
	coder  frame.Coder

	closed    atomic.Bool
	closeOnce sync.Once
	closeErr  error
}

var (
	_ interfaces.Inserter    = (*Cache)(nil)
	_ interfaces.Deleter     = (*Cache)(nil)
	_ interfaces.Statter     = (*Cache)(nil)
	_ interfaces.Lister      = (*Cache)(nil)
	_ interfaces.Clearer     = (*Cache)(nil)
	_ interfaces.BatchGetter = (*Cache)(nil)
	_ interfaces.BatchPutter = (*Cache)(nil)
	_ interfaces.Pinger      = (*Cache)(nil)
	_ interfaces.Consistent  = (*Cache)(nil)
	_ io.Closer              = (*Cache)(nil)
)

// Open returns the cache that opts describe. It does not connect, so it neither
// waits nor fails when no server is there: the first operation tells. Bad
// options, and files for TLS that cannot be read, are an error that says why.
// The caller closes the cache.
func Open(ctx context.Context, opts Options) (*Cache, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	settings, err := opts.complete()
	if err != nil {
		return nil, err
	}
	return &Cache{opts: settings, client: connect(settings)}, nil
}

// Consistency implements [interfaces.Consistent]. One server executes one
// command after the other and is asked itself, never a replica: strong. Behind
// Sentinels and in a Cluster a failover may lose what was acknowledged, since
// replicas follow behind: eventual. If the one address is that of a proxy or a
// name that moves to a replica, it is no more than that either, which nobody
// can see from here.
func (c *Cache) Consistency() interfaces.Consistency {
	switch {
	case c == nil:
		return interfaces.ConsistencyUnknown
	case c.opts.master != "" || c.opts.cluster:
		return interfaces.ConsistencyEventual
	}
	return interfaces.ConsistencyStrong
}

// Close closes the connections. The second Close does nothing. What other
// goroutines do meanwhile fails.
func (c *Cache) Close() error {
	if c == nil {
		return nil
	}
	c.closeOnce.Do(func() {
		c.closed.Store(true)
		c.closeErr = c.client.Close()
	})
	return c.closeErr
}

// usable returns why the cache cannot be used now.
func (c *Cache) usable(ctx context.Context) error {
	switch {
	case c == nil:
		return errNil
	case c.closed.Load():
		return cacheerr.ErrClosed
	}
	return ctx.Err()
}

var errNil = fmt.Errorf("a nil *redis.Cache: make one with redis.Open: %w", cacheerr.ErrClosed)

// await calls do, which returns the server's error, and returns that as an
// error of this tier. The connection heeds a context's deadline, and not its
// cancellation. So do with a context that has no deadline and can be cancelled
// runs beside the caller, who does not wait for it then: left alone, it ends by
// the timeouts. That costs as much as half of a Get on the same machine, which a
// context with a deadline, as each of package guard's, need not pay. What do writes to may be looked at only if await returns nil or a
// [goredis.Error].
func (c *Cache) await(ctx context.Context, op string, do func(context.Context) error) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	if _, limited := ctx.Deadline(); limited || ctx.Done() == nil {
		return c.failed(ctx, op, do(ctx))
	}
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	select {
	case err := <-done:
		return c.failed(ctx, op, err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lifetime returns how long an entry written now is kept: the time to live, and
// up to a tenth more or less, so that what was written together does not expire
// together.
func (c *Cache) lifetime() time.Duration {
	ttl := c.opts.ttl
	return ttl - ttl/10 + time.Duration(c.opts.random()*float64(ttl/5))
}
