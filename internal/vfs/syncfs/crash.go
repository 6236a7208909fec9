// SPDX-License-Identifier: Apache-2.0

package syncfs

import (
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
)

// SyncAll makes everything durable, as a clean shutdown does.
func (f *FS) SyncAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := make(map[*node]bool)
	var visit func(*node)
	visit = func(n *node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		n.synced = n.now.clone()
		clear(n.names.old)
		for _, child := range n.names.now {
			visit(child)
		}
	}
	visit(f.root)
}

// Crash returns what is found after a power failure at this moment; f itself
// goes on. For each thing that was not synced choose is asked which of n
// outcomes there is: 0 is what was synced last, n-1 what is there now. It is
// asked in the same order each time.
func (f *FS) Crash(choose func(n int) int) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	after := &FS{nodes: f.nodes, clock: f.clock}
	found := make(map[*node]*node)
	var visit func(*node) *node
	visit = func(n *node) *node {
		if n == nil || found[n] != nil {
			return found[n]
		}
		left := &node{
			id: n.id, dir: n.dir, marked: n.marked, modified: n.modified, changed: n.changed, accessed: n.accessed,
			names: children{map[string]*node{}, map[string][]*node{}},
		}
		found[n] = left
		left.now = n.survive(choose)
		left.synced = left.now.clone()
		for _, name := range n.everNamed() {
			outcomes := append(slices.Clone(n.names.old[name]), n.names.now[name])
			if child := visit(outcomes[ask(choose, len(outcomes))]); child != nil {
				left.names.now[name] = child
			}
		}
		return left
	}
	after.root = visit(f.root)
	return after
}

// Crashes returns what may be found after a power failure at this moment: all
// of it if that is at most limit, else what was synced, what is there now, and
// others at random.
func (f *FS) Crashes(limit int, random *rand.Rand) iter.Seq[*FS] {
	return func(yield func(*FS) bool) {
		if total := f.outcomes(limit); total <= limit {
			for number := range total {
				rest := number
				if !yield(f.Crash(func(n int) int { choice := rest % n; rest /= n; return choice })) {
					return
				}
			}
			return
		}
		choices := []func(int) int{func(int) int { return 0 }, func(n int) int { return n - 1 }}
		for number := range limit {
			choose := random.IntN
			if number < len(choices) {
				choose = choices[number]
			}
			if !yield(f.Crash(choose)) {
				return
			}
		}
	}
}

// outcomes returns how many there may be, as far as limit matters. Choices that
// an earlier choice leaves out count as well: some outcomes then come twice.
func (f *FS) outcomes(limit int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	total := 1
	seen := make(map[*node]bool)
	var visit func(*node)
	visit = func(n *node) {
		if n == nil || seen[n] || total > limit {
			return
		}
		seen[n] = true
		n.survive(func(choices int) int { total *= choices; return 0 })
		for _, name := range n.everNamed() {
			total *= len(n.names.old[name]) + 1
			visit(n.names.now[name])
			for _, child := range n.names.old[name] {
				visit(child)
			}
		}
	}
	visit(f.root)
	return total
}

func ask(choose func(int) int, n int) int {
	if n == 1 {
		return 0
	}
	return choose(n)
}

// everNamed returns, sorted, the names that a directory has or may have.
func (n *node) everNamed() []string {
	all := make(map[string]bool)
	for name := range n.names.now {
		all[name] = true
	}
	for name := range n.names.old {
		all[name] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// survive returns what a file consists of after a power failure.
func (n *node) survive(choose func(int) int) content {
	left := n.synced.clone()
	if !n.now.same(n.synced) {
		bytes := n.bytes(choose(5))
		left.size, left.pages = bytes.size, bytes.pages
	}
	if string(n.now.attr) != string(n.synced.attr) || (n.now.attr == nil) != (n.synced.attr == nil) {
		if choose(2) == 1 {
			left.attr = n.now.attr
		}
	}
	if n.now.frozen != n.synced.frozen && choose(2) == 1 {
		left.frozen = n.now.frozen
	}
	return left
}

// bytes returns the content that a file has after a power failure: as it was
// synced, in its new length but with zeroes for what was not synced, cut in the
// middle, with zeroes from the middle on, or as it is now.
func (n *node) bytes(outcome int) content {
	left := n.now.clone()
	switch outcome {
	case 0:
		return n.synced.clone()
	case 1:
		maps.DeleteFunc(left.pages, func(number int64, p *page) bool { return p != n.synced.pages[number] })
	case 2:
		left.truncate(n.now.size / 2)
	case 3:
		left.truncate(n.now.size / 2)
		left.size = n.now.size
	}
	return left
}
