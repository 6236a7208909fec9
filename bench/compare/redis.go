// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	rediscache "github.com/go-redis/cache/v9"
	goredis "github.com/redis/go-redis/v9"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memory"
	"github.com/tiercecache/tierce/redis"
	"github.com/tiercecache/tierce/tiers"
)

// compareRedis compares the redis tier with go-redis as it is and with caches
// that stand on it, all on one server of its own, on this machine.
func compareRedis(ctx context.Context, rounds int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Hour) // as the guards have one
	defer cancel()
	dir, err := os.MkdirTemp("", "tierce-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the system's temporary directory
	server, err := startRedis(ctx, dir)
	if err != nil {
		return err
	}
	defer server.stop()
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		return err
	}
	for _, size := range []int{4 << 10, 64 << 10, 256 << 10} { // the last is compressed, if it can be
		random := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{}).Read(random) // never fails
		for what, body := range map[string][]byte{"that does not compress": random, "of a Go program": program[1<<20:][:size]} {
			r, err := newRemote(ctx, server.addr, body)
			if err != nil {
				return err
			}
			if err := r.compare(rounds, fmt.Sprintf("Redis, %d KiB %s: ", size>>10, what)); err != nil {
				return err
			}
			if err := r.close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// remote has the same entries in each of the competitors.
type remote struct {
	ctx    context.Context
	body   []byte
	keys   []interfaces.Key
	names  []string
	raw    *goredis.Client
	ours   *redis.Cache
	hot    *memory.Cache
	stack  *tiers.Stack
	cached *rediscache.Cache
}

const remoteEntries = 1000

func newRemote(ctx context.Context, addr string, body []byte) (*remote, error) {
	r := &remote{ctx: ctx, body: body, keys: benchKeys(remoteEntries), raw: goredis.NewClient(&goredis.Options{Addr: addr})}
	if err := r.raw.FlushAll(ctx).Err(); err != nil { // a server of this program's own
		return nil, err
	}
	var err error
	if r.ours, err = redis.Open(ctx, redis.Options{Addrs: []string{addr}}); err != nil {
		return nil, err
	}
	if r.hot, err = memory.New(memory.Options{}); err != nil {
		return nil, err
	}
	near, err := memory.New(memory.Options{})
	if err != nil {
		return nil, err
	}
	far, err := redis.Open(ctx, redis.Options{Addrs: []string{addr}})
	if err != nil {
		return nil, err
	}
	if r.stack, err = tiers.New(tiers.Options{}, tiers.Layer{Name: "memory", Tier: near}, tiers.Layer{Name: "redis", Tier: far}); err != nil {
		return nil, err
	}
	r.cached = rediscache.New(&rediscache.Options{Redis: r.raw})
	for _, key := range r.keys {
		name := key.String()
		r.names = append(r.names, name)
		err := errors.Join(
			r.raw.Set(ctx, name, body, 0).Err(),
			r.stack.Put(ctx, key, interfaces.Bytes(body)), // into what r.ours reads too
			r.hot.Put(ctx, key, interfaces.Bytes(body)),
			r.cached.Set(&rediscache.Item{Ctx: ctx, Key: "cached" + name, Value: body}),
		)
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *remote) close() error { return errors.Join(r.raw.Close(), r.ours.Close(), r.stack.Close()) }

func (r *remote) compare(rounds int, title string) error {
	err := table(title+"Get", "ns", rounds, []string{"go-redis Get"},
		bench("go-redis Get", r.each(func(i int) (int, error) {
			body, err := r.raw.Get(r.ctx, r.names[i]).Result()
			return len(body), err
		})),
		bench("tierce", r.each(func(i int) (int, error) { return sizeOf(r.ours.Get(r.ctx, r.keys[i])) })),
		bench("go-redis/cache", r.each(func(i int) (int, error) {
			var body []byte
			err := r.cached.Get(r.ctx, "cached"+r.names[i], &body)
			return len(body), err
		})),
	)
	if err != nil {
		return err
	}
	if err := table(title+"a batch of 1,000", "ns", rounds, []string{"one go-redis pipeline"},
		bench("one go-redis pipeline", r.pipeline), bench("tierce", r.batch),
	); err != nil {
		return err
	}
	return table(title+"Get hit of a stack with memory in front", "ns", rounds, []string{"memory alone"},
		bench("memory alone", r.each(func(i int) (int, error) { return sizeOf(r.hot.Get(r.ctx, r.keys[i])) })),
		bench("memory before redis", r.each(func(i int) (int, error) { return sizeOf(r.stack.Get(r.ctx, r.keys[i])) })),
	)
}

func sizeOf(entry interfaces.Entry, err error) (int, error) {
	text, _ := entry.Text()
	return len(text), err
}

// each gets one entry after the other.
func (r *remote) each(get func(i int) (int, error)) func(b *testing.B) {
	return func(b *testing.B) {
		for i := range b.N {
			if n, err := get(i % remoteEntries); err != nil || n != len(r.body) {
				b.Fatalf("%d bytes and error %v", n, err)
			}
		}
	}
}

func (r *remote) pipeline(b *testing.B) {
	for range b.N {
		pipe := r.raw.Pipeline()
		answers := make([]*goredis.StringCmd, len(r.names))
		for i, name := range r.names {
			answers[i] = pipe.Get(r.ctx, name)
		}
		if _, err := pipe.Exec(r.ctx); err != nil {
			b.Fatal(err)
		}
		for _, answer := range answers {
			if len(answer.Val()) != len(r.body) {
				b.Fatal("a part")
			}
		}
	}
}

func (r *remote) batch(b *testing.B) {
	for range b.N {
		err := r.ours.GetBatch(r.ctx, r.keys, func(i int, entry interfaces.Entry, err error) error {
			if text, _ := entry.Text(); err != nil || len(text) != len(r.body) {
				return fmt.Errorf("key %d: %d bytes and error %w", i, len(text), err)
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
