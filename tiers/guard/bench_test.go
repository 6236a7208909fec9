// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"testing"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memory"
	"github.com/tiercecache/tierce/tiers"
	"github.com/tiercecache/tierce/tiers/guard"
)

// BenchmarkGet shows what a guard costs: a hit in memory beside one with a guard
// around it, of text and of a stream. A remote's round trip comes on top.
func BenchmarkGet(b *testing.B) {
	tier, err := memory.New(memory.Options{MaxBytes: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	key := keyOf("key")
	if err := tier.Put(b.Context(), key, interfaces.Bytes(make([]byte, 4096))); err != nil {
		b.Fatal(err)
	}
	for _, bench := range []struct {
		name string
		c    interfaces.Cache
	}{
		{"bare", tier},
		{"guarded", guard.New(tier, guard.Options{})},
		{"guarded and counted", guard.New(tier, guard.Options{Observer: &tiers.Counters{}})},
		{"bare stream", streams{tier}},
		{"guarded stream", guard.New(streams{tier}, guard.Options{})},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 4096)
			for b.Loop() {
				entry, err := bench.c.Get(b.Context(), key)
				if err == nil {
					_, err = entry.AppendTo(buf)
				}
				if err != nil {
					b.Fatal(err)
				}
				_ = entry.Close()
			}
		})
	}
}

// BenchmarkGetBatch is a batch of 1,000 keys, each of 4 KiB.
func BenchmarkGetBatch(b *testing.B) {
	entry := interfaces.Bytes(make([]byte, 4096))
	tier := batcher{func(each func(int, interfaces.Entry, error) error) error {
		for i := range 1000 {
			if err := each(i, entry, nil); err != nil {
				return err
			}
		}
		return nil
	}}
	keys := make([]interfaces.Key, 1000)
	for _, bench := range []struct {
		name string
		c    interfaces.Cache
	}{{"bare", tier}, {"guarded", guard.New(tier, guard.Options{})}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				err := interfaces.GetBatch(b.Context(), bench.c, keys, func(int, interfaces.Entry, error) error { return nil })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
