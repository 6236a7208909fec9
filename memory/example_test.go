// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memory"
)

func Example() {
	ctx := context.Background()
	cache, err := memory.New(memory.Options{MaxBytes: 64 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = cache.Close() }()

	key := encoding.RawKey([]byte("main.go"))
	if _, err := cache.Get(ctx, key); errors.Is(err, cacheerr.ErrMiss) {
		fmt.Println("miss")
	}
	if err := cache.Put(ctx, key, interfaces.Text("main.o")); err != nil {
		fmt.Println(err)
	}
	if entry, err := cache.Get(ctx, key); err == nil {
		body, _ := entry.Text()
		fmt.Println("hit:", body)
	}
	// Output:
	// miss
	// hit: main.o
}
