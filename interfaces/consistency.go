// SPDX-License-Identifier: Apache-2.0

package interfaces

// Consistency is what concurrent callers of a cache may rely on.
type Consistency int

const (
	// ConsistencyUnknown promises nothing: what one caller stored, another
	// may see or not.
	ConsistencyUnknown Consistency = iota
	// ConsistencyEventual promises that all callers see the same in the end.
	ConsistencyEventual
	// ConsistencyStrong promises that what one caller was told is stored,
	// every other sees from then on, until it is evicted; and that Insert has
	// one winner. Determinism asks for it.
	ConsistencyStrong
)

// String returns "unknown", "eventual" or "strong".
func (c Consistency) String() string {
	switch c {
	case ConsistencyEventual:
		return "eventual"
	case ConsistencyStrong:
		return "strong"
	default:
		return "unknown"
	}
}

// Consistent is a cache that knows what concurrent callers may rely on.
type Consistent interface {
	Cache

	// Consistency returns what holds for all callers that share what is
	// stored: goroutines, processes or machines. It does not change.
	Consistency() Consistency
}

// ConsistencyOf returns what callers of c may rely on: [ConsistencyUnknown]
// without the capability.
func ConsistencyOf(c Cache) Consistency {
	if consistent, ok := c.(Consistent); ok {
		return consistent.Consistency()
	}
	return ConsistencyUnknown
}
