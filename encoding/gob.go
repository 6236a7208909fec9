// SPDX-License-Identifier: Apache-2.0

package encoding

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"reflect"
)

// Gob is the codec of [encoding/gob], for data that JSON does not hold: NaN,
// complex numbers, many numbers in little room. [NewGob] makes one.
//
// It is an opt-in because gob has no canonical form: it numbers types in the
// order in which a process first meets them, so equal results can differ in
// their bytes from process to process. It also makes an empty slice nil.
// Where bytes are compared, as in a dump, use another codec.
//
// Both directions have a limit of bytes. Package gob trusts what bytes claim of
// the length of a map and of the depth of a recursive type, and names in an
// interface any type that is registered; [NewGob] refuses such types. What is
// left bounds the memory of a decode, whatever the bytes, by some 10 MiB for
// each level of slices and the limit times the size of the largest element.
type Gob[R any] struct{ limit int }

var _ Codec[int] = (*Gob[int])(nil)

// NewGob returns the gob codec of R for bodies of at most limit bytes.
//
// A limit that is not positive is an error. So is an R for which decoding has
// no bound or gives another value than was encoded: one that is or holds a map,
// an interface, a function, a channel, an unexported field, a pointer to
// anything but a struct, or itself, and one that is a pointer. A type that marshals itself is taken as it
// is, by GobEncode or MarshalBinary.
func NewGob[R any](limit int) (*Gob[R], error) {
	if limit <= 0 {
		return nil, fmt.Errorf("the limit of a gob codec is at least 1 byte, not %d", limit)
	}
	if err := gobable(reflect.TypeFor[R](), nil); err != nil {
		return nil, unencodable(reflect.TypeFor[R]().String(), "…", err)
	}
	return &Gob[R]{limit: limit}, nil
}

// Encode implements [Codec]. Its error, also for a result above the limit, is
// a *cacheerr.ValuePicklingError.
func (g *Gob[R]) Encode(result R) ([]byte, error) {
	var body bytes.Buffer
	err := gob.NewEncoder(&body).Encode(&result)
	if err == nil && body.Len() > g.limit {
		err = fmt.Errorf("it takes %d bytes, and the codec's limit is %d", body.Len(), g.limit)
	}
	if err != nil {
		return nil, unencodable(reflect.TypeFor[R]().String(), "…", err)
	}
	return body.Bytes(), nil
}

// Decode implements [Codec]. Its error is a *cacheerr.ValueUnPicklingError.
func (g *Gob[R]) Decode(data []byte) (R, error) {
	var result, none R
	if len(data) > g.limit {
		return none, undecodable[R](data, fmt.Errorf("the codec's limit is %d bytes", g.limit))
	}
	if err := gobMessages(data); err != nil {
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
