// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"context"
	"fmt"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memory"
	"github.com/tiercecache/tierce/tiers"
)

// A small cache in front of a larger one: what the larger one alone has is
// copied when it is got.
func Example() {
	ctx := context.Background()
	small, err := memory.New(memory.Options{MaxBytes: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	large, err := memory.New(memory.Options{MaxBytes: 1 << 30})
	if err != nil {
		fmt.Println(err)
		return
	}
	key := encoding.RawKey([]byte("main.c, gcc -O2"))
	if err := large.Put(ctx, key, interfaces.Text("object code")); err != nil {
		fmt.Println(err)
		return
	}

	var counters tiers.Counters
	stack, err := tiers.New(tiers.Options{Observer: &counters},
		tiers.Layer{Name: "small", Tier: small, MaxBody: 64 << 10},
		tiers.Layer{Name: "large", Tier: large},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		entry, err := stack.Get(ctx, key)
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := entry.Text()
		fmt.Println(text)
	}
	for _, tier := range counters.Snapshot().Tiers {
		fmt.Printf("%s: %d hits, %d misses\n", tier.Name, tier.Hits, tier.Misses)
	}
	fmt.Println(stack.Close())
	// Output:
	// object code
	// object code
	// small: 1 hits, 1 misses
	// large: 1 hits, 0 misses
	// <nil>
}
