// SPDX-License-Identifier: Apache-2.0

package encoding

import (
	"reflect"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// Codec turns the results of a function into the bytes of a body and back.
// What Decode returns for the bytes of Encode can stand for the value in every
// respect that its users look at. Many goroutines may use a codec at the same
// time.
//
// [Raw], [JSON] and [Gob] are codecs; a user's own is a type with these two
// methods.
type Codec[R any] interface {
	// Encode returns the bytes that stand for result. It may return memory of
	// the result; nobody changes either until the bytes are stored. A result
	// that it does not take is a cacheerr.ValueEncodingError, and nothing is
	// stored.
	Encode(result R) ([]byte, error)

	// Decode returns the result that data stands for. It may keep data, which
	// the caller gives away. Data that it does not take, which may be anything,
	// is a cacheerr.ValueDecodingError: the caller drops the entry.
	Decode(data []byte) (R, error)
}

// Raw is the codec of results that are bytes already: the body is the result.
// It copies only what the types force it to, and never fails. A nil slice comes
// back as an empty one.
type Raw[R ~string | ~[]byte] struct{}

var _ Codec[[]byte] = Raw[[]byte]{}

// Encode implements [Codec].
func (Raw[R]) Encode(result R) ([]byte, error) { return []byte(result), nil }

// Decode implements [Codec].
func (Raw[R]) Decode(data []byte) (R, error) {
	if data == nil {
		data = []byte{} // a hit, however empty, is not a nil result
	}
	return R(data), nil
}

// unencodable is the error of a codec for a result that it does not take.
func unencodable(typ, value string, err error) error {
	return &cacheerr.ValuePicklingError{Type: typ, Value: value, Err: err}
}

// firstBytes is how many bytes of undecodable data an error shows.
const firstBytes = 32

// undecodable is the error of a codec for data that is no R.
func undecodable[R any](data []byte, err error) error {
	first := data[:min(len(data), firstBytes)]
	return &cacheerr.ValueUnPicklingError{
		First: append([]byte(nil), first...),
		Size:  int64(len(data)),
		Type:  reflect.TypeFor[R]().String(),
		Err:   err,
	}
}
