// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memory"
)

// TestGrowing is M6: while entries come, go and are replaced, and the index
// grows many times, readers find what is there all the time.
func TestGrowing(t *testing.T) {
	const always, others, rounds = 60, 600, 30
	ctx := t.Context()
	for range rounds {
		c := open(t, memory.Options{})
		for i := range always {
			put(t, c, i, strconv.Itoa(i))
		}
		var writers, readers sync.WaitGroup
		written := make(chan struct{})
		writers.Go(func() {
			for i := always; i < always+others; i++ {
				_ = c.Put(ctx, named(i), interfaces.Text(strconv.Itoa(i)))
				if i%3 == 0 {
					_ = c.Delete(ctx, named(i))
				}
			}
		})
		writers.Go(func() {
			for i := range others {
				i %= always
				_ = c.Put(ctx, named(i), interfaces.Text(strconv.Itoa(i)))
			}
		})
		for range 2 {
			readers.Go(func() {
				for i := 0; ; i = (i + 1) % always {
					entry, err := c.Get(ctx, named(i))
					if text, _ := entry.Text(); err != nil || text != strconv.Itoa(i) {
						t.Errorf("M6 Get %d while the index grows: body %q, error %v", i, text, err)
						return
					}
					select {
					case <-written:
						return
					default:
					}
				}
			})
		}
		writers.Wait()
		close(written)
		readers.Wait()
		wantAll(t, c, always, others)
	}
}

// wantAll checks that exactly those entries are there that TestGrowing leaves.
func wantAll(t *testing.T, c *memory.Cache, always, others int) {
	t.Helper()
	n := 0
	for i := range always + others {
		there := i < always || i%3 != 0
		if has(t, c, i) != there {
			t.Fatalf("entry %d is there: %t, want %t", i, !there, there)
		}
		if there {
			n++
		}
	}
	if got, err := c.Len(t.Context()); got != n || err != nil {
		t.Errorf("Len: %d, %v, want %d", got, err, n)
	}
}
