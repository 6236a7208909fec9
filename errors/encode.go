// SPDX-License-Identifier: Apache-2.0

package errors

import "fmt"

// KeyEncodingError is the category of a key that cannot be made from what the
// caller gave. Nothing was looked up or stored.
//
// Returned when:
//   - the key encoder does not take the value: [KeyPicklingError].
type KeyEncodingError interface {
	UserError

	// KeyType returns the Go type of what should have become a key.
	KeyType() string
}

// KeyPicklingError says that a value cannot be encoded as a key.
//
// Returned when:
//   - the value is of a type that the key encoder does not take, or holds one;
//   - the value has no single encoding, so that equal keys could differ;
//   - the key encoder itself failed.
type KeyPicklingError struct {
	Type  string `json:"type"`  // Go type of the value
	Value string `json:"value"` // the value as text, shortened; see [Shorten]
	Err   error  `json:"-"`     // why; may be nil
}

// Error implements error.
func (e *KeyPicklingError) Error() string {
	return message("key "+quote(e.Value)+" of type "+Shorten(e.Type)+" cannot be encoded", e.Err, e.Remedy())
}

// Unwrap returns why the key cannot be encoded.
func (e *KeyPicklingError) Unwrap() error { return e.Err }

// ErrorName implements [CacheError].
func (e *KeyPicklingError) ErrorName() string { return "KeyPicklingError" }

// Remedy implements [UserError].
func (e *KeyPicklingError) Remedy() string {
	return "use a key of plain data, or a key encoder for this type"
}

// KeyType implements [KeyEncodingError].
func (e *KeyPicklingError) KeyType() string { return e.Type }

// ValueEncodingError is the category of a value that cannot be stored as bytes.
// Nothing was stored.
//
// Returned when:
//   - the result codec does not take the value: [ValuePicklingError].
type ValueEncodingError interface {
	UserError

	// ValueType returns the Go type of what should have been stored.
	ValueType() string
}

// ValuePicklingError says that a value cannot be encoded as bytes.
//
// Returned when:
//   - the value is of a type that the result codec does not take, or holds one;
//   - the encoded value is larger than the codec's limit;
//   - the result codec itself failed.
type ValuePicklingError struct {
	Type  string `json:"type"`  // Go type of the value
	Value string `json:"value"` // the value as text, shortened; see [Shorten]
	Err   error  `json:"-"`     // why; may be nil
}

// Error implements error.
func (e *ValuePicklingError) Error() string {
	return message("value "+quote(e.Value)+" of type "+Shorten(e.Type)+" cannot be encoded", e.Err, e.Remedy())
}

// Unwrap returns why the value cannot be encoded.
func (e *ValuePicklingError) Unwrap() error { return e.Err }

// ErrorName implements [CacheError].
func (e *ValuePicklingError) ErrorName() string { return "ValuePicklingError" }

// Remedy implements [UserError].
func (e *ValuePicklingError) Remedy() string {
	return "store a value of plain data, or use a result codec for this type"
}

// ValueType implements [ValueEncodingError].
func (e *ValuePicklingError) ValueType() string { return e.Type }

// ValueDecodingError is the category of stored bytes that do not become the
// value which the caller wants. The entry was dropped.
//
// Returned when:
//   - the result codec does not take the bytes: [ValueUnPicklingError].
type ValueDecodingError interface {
	UserError

	// WantedType returns the Go type that the bytes should have become.
	WantedType() string
}

// ValueUnPicklingError says that bytes cannot be decoded.
//
// Returned when:
//   - the bytes are not what the result codec writes, or not all of it;
//   - the bytes encode a value of another type than the wanted one;
//   - the bytes claim a size beyond the codec's limit.
type ValueUnPicklingError struct {
	First []byte `json:"first"` // the first bytes; a few dozen are enough
	Size  int64  `json:"size"`  // how many bytes there were
	Type  string `json:"type"`  // Go type that was wanted
	Err   error  `json:"-"`     // why; may be nil
}

// Error implements error.
func (e *ValueUnPicklingError) Error() string {
	return message(fmt.Sprintf("%d bytes that begin with %s cannot be decoded as %s", e.Size, quote(string(e.First)), Shorten(e.Type)),
		e.Err, e.Remedy())
}

// Unwrap returns why the bytes cannot be decoded.
func (e *ValueUnPicklingError) Unwrap() error { return e.Err }

// ErrorName implements [CacheError].
func (e *ValueUnPicklingError) ErrorName() string { return "ValueUnPicklingError" }

// Remedy implements [UserError].
func (e *ValueUnPicklingError) Remedy() string {
	return "read with the codec and type that the entry was written with"
}

// WantedType implements [ValueDecodingError].
func (e *ValueUnPicklingError) WantedType() string { return e.Type }
