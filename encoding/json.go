// SPDX-License-Identifier: Apache-2.0

package encoding

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// JSON is the codec for plain data, as [encoding/json] writes it, without HTML
// escapes. Map keys are sorted, so equal results are equal bytes in every
// process, and a person can read the body.
//
// Encode refuses a result that would come back as another one: with NaN, a
// string that is not UTF-8, an unexported field, a pointer to nil, a cycle, or
// an interface that holds anything but what JSON decodes into by itself (bool,
// float64, string, []any, map[string]any and nil). The author of a type has the
// last word: by a method that marshals it, by a tag ("-" leaves a field out,
// omitempty makes an empty slice nil), or by a field that hides an embedded
// one of the same name.
//
// Decode refuses trailing data and fields that R has not, which a body of
// another version of R would have.
type JSON[R any] struct{}

var _ Codec[any] = JSON[any]{}

// Encode implements [Codec]. Its error is a *cacheerr.ValuePicklingError.
func (JSON[R]) Encode(result R) ([]byte, error) {
	value := reflect.ValueOf(&result).Elem()
	check := canonical{result: true}
	if err := check.value(value); err != nil {
		typ, text := err.offender()
		return nil, &cacheerr.ValuePicklingError{Type: typ, Value: text, Err: err}
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(&result); err != nil {
		return nil, &cacheerr.ValuePicklingError{Type: value.Type().String(), Value: "…", Err: err}
	}
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), nil
}

var errTrailing = errors.New("there is more behind the value")

// Decode implements [Codec]. Its error is a *cacheerr.ValueUnPicklingError.
func (JSON[R]) Decode(data []byte) (R, error) {
	var result, none R
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&result); err != nil {
		return none, undecodable[R](data, err)
	}
	if _, err := decoder.Token(); err != io.EOF { //nolint:errorlint // Token documents the bare io.EOF
		return none, undecodable[R](data, errTrailing)
	}
	return result, nil
}

func undecodable[R any](data []byte, err error) error {
	return &cacheerr.ValueUnPicklingError{
		First: bytes.Clone(data[:min(len(data), 32)]),
		Size:  int64(len(data)),
		Type:  reflect.TypeFor[R]().String(),
		Err:   err,
	}
}
