// SPDX-License-Identifier: Apache-2.0

package lock_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/internal/lock"
)

func Example() {
	var table lock.Table
	ctx := context.Background()

	err := table.Lock("index").With(ctx, lock.For(time.Second), func() error {
		_, err := table.Lock("index", "entries").Acquire(ctx, lock.Try)
		return err
	})
	if taken, ok := errors.AsType[*cacheerr.LockTimeoutError](err); ok {
		fmt.Println("taken:", taken.Lock)
	}
	// Output: taken: index
}
