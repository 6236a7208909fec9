// SPDX-License-Identifier: Apache-2.0

package faulttier

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/tiercecache/tierce/interfaces"
)

// Op names an operation of a cache.
type Op string

// The operations that rules can name and that are counted.
const (
	Get      Op = "get"
	Put      Op = "put"
	Insert   Op = "insert"
	Delete   Op = "delete"
	Stat     Op = "stat"
	Len      Op = "len"
	Clear    Op = "clear"
	List     Op = "list"
	Path     Op = "path"
	GetBatch Op = "get batch"
	PutBatch Op = "put batch"
	Ping     Op = "ping"
	Close    Op = "close"
)

// Rule says which calls go wrong and how. It is a value without state: the
// cache that it is given to counts the calls. The zero Key means every key.
//
//	faulttier.Rule{On: []faulttier.Op{faulttier.Put}, When: faulttier.Nth(2), Fault: faulttier.Fail(err)}
type Rule struct {
	On    []Op           // these operations; none means every operation
	Key   interfaces.Key // only this key; the operations without one do not match
	When  When           // which of those calls; nil means each
	Fault Fault          // what happens then
}

// String returns the rule as a sentence, for the message of a failed test.
func (r Rule) String() string {
	var b strings.Builder
	if len(r.On) == 0 {
		b.WriteString("any operation")
	}
	for i, op := range r.On {
		if i > 0 {
			b.WriteString(" or ")
		}
		b.WriteString(string(op))
	}
	if r.Key != (interfaces.Key{}) {
		b.WriteString(" of key " + r.Key.Short())
	}
	if r.When != nil {
		b.WriteString(", " + r.When.String())
	}
	return fmt.Sprintf("%s: %s", b.String(), r.Fault)
}

// matches reports whether the rule is about such a call at all.
func (r Rule) matches(op Op, key interfaces.Key) bool {
	return (len(r.On) == 0 || slices.Contains(r.On, op)) && (r.Key == interfaces.Key{} || r.Key == key)
}

// When chooses among the calls that a rule is about.
type When interface {
	fmt.Stringer
	holds(n int) bool // n counts them from 1
}

// Nth chooses the nth call alone, from 1.
func Nth(n int) When { return between{n, n} }

// From chooses the nth call, from 1, and all after it.
func From(n int) When { return between{n, 0} }

// UpTo chooses the first n calls.
func UpTo(n int) When { return between{1, n} }

// between holds from first to last, without an end if last is 0.
type between struct{ first, last int }

func (b between) String() string {
	switch {
	case b.last == 0:
		return fmt.Sprintf("from call %d on", b.first)
	case b.first == b.last:
		return fmt.Sprintf("call %d", b.first)
	default:
		return fmt.Sprintf("calls %d to %d", b.first, b.last)
	}
}

func (b between) holds(n int) bool { return b.first <= n && (b.last == 0 || n <= b.last) }

// Chance chooses each call with probability p, between 0 and 1. The same seed
// chooses the same calls.
func Chance(p float64, seed uint64) When { return chance{p, seed} }

type chance struct {
	p    float64
	seed uint64
}

func (c chance) String() string { return fmt.Sprintf("with chance %g of seed %d", c.p, c.seed) }

func (c chance) holds(n int) bool { return rand.New(rand.NewPCG(c.seed, uint64(n))).Float64() < c.p }
