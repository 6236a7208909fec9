// SPDX-License-Identifier: Apache-2.0

package memo_test

import (
	"context"
	"testing"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memo"
)

// BenchmarkReplay measures a replay of a small result from memory beside the
// hit that it stands on, and its encoders apart.
func BenchmarkReplay(b *testing.B) {
	ctx, cache := b.Context(), newMemory(b)
	q, p := query{"orders", 10}, plan{Steps: []string{"scan", "sort"}, Cost: 1.5}
	body, err := encoding.JSON[plan]{}.Encode(p)
	mustDo(b, err)
	key := encoding.RawKey([]byte("raw"))
	mustDo(b, cache.Put(ctx, key, interfaces.Bytes(body)))
	b.Run("memory hit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := cache.Get(ctx, key); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("default encoders", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := encoding.CanonicalJSON(q); err != nil {
				b.Fatal(err)
			}
			if _, err := (encoding.JSON[plan]{}).Decode(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	recorders := map[string]*memo.Recorder{"fast": newFast(b, cache, memo.Options{}), "deterministic": open(b, cache, memo.DeterministicOptions{})}
	for _, name := range []string{"fast", "deterministic"} {
		b.Run(name+", raw bytes", func(b *testing.B) {
			replay(b, recorders[name], raw(), "orders", string(body))
		})
		b.Run(name+", default encoders", func(b *testing.B) {
			replay(b, recorders[name], memo.Settings[query, plan]{}, q, p)
		})
	}
}

func raw() memo.Settings[string, string] {
	codec := encoding.Raw[string]{}
	return memo.Settings[string, string]{Params: encoding.RawBytes[string], Encode: codec.Encode, Decode: codec.Decode}
}

func replay[P, R any](b *testing.B, r *memo.Recorder, settings memo.Settings[P, R], params P, result R) {
	fn := function(b, r, b.Name(), settings).Record(func(context.Context, P) (R, error) { return result, nil })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fn(b.Context(), params); err != nil {
			b.Fatal(err)
		}
	}
}
