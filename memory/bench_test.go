// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"context"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memory"
)

// getter is a cache under measurement, full of keys.
type getter struct {
	name string
	get  func(interfaces.Key) bool
}

func keys(n int) []interfaces.Key {
	keys := make([]interfaces.Key, n)
	for i := range keys {
		keys[i] = named(i)
	}
	return keys
}

// getters returns a Cache and golang-lru's, with the same keys and bodies.
func getters(b *testing.B, keys []interfaces.Key, body string) []getter {
	b.Helper()
	ctx := b.Context()
	ours := open(b, memory.Options{MaxBytes: 1 << 30})
	theirs, err := lru.New[interfaces.Key, string](len(keys))
	if err != nil {
		b.Fatal(err)
	}
	for _, key := range keys {
		if err := ours.Put(ctx, key, interfaces.Text(body)); err != nil {
			b.Fatal(err)
		}
		theirs.Add(key, body)
	}
	return []getter{
		{"tierce", func(key interfaces.Key) bool { _, err := ours.Get(context.Background(), key); return err == nil }},
		{"golang-lru", func(key interfaces.Key) bool { _, ok := theirs.Get(key); return ok }},
	}
}

// BenchmarkGetHit compares a hit with golang-lru's own, from one goroutine and
// from as many as there are cores, all of them reading all keys in turn.
func BenchmarkGetHit(b *testing.B) {
	for _, set := range []struct {
		name string
		keys []interfaces.Key
		body string
	}{
		{"1key-64B", keys(1), strings.Repeat("b", 64)},
		{"100keys-64B", keys(100), strings.Repeat("b", 64)},
		{"1000keys-64B", keys(1000), strings.Repeat("b", 64)},
		{"10000keys-4KiB", keys(10_000), strings.Repeat("b", 4<<10)},
	} {
		for _, g := range getters(b, set.keys, set.body) {
			b.Run(g.name+"/1/"+set.name, func(b *testing.B) { readOne(b, set.keys, g.get) })
			b.Run(g.name+"/cores/"+set.name, func(b *testing.B) { readAll(b, set.keys, g.get) })
		}
	}
}

func readOne(b *testing.B, keys []interfaces.Key, get func(interfaces.Key) bool) {
	b.Helper()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if !get(keys[i]) {
			b.Fatal("miss")
		}
		if i++; i == len(keys) {
			i = 0
		}
	}
}

func readAll(b *testing.B, keys []interfaces.Key, get func(interfaces.Key) bool) {
	b.Helper()
	b.ReportAllocs()
	var started atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		i := int(started.Add(1)-1) * len(keys) / runtime.GOMAXPROCS(0) // apart from the others
		for pb.Next() {
			if !get(keys[i%len(keys)]) {
				b.Error("miss")
				return
			}
			i++
		}
	})
}

// BenchmarkGetMixed is a full cache with one write for each nine hits, from as
// many goroutines as there are cores: what a hit costs when it moves its entry
// and others change the order.
func BenchmarkGetMixed(b *testing.B) {
	const most = 10_000
	keys, body := keys(2*most), strings.Repeat("b", 64)
	ctx := context.Background()
	ours := open(b, memory.Options{MaxEntries: most})
	theirs, err := lru.New[interfaces.Key, string](most)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("tierce", func(b *testing.B) {
		mix(b, keys,
			func(key interfaces.Key) { _, _ = ours.Get(ctx, key) },
			func(key interfaces.Key) { _ = ours.Put(ctx, key, interfaces.Text(body)) })
	})
	b.Run("golang-lru", func(b *testing.B) {
		mix(b, keys,
			func(key interfaces.Key) { theirs.Get(key) },
			func(key interfaces.Key) { theirs.Add(key, body) })
	})
}

// mix puts the keys in turn, and gets one of the latter half nine times as often.
func mix(b *testing.B, keys []interfaces.Key, get, put func(interfaces.Key)) {
	b.Helper()
	var turn atomic.Int64
	for range keys {
		put(keys[int(turn.Add(1))%len(keys)])
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if i%10 == 0 {
				put(keys[int(turn.Add(1))%len(keys)])
			} else {
				get(keys[(int(turn.Load())+len(keys)-i*31%(len(keys)/2))%len(keys)])
			}
		}
	})
}

// BenchmarkPut is a Put that evicts.
func BenchmarkPut(b *testing.B) {
	const most = 1000
	keys := keys(2 * most)
	for _, size := range []struct {
		name  string
		bytes int
	}{{"64B", 64}, {"4KiB", 4 << 10}, {"64KiB", 64 << 10}} {
		body := strings.Repeat("b", size.bytes)
		text := func() interfaces.Entry { return interfaces.Text(body) }
		stream := func() interfaces.Entry { return interfaces.Stream(strings.NewReader(body), int64(len(body))) }
		b.Run("text/"+size.name, func(b *testing.B) { putAll(b, most, keys, text) })
		b.Run("stream/"+size.name, func(b *testing.B) { putAll(b, most, keys, stream) })
	}
}

func putAll(b *testing.B, most int, keys []interfaces.Key, entry func() interfaces.Entry) {
	b.Helper()
	c := open(b, memory.Options{MaxEntries: most})
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := c.Put(context.Background(), keys[i%len(keys)], entry()); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkOverhead measures [memory.Overhead]: the heap's growth for each of
// many entries without body, where the tables are fullest and emptiest.
func BenchmarkOverhead(b *testing.B) {
	for _, entries := range []int{66_000, 100_000} {
		b.Run(strconv.Itoa(entries), func(b *testing.B) {
			keys := keys(entries)
			var used int64
			for b.Loop() {
				before := heap()
				c := open(b, memory.Options{})
				for _, key := range keys {
					if err := c.Put(b.Context(), key, interfaces.Entry{}); err != nil {
						b.Fatal(err)
					}
				}
				used = heap() - before
				runtime.KeepAlive(keys)
				if err := c.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(used)/float64(entries), "B/entry")
		})
	}
}
