// SPDX-License-Identifier: Apache-2.0

package cachetest_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// getFaults returns what can be wrong with misses and hits.
func getFaults() []fault {
	return []fault{
		{"absent is an empty hit", "T1 absent is a bare miss", "want cacheerr.ErrMiss itself", by(func(b *broken) {
			b.get = func(f full, c ctx, k key) (entry, error) {
				e, err := f.Get(c, k)
				if errors.Is(err, cacheerr.ErrMiss) {
					err = nil
				}
				return e, err
			}
		})},
		{"absent is a wrapped miss", "T1 absent is a bare miss", "want cacheerr.ErrMiss itself", by(func(b *broken) {
			b.get = func(f full, c ctx, k key) (entry, error) {
				e, err := f.Get(c, k)
				if err != nil {
					err = fmt.Errorf("get: %w", err)
				}
				return e, err
			}
		})},
		{"empty is absent", "T1 an empty body is a hit", "want body", by(func(b *broken) {
			b.get = func(f full, c ctx, k key) (entry, error) {
				e, err := f.Get(c, k)
				if err == nil && e.Size == 0 {
					err = cacheerr.ErrMiss
				}
				return e, err
			}
		})},
		{"keys are strings of C", "keys of any bytes", "want a miss", by(func(b *broken) {
			cut := func(k key) (short key) {
				copy(short[:], strings.SplitN(string(k[:]), "\x00", 2)[0])
				return short
			}
			b.get = func(f full, c ctx, k key) (entry, error) { return f.Get(c, cut(k)) }
			b.put = func(f full, c ctx, k key, e entry) error { return f.Put(c, cut(k), interfaces.Text(text(e))) }
		})},
		{"forgets all", "", "not one hit in the whole suite", by(func(b *broken) {
			b.get = func(full, ctx, key) (entry, error) { return entry{}, cacheerr.ErrMiss }
			b.getBatch = func(full, ctx, []key, each) error { return errors.ErrUnsupported }
		})},
	}
}

// changeFaults returns what can be wrong with Insert, Put and Delete.
func changeFaults() []fault {
	return []fault{
		{"lost a capability", "T9 required capabilities", "Inserter is required", by(func(b *broken) { b.insert = unsupportedInsert })},
		{"Insert replaces", "T2 T3 Insert keeps the first", "it says true", by(func(b *broken) {
			b.insert = func(f full, c ctx, k key, e entry) (bool, error) { return true, f.Put(c, k, e) }
		})},
		{"Insert says no and replaces", "T2 T3 Insert keeps the first", `got body "pear"`, by(func(b *broken) {
			b.insert = func(f full, c ctx, k key, e entry) (bool, error) {
				_, err := f.Stat(c, k)
				return errors.Is(err, cacheerr.ErrMiss), f.Put(c, k, e)
			}
		})},
		{"unsupported Insert stores", "T2 T3 Insert keeps the first", "want a miss", by(func(b *broken) {
			b.insert = func(f full, c ctx, k key, e entry) (bool, error) {
				return false, errors.Join(f.Put(c, k, e), errors.ErrUnsupported)
			}
		})},
		{"Put keeps the old", "T4 Put replaces", `got body "apple"`, by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error {
				_, err := f.Insert(c, k, e)
				return err
			}
		})},
		{"Delete of absent is nil", "T4 Delete", "step 1, delete absent fruit", by(func(b *broken) {
			b.delete = func(f full, c ctx, k key) error { _ = f.Delete(c, k); return nil }
		})},
		{"Delete does nothing", "T4 Delete", "miss fruit", by(func(b *broken) {
			b.delete = func(f full, c ctx, k key) error { _, err := f.Stat(c, k); return err }
		})},
	}
}

// wholeFaults returns what can be wrong with all entries at once.
func wholeFaults() []fault {
	return []fault{
		{"Len counts writes", "T4 Len, List and Clear", "4 entries", by(func(b *broken) {
			var puts int
			b.put = func(f full, c ctx, k key, e entry) error { puts++; return f.Put(c, k, e) }
			b.len = func(full, ctx) (int, error) { return puts, nil }
		})},
		{"List names a key twice", "T4 Len, List and Clear", "are listed before", by(func(b *broken) {
			b.list = func(f full, c ctx) iter.Seq2[key, error] {
				return func(yield func(key, error) bool) {
					for k, err := range f.List(c) {
						if !yield(k, err) || !yield(k, err) {
							return
						}
					}
				}
			}
		})},
		{"Clear does nothing", "T4 Len, List and Clear", "step 1, len 0", by(func(b *broken) {
			b.clear = func(full, ctx) error { return nil }
		})},
	}
}
