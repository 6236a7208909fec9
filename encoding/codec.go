// SPDX-License-Identifier: Apache-2.0

package encoding

// Codec turns the results of a function into the bytes of a body and back.
// What Decode returns for the bytes of Encode can stand for the value in every
// respect that its users look at. Many goroutines may use a codec at the same
// time.
//
// [Raw] and [JSON] are codecs, and so is gob, as an opt-in in package gobcodec;
// a user's own is a type with these two methods.
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
