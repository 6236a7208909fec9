// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/redis"
)

// givenUp is a context whose caller gives up as soon as somebody waits for that.
type givenUp struct {
	context.Context
	over atomic.Bool
}

func (g *givenUp) Done() <-chan struct{} {
	g.over.Store(true)
	done := make(chan struct{})
	close(done)
	return done
}

func (g *givenUp) Err() error {
	if g.over.Load() {
		return context.Canceled
	}
	return nil
}

// TestGivenUp: what goes on when its caller has given up shares nothing with him.
// The race detector looks.
func TestGivenUp(t *testing.T) {
	for name, call := range map[string]func(context.Context, *redis.Cache) error{
		"Put": func(ctx context.Context, c *redis.Cache) error {
			return c.Put(ctx, key, interfaces.Text(strings.Repeat("x", 6*chunk)))
		},
		"Clear": func(ctx context.Context, c *redis.Cache) error { return c.Clear(ctx) },
		"PutBatch": func(ctx context.Context, c *redis.Cache) error {
			return c.PutBatch(ctx, []interfaces.Item{{Key: key, Entry: interfaces.Text("x")}})
		},
		"Delete": func(ctx context.Context, c *redis.Cache) error { return c.Delete(ctx, key) },
		"Get":    func(ctx context.Context, c *redis.Cache) error { _, err := c.Get(ctx, key); return err },
		"Stat":   func(ctx context.Context, c *redis.Cache) error { _, err := c.Stat(ctx, key); return err },
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				synctest.Test(t, func(t *testing.T) {
					c := open(t, redis.Options{Addrs: []string{"gone:1"}, ChunkSize: chunk, Dial: broken})
					if err := call(&givenUp{Context: t.Context()}, c); err == nil {
						t.Error("no error, want that the caller gave up, or that the connection broke")
					}
					synctest.Wait() // for what goes on, which Close would come in the way of
				})
			}
		})
	}
}

// broken makes a connection whose other end is closed.
func broken(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	return near, far.Close()
}
