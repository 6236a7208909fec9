// SPDX-License-Identifier: Apache-2.0

// Package gobcodec is the result codec of [encoding/gob], for data that JSON
// does not hold: NaN, complex numbers, many numbers in little room.
//
// It is an opt-in, and a package of its own, for these reasons:
//
//   - Gob has no canonical form. It numbers types in the order in which a
//     process first meets them, so equal results can differ in their bytes from
//     process to process. Where bytes are compared, as in a dump, use another
//     codec.
//   - It makes an empty slice nil.
//   - It trusts what bytes claim of the length of a map and of the depth of a
//     recursive type, and bytes name the type that an interface gets. [New]
//     refuses such types, and limits the bytes of the others.
//   - Its package takes 0.1 to 0.3 ms of the start of every process that it is
//     linked into (measured with GODEBUG=inittrace=1).
package gobcodec

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"reflect"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
)

// Codec is an [encoding.Codec] of bodies in gob. [New] makes one.
type Codec[R any] struct{ limit int }

var _ encoding.Codec[int] = (*Codec[int])(nil)

// New returns the gob codec of R for bodies of at most limit bytes. Whatever
// the bytes, a decode takes no more memory than some 10 MiB for each level of
// slices in R, and the limit times the size of the largest element.
//
// A limit that is not positive is an error. A *cacheerr.ValuePicklingError is
// an R for which decoding has no bound or gives another value than was encoded:
// one that is or holds a map, an interface, a function, a channel, an
// unexported field, a pointer to anything but a struct, or itself, and one that
// is a pointer. A type that marshals itself is taken as it is, by GobEncode or
// MarshalBinary.
func New[R any](limit int) (*Codec[R], error) {
	if limit <= 0 {
		return nil, fmt.Errorf("the limit of a gob codec is at least 1 byte, not %d", limit)
	}
	if err := bounded(reflect.TypeFor[R](), nil); err != nil {
		return nil, unencodable[R](err)
	}
	return &Codec[R]{limit: limit}, nil
}

// Encode implements [encoding.Codec]. Its error, also for a result above the
// limit, is a *cacheerr.ValuePicklingError.
func (c *Codec[R]) Encode(result R) ([]byte, error) {
	var body bytes.Buffer
	err := gob.NewEncoder(&body).Encode(&result)
	if err == nil && body.Len() > c.limit {
		err = fmt.Errorf("it takes %d bytes, and the codec's limit is %d", body.Len(), c.limit)
	}
	if err != nil {
		return nil, unencodable[R](err)
	}
	return body.Bytes(), nil
}

// Decode implements [encoding.Codec]. Its error is a
// *cacheerr.ValueUnPicklingError.
func (c *Codec[R]) Decode(data []byte) (R, error) {
	var result, none R
	if len(data) > c.limit {
		return none, undecodable[R](data, fmt.Errorf("the codec's limit is %d bytes", c.limit))
	}
	if err := messages(data); err != nil {
		return none, undecodable[R](data, err)
	}
	rest := bytes.NewReader(data) // an io.ByteReader: gob takes no more than the value
	if err := gob.NewDecoder(rest).Decode(&result); err != nil {
		return none, undecodable[R](data, err)
	}
	if rest.Len() > 0 {
		return none, undecodable[R](data, errTrailing)
	}
	return result, nil
}

var errTrailing = errors.New("there is more behind the value")

func unencodable[R any](err error) error {
	return &cacheerr.ValuePicklingError{Type: reflect.TypeFor[R]().String(), Value: "…", Err: err}
}

func undecodable[R any](data []byte, err error) error {
	return &cacheerr.ValueUnPicklingError{
		First: bytes.Clone(data[:min(len(data), 32)]),
		Size:  int64(len(data)),
		Type:  reflect.TypeFor[R]().String(),
		Err:   err,
	}
}
