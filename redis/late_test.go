// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tiercecache/tierce/interfaces"
)

// unaware is a context whose deadline others may notice before it does.
type unaware struct {
	context.Context
	deadline time.Time
}

func (u unaware) Deadline() (time.Time, bool) { return u.deadline, true }

// TestLateBatch: a batch that is not answered in time says so once, and not of
// each key, even if the connection notices before the context.
func TestLateBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, scripted(func([]string) io.Reader { return nil }))
		ctx := unaware{t.Context(), time.Now().Add(time.Second)}
		told := 0
		err := c.GetBatch(ctx, []interfaces.Key{key, other}, func(int, interfaces.Entry, error) error { told++; return nil })
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || told > 0 {
			t.Errorf("error %v, and of %d keys one of their own; want DeadlineExceeded, once", err, told)
		}
	})
}
