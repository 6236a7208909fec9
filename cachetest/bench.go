// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"errors"
	"fmt"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// Bench measures the caches that open returns, which must take a body of 10
// MiB: a Get that hits, with its whole body read, for 1 KiB, 100 KiB and 10
// MiB; a Put of each size; and a Get that misses. It closes every cache.
//
// A body in memory is not copied when it is read. Puts go round among eight
// keys.
func Bench(b *testing.B, open func(b *testing.B) interfaces.Cache) {
	b.Helper()
	run := func(name string, size int64, bench func(*testing.B, interfaces.Cache)) {
		b.Run(name, func(b *testing.B) {
			c := open(b)
			b.Cleanup(func() {
				if err := interfaces.Close(c); err != nil {
					b.Errorf("Close: %v", err)
				}
			})
			b.ReportAllocs()
			b.SetBytes(size)
			bench(b, c)
		})
	}
	names := []string{"1KiB", "100KiB", "10MiB"}
	for i, size := range []int64{1 << 10, 100 << 10, 10 << 20} {
		body := interfaces.Text(patternText(1, size))
		run("GetHit/"+names[i], size, func(b *testing.B, c interfaces.Cache) { benchHit(b, c, body) })
		run("Put/"+names[i], size, func(b *testing.B, c interfaces.Cache) { benchPut(b, c, body) })
	}
	run("GetMiss", 0, benchMiss)
}

func benchHit(b *testing.B, c interfaces.Cache, body interfaces.Entry) {
	ctx, key := b.Context(), named("hit")
	if err := c.Put(ctx, key, body); err != nil {
		b.Fatalf("Put: %v", err)
	}
	buffer := make([]byte, 0, body.Size)
	for b.Loop() {
		entry, err := c.Get(ctx, key)
		if err != nil {
			b.Fatalf("Get: %v", err)
		}
		if _, ok := entry.Text(); !ok {
			_, err = entry.AppendTo(buffer)
		}
		if err := errors.Join(err, entry.Close()); err != nil {
			b.Fatalf("reading the body: %v", err)
		}
	}
}

func benchMiss(b *testing.B, c interfaces.Cache) {
	ctx, key := b.Context(), named("miss")
	for b.Loop() {
		if _, err := c.Get(ctx, key); !errors.Is(err, cacheerr.ErrMiss) {
			b.Fatalf("Get of an absent key: error %v, want a miss", err)
		}
	}
}

func benchPut(b *testing.B, c interfaces.Cache, body interfaces.Entry) {
	ctx := b.Context()
	var keys [8]interfaces.Key
	for i := range keys {
		keys[i] = named(fmt.Sprint("put ", i))
	}
	i := 0
	for b.Loop() {
		if err := c.Put(ctx, keys[i%len(keys)], body); err != nil {
			b.Fatalf("Put: %v", err)
		}
		i++
	}
}
