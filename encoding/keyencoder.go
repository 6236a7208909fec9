// SPDX-License-Identifier: Apache-2.0

package encoding

import (
	"reflect"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// KeyEncoder turns the parameters of a function into bytes, which become a
// part of a key ([Keyspace.Key]). Equal parameters give equal bytes in every
// process; parameters for which the function may answer differently give
// different bytes. It may return memory of the parameters, which nobody
// changes; many goroutines may call it at the same time.
//
// Parameters that it does not take are a cacheerr.KeyEncodingError.
type KeyEncoder[P any] func(params P) ([]byte, error)

var (
	_ KeyEncoder[string] = RawBytes[string]
	_ KeyEncoder[any]    = CanonicalJSON[any]
)

// RawBytes is the [KeyEncoder] of parameters that are bytes already: it
// returns them as they are, and never fails.
func RawBytes[P ~string | ~[]byte](params P) ([]byte, error) { return []byte(params), nil }

// CanonicalJSON is the [KeyEncoder] for plain data: it writes params as JSON
// that has one form only. Two values give equal bytes exactly when
// [reflect.DeepEqual] finds them equal, with these rules:
//
//   - Maps are sorted by key; keys are strings, integers or types with
//     MarshalText. Struct fields stand in order, under their Go names: JSON
//     tags do not count, so that no tag can leave out a field that matters.
//   - What an interface holds stands with the name of its type:
//     any(1) is {"int":1}, any(1.0) is {"float64":1}.
//   - A nil slice or map is not an empty one; -0 is not 0; numbers are not
//     rounded. A pointer is what it points to, so two that point to equal
//     values are equal.
//   - A type that has MarshalJSON, else MarshalText, is what that returns: the
//     type says what is equal, as [time.Time] does, which drops the monotonic
//     clock. A method that comes from an embedded field only, or may, is not
//     used, since it knows nothing of the fields beside.
//
// Everything for which this cannot hold is refused with a
// *cacheerr.KeyPicklingError that says where and why: NaN and infinities,
// strings that are not UTF-8, functions, channels, complex numbers, uintptr
// and unsafe pointers, structs with unexported fields, unnamed struct types in
// an interface, pointers to what is nil itself, cycles, and nesting of more
// than 1000 pointers, maps and slices.
//
// Types that are declared inside functions have no name that tells them from
// others of their package: in an interface, two of one name are taken for one.
func CanonicalJSON[P any](params P) ([]byte, error) {
	w := canonical{buf: make([]byte, 0, 128)}
	if err := w.value(reflect.ValueOf(&params).Elem()); err != nil {
		typ, value := err.offender()
		return nil, &cacheerr.KeyPicklingError{Type: typ, Value: value, Err: err}
	}
	return w.buf, nil
}
