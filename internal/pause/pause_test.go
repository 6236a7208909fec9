// SPDX-License-Identifier: Apache-2.0

package pause_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tiercecache/tierce/internal/pause"
)

func TestFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if err := pause.For(ctx, time.Second); err != nil || time.Since(start) != time.Second {
			t.Errorf("error %v after %v, want none after a second", err, time.Since(start))
		}
		if err := pause.For(ctx, time.Hour); err != context.DeadlineExceeded || time.Since(start) != time.Minute {
			t.Errorf("error %v after %v, want the context's after a minute", err, time.Since(start))
		}
	})
}
