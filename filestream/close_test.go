// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
)

// own are the operations that no interface has.
var own = map[string]func(context.Context, *filestream.Cache) error{
	"Evict": func(ctx context.Context, c *filestream.Cache) error { _, err := c.Evict(ctx, nil); return err },
	"Empty": func(ctx context.Context, c *filestream.Cache) error { _, err := c.Empty(ctx, nil); return err },
	"Usage": func(ctx context.Context, c *filestream.Cache) error { _, err := c.Usage(ctx, nil); return err },
	"VerifyAll": func(ctx context.Context, c *filestream.Cache) error {
		_, err := c.VerifyAll(ctx, true, nil)
		return err
	},
}

func TestUnusable(t *testing.T) {
	for name, call := range own {
		t.Run("T10 "+name, func(t *testing.T) {
			c := openIn(t, t.TempDir(), filestream.Options{})
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := call(ctx, c); err != context.Canceled {
				t.Errorf("cancelled: error %v, want %v", err, context.Canceled)
			}
			mustDo(t, c.Close())
			if err := call(t.Context(), c); !errors.Is(err, cacheerr.ErrClosed) {
				t.Errorf("closed: error %v, want %v", err, cacheerr.ErrClosed)
			}
			if err := call(t.Context(), nil); !errors.Is(err, cacheerr.ErrClosed) || !strings.Contains(err.Error(), "nil") {
				t.Errorf("nil: error %v, want one that says so", err)
			}
		})
	}
	t.Run("T10 a nil cache has no directory", func(t *testing.T) {
		if dir := (*filestream.Cache)(nil).Dir(); dir != "" {
			t.Errorf("Dir: %q", dir)
		}
	})
	t.Run("T10 a cancelled context opens nothing", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if c, err := filestream.Open(ctx, t.TempDir(), filestream.Options{}); c != nil || err != context.Canceled {
			t.Errorf("Open: %v and error %v", c, err)
		}
	})
}

// TestCloseMeanwhile closes a cache that is in use: what runs then ends well or
// says that the cache is closed, and touches no file that is not the cache's.
func TestCloseMeanwhile(t *testing.T) {
	for round := range 20 {
		dir := t.TempDir()
		c := openIn(t, dir, filestream.Options{MaxBytes: 1 << 20})
		body := strings.Repeat("x", 20_000)
		put(t, c, "key", body)
		var users sync.WaitGroup
		started := make(chan struct{}, 4)
		for i := range 4 {
			users.Go(func() {
				for n := 0; ; n++ {
					err := c.Put(t.Context(), named(fmt.Sprint(i, n)), interfaces.Text(body))
					if err == nil {
						err = missed(reads["Get"](t.Context(), c, named("key")))
					}
					if err == nil {
						err = missed(reads["Path"](t.Context(), c, named("key")))
					}
					if n == round {
						started <- struct{}{}
					}
					if err != nil {
						if !errors.Is(err, cacheerr.ErrClosed) {
							t.Errorf("error %v, want %v", err, cacheerr.ErrClosed)
						}
						return
					}
				}
			})
		}
		<-started
		mustDo(t, c.Close())
		users.Wait()
		found, err := openIn(t, dir, filestream.Options{}).VerifyAll(t.Context(), false, nil)
		if err != nil || len(found.Damaged) != 0 {
			t.Errorf("VerifyAll: %+v and error %v", found, err)
		}
	}
}

// missed makes nothing of a miss: the cap is small.
func missed(err error) error {
	if errors.Is(err, cacheerr.ErrMiss) {
		return nil
	}
	return err
}

func TestCloseStopsTheKeeper(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { // which fails if a timer or goroutine is left
		c, err := filestream.Open(t.Context(), dir, filestream.Options{Grace: 1})
		mustDo(t, err)
		put(t, c, "key", oldBody)
		handOut(t, c, "key")
		<-time.After(time.Minute) // a tiny Grace does not make it run all the time
		mustDo(t, c.Close())
	})
}
