// SPDX-License-Identifier: Apache-2.0

package cachetest_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/tiercecache/tierce/cachetest"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// capabilityFaults returns what can be wrong with files, batches, far ends.
func capabilityFaults() []fault {
	return []fault{
		{"a file with a header", "F1 Path", "the file is", by(func(b *broken) {
			b.path = func(f full, c ctx, k key) (string, int64, error) {
				path, h, err := f.Path(c, k)
				if body, readErr := os.ReadFile(path); readErr == nil {
					_ = os.WriteFile(path, append([]byte("header"), body...), 0o600)
				}
				return path, h, err
			}
		})},
		{"a batch calls twice", "GetBatch", "want once for each", by(func(b *broken) {
			b.getBatch = func(f full, c ctx, keys []key, each each) error {
				return errors.Join(f.GetBatch(c, keys, each), f.GetBatch(c, keys, each))
			}
		})},
		{"a batch goes on after the end", "GetBatch", "want that error after 1", by(func(b *broken) {
			b.getBatch = func(f full, c ctx, keys []key, each each) error {
				var last error
				err := f.GetBatch(c, keys, func(i int, e entry, err error) error { last = each(i, e, err); return nil })
				return errors.Join(err, last)
			}
		})},
		{"a batch names nobody", "F15 PutBatch", "want an *interfaces.BatchError", by(func(b *broken) {
			b.putBatch = func(f full, c ctx, items []interfaces.Item) error {
				for _, item := range items {
					if err := f.Put(c, item.Key, item.Entry); err != nil {
						return err
					}
				}
				return nil
			}
		})},
		{"a batch is all or nothing", "F15 PutBatch", "want body", by(func(b *broken) {
			b.putBatch = func(f full, c ctx, items []interfaces.Item) error {
				err := f.PutBatch(c, items)
				for i := 0; err != nil && i < len(items); i++ {
					_ = f.Delete(c, items[i].Key)
				}
				return err
			}
		})},
		{"never answers", "Ping and Consistency", "Ping of a cache that works", by(func(b *broken) {
			b.ping = func(full, ctx) error { return errors.New("no answer") }
		})},
		{"claims consistency", "Ping and Consistency", "strong without Inserter", by(func(b *broken) { b.insert = unsupportedInsert })},
	}
}

// lastingFaults returns what can be wrong with damage and reopening.
func lastingFaults() []fault {
	return []fault{
		{"damage is a hit", "T7 damage is a miss", "no error", by(func(b *broken) {
			b.get = func(f full, c ctx, k key) (entry, error) {
				e, err := f.Get(c, k)
				if errors.Is(err, cacheerr.ErrDamaged) {
					return interfaces.Text("damaged").WithHead(head{Time: time.Now().UTC()}), nil
				}
				return e, err
			}
		})},
		{"damage is absence", "T7 damage is a miss", "is damaged", by(func(b *broken) {
			b.get = func(f full, c ctx, k key) (entry, error) {
				e, err := f.Get(c, k)
				if errors.Is(err, cacheerr.ErrMiss) {
					err = cacheerr.ErrMiss
				}
				return e, err
			}
		})},
		{"damage stays", "T7 damage is a miss", "Stat after damage was found", by(func(b *broken) {
			damaged := make(map[key]head)
			b.get = func(f full, c ctx, k key) (entry, error) {
				h, _ := f.Stat(c, k)
				e, err := f.Get(c, k)
				if errors.Is(err, cacheerr.ErrDamaged) {
					damaged[k] = h
				}
				return e, err
			}
			b.stat = func(f full, c ctx, k key) (head, error) {
				if h, ok := damaged[k]; ok {
					return h, nil
				}
				return f.Stat(c, k)
			}
		})},
		{"forgets on closing", "entries outlive the cache", "after reopening", cachetest.Config{
			Open:   openFull,
			Reopen: func(t *testing.T, _ interfaces.Cache) interfaces.Cache { return openFull(t) },
		}},
	}
}

// unusableFaults returns what can be wrong with a cache that is of no use, and what only chance finds.
func unusableFaults() []fault {
	return []fault{
		{"trusts its receiver", "T10 nil cache", "Get of a nil cache panics", cachetest.Config{
			Open: func(t *testing.T) interfaces.Cache { return &pointed{newBroken(t, func(*broken) {})} },
		}},
		{"does not notice that it is closed", "T10 closed cache", "want [the cache is closed", by(func(b *broken) {
			b.close = func(full) error { return nil }
		})},
		{"closes once", "T10 closed cache", "second Close", by(func(b *broken) {
			closed := false
			b.close = func(f full) error {
				if closed {
					return cacheerr.ErrClosed
				}
				closed = true
				return f.Close()
			}
		})},
		{"does not look at the context", "T10 cancelled context", "Get: no error", by(func(b *broken) {
			b.get = func(f full, c ctx, k key) (entry, error) { return f.Get(context.WithoutCancel(c), k) }
		})},
		{"the fiftieth hit is a miss", "random operations against a model", "a miss, want body", by(func(b *broken) {
			hits := 0
			b.get = func(f full, c ctx, k key) (entry, error) {
				e, err := f.Get(c, k)
				if err == nil {
					hits++
				}
				if hits == 50 {
					return entry{}, errors.Join(e.Close(), cacheerr.ErrMiss)
				}
				return e, err
			}
		})},
	}
}

// pointed is a broken cache that can be nil.
type pointed struct{ broken }
