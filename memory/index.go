// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/tiercecache/tierce/interfaces"
)

// smallest is the number of chains of an empty index.
const smallest = 64

// index finds items by their keys. get needs no lock and waits for nobody; the
// other methods are for one goroutine at a time.
//
// It is a hash table with chains. A reader that walks a chain sees each item
// that is in it all the time: an item comes in at the head or in place of the
// one that it replaces, and one that goes keeps its link. A table that grows is
// made from the other links of its items, beside the old one, whose links are
// cut when it is done: a reader that finds nothing in a table which is no
// longer that of the index looks again.
//
// Measured by BenchmarkGetHit, 10,000 keys: with sync.Map in its place a hit
// takes twice as long as golang-lru's.
type index struct {
	table atomic.Pointer[table]
	seed  maphash.Seed
	count int // of items
}

// table is the chains of an index.
type table struct {
	chains []atomic.Pointer[item] // a power of two of them
	side   int                    // which of its items' links are the chains'
}

// chain returns the head of the chain that key is in.
func (t *table) chain(hash uint64) *atomic.Pointer[item] {
	return &t.chains[hash&uint64(len(t.chains)-1)]
}

func (x *index) hash(key *interfaces.Key) uint64 { return maphash.Bytes(x.seed, key[:]) }

// clear makes x empty. It also makes a new index ready.
func (x *index) clear() {
	x.table.Store(&table{chains: make([]atomic.Pointer[item], smallest)})
	x.count = 0
}

// get returns the item under key, or nil.
func (x *index) get(key *interfaces.Key) *item {
	hash := x.hash(key)
	for {
		if it, sure := x.look(x.table.Load(), hash, key); sure {
			return it
		}
	}
}

// look returns the item under key in t, or nil and whether it is sure that there
// is none: another table may have taken t's place and cut its links.
func (x *index) look(t *table, hash uint64, key *interfaces.Key) (it *item, sure bool) {
	for it = t.chain(hash).Load(); it != nil; it = it.next[t.side].Load() {
		if it.key == *key {
			return it, true
		}
	}
	return nil, x.table.Load() == t
}

// put keeps it under its key and returns the item that it replaces, or nil.
func (x *index) put(it *item) (old *item) {
	t := x.table.Load()
	head := t.chain(x.hash(&it.key))
	link := t.find(head, &it.key)
	if old = link.Load(); old != nil {
		it.next[t.side].Store(old.next[t.side].Load())
		link.Store(it)
		return old
	}
	it.next[t.side].Store(head.Load())
	head.Store(it)
	if x.count++; x.count > len(t.chains) {
		x.grow(t)
	}
	return nil
}

// remove takes it, which must be there, out of x.
func (x *index) remove(it *item) {
	t := x.table.Load()
	t.find(t.chain(x.hash(&it.key)), &it.key).Store(it.next[t.side].Load())
	x.count--
}

// find returns the link to the item under key in the chain that begins with
// link, or the last link of the chain, which is nil.
func (t *table) find(link *atomic.Pointer[item], key *interfaces.Key) *atomic.Pointer[item] {
	for it := link.Load(); it != nil && it.key != *key; it = link.Load() {
		link = &it.next[t.side]
	}
	return link
}

// grow gives x a table with twice as many chains as old has.
func (x *index) grow(old *table) {
	t := &table{chains: make([]atomic.Pointer[item], 2*len(old.chains)), side: 1 - old.side}
	for i := range old.chains {
		for it := old.chains[i].Load(); it != nil; it = it.next[old.side].Load() {
			head := t.chain(x.hash(&it.key))
			it.next[t.side].Store(head.Load())
			head.Store(it)
		}
	}
	x.table.Store(t)
	for i := range old.chains {
		old.cut(old.chains[i].Load())
	}
}

// cut cuts the links of a chain, which would keep items alive that go later.
func (t *table) cut(it *item) {
	for it != nil {
		it = it.next[t.side].Swap(nil)
	}
}
