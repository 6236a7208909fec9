// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Connect makes n connections, or as many as there may be, for operations that
// are going to run at the same time: none of them has to wait for its own then.
// What fails is not told, since the first operation tells it.
func (c *Cache) Connect(ctx context.Context, n int) {
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			_ = c.await(ctx, "ping", func(ctx context.Context) error { return c.client.Ping(ctx).Err() })
		})
	}
	all.Wait()
}

// Ping implements [interfaces.Pinger]: it reads and writes a name of its own,
// so that it finds a server which takes no writes too: a replica, a full one,
// an ACL that is not for writing. The error says in words what is wrong. In a
// Cluster it asks one master, and the state of the whole.
func (c *Cache) Ping(ctx context.Context) error {
	var set *goredis.StatusCmd
	var get *goredis.StringCmd
	err := c.await(ctx, "ping", func(ctx context.Context) error {
		pipe := c.client.Pipeline()
		name := c.opts.prefix + "ping"
		get, set = pipe.Get(ctx, name), pipe.Set(ctx, name, "", time.Second)
		return batchError(pipe.Exec(ctx))
	})
	if err != nil {
		return err
	}
	if err := get.Err(); err != nil && err != goredis.Nil { //nolint:errorlint // never wrapped
		return c.failed(ctx, "get", err)
	}
	return c.failed(ctx, "put", set.Err())
}
