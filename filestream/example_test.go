// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
)

func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir) //nolint:errcheck // of the example

	ctx := context.Background()
	cache, err := filestream.Open(ctx, dir, filestream.Options{MaxBytes: 20 << 30})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cache.Close() //nolint:errcheck // of the example

	key := encoding.RawKey([]byte("main.o"))
	_, err = cache.Get(ctx, key)
	fmt.Println("a miss:", errors.Is(err, cacheerr.ErrMiss))

	if err := cache.Put(ctx, key, interfaces.Text("\x7fELF of main.o")); err != nil {
		fmt.Println(err)
		return
	}
	path, size, err := cache.Path(ctx, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := os.ReadFile(path) // as any other tool may
	fmt.Printf("%d bytes: %q %v\n", size, body, err)
	// Output:
	// a miss: true
	// 14 bytes: "\x7fELF of main.o" <nil>
}
