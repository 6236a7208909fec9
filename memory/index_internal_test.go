// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"hash/maphash"
	"testing"

	"github.com/tiercecache/tierce/interfaces"
)

// TestOvertaken is M6 for a reader that holds a table while the index grows. No
// other goroutine can be stopped just there, so the test is inside.
func TestOvertaken(t *testing.T) {
	x := index{seed: maphash.MakeSeed()}
	x.clear()
	key := func(i int) *interfaces.Key { return &interfaces.Key{byte(i), byte(i >> 8)} }
	for i := range smallest {
		x.put(&item{key: *key(i)})
	}
	held := x.table.Load()
	if it, sure := x.look(held, x.hash(key(-1)), key(-1)); it != nil || !sure {
		t.Errorf("an absent key before the index grows: %v, sure %t, want none for sure", it, sure)
	}
	for i := smallest; i < 5*smallest; i++ { // it grows three times
		x.put(&item{key: *key(i)})
		for i := range i {
			if it, sure := x.look(held, x.hash(key(i)), key(i)); it == nil && sure {
				t.Fatalf("key %d is there, and a reader that was overtaken is sure that it is not", i)
			}
			if x.get(key(i)) == nil {
				t.Fatalf("key %d is there and not found", i)
			}
		}
	}
}
