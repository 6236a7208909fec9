// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"testing"

	"github.com/maypok86/otter/v2"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memo"
	"github.com/tiercecache/tierce/memory"
)

// query and plan are the parameters and the result of the function that is
// replayed.
type query struct {
	Table string
	Limit int
}

type plan struct {
	Steps []string
	Cost  float64
}

// compareReplays compares replays of a small result from memory with the hit
// that they stand on, with what their encoders take, and with otter's loader,
// which encodes nothing: its callers share one value.
func compareReplays(ctx context.Context, rounds int) error {
	cache, err := memory.New(memory.Options{})
	if err != nil {
		return err
	}
	recorder, err := memo.NewFast(cache, memo.Options{})
	if err != nil {
		return err
	}
	q, p := query{"orders", 10}, plan{[]string{"scan", "sort"}, 1.5}
	body, err := encoding.JSON[plan]{}.Encode(p)
	key := encoding.RawKey([]byte("orders"))
	if err = errors.Join(err, cache.Put(ctx, key, interfaces.Bytes(body))); err != nil {
		return err
	}
	raw := encoding.Raw[string]{}
	bytes, err := memo.Wrap(recorder, "bytes", func(context.Context, string) (string, error) { return string(body), nil },
		memo.Settings[string, string]{Params: encoding.RawBytes[string], Encode: raw.Encode, Decode: raw.Decode})
	if err != nil {
		return err
	}
	plans, err := memo.Wrap(recorder, "plans", func(context.Context, query) (plan, error) { return p, nil }, memo.Settings[query, plan]{})
	if err != nil {
		return err
	}
	other := otter.Must(&otter.Options[query, plan]{MaximumSize: 100})
	loader := otter.LoaderFunc[query, plan](func(context.Context, query) (plan, error) { return p, nil })
	return table("Replay of a small result from memory", "ns", rounds, []string{"memory hit"},
		each("memory hit", func() error { _, err := cache.Get(ctx, key); return err }),
		each("replay, bytes", func() error { _, err := bytes(ctx, "orders"); return err }),
		each("replay, default encoders", func() error { _, err := plans(ctx, q); return err }),
		each("default encoders alone", func() error {
			_, err := encoding.CanonicalJSON(q)
			_, err2 := encoding.JSON[plan]{}.Decode(body)
			return errors.Join(err, err2)
		}),
		each("otter's loader", func() error { _, err := other.Get(ctx, q, loader); return err }),
	)
}

// each is a competitor that does something again and again.
func each(name string, do func() error) competitor {
	return bench(name, func(b *testing.B) {
		for range b.N {
			if err := do(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
