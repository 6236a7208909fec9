// SPDX-License-Identifier: Apache-2.0

package errors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
)

// maxDepth bounds how deep causes nest in a JSON document.
const maxDepth = 32

// document is an error as JSON. Name is that of a leaf or a sentinel, absent
// for an error that is not of this package; Text is for people and for readers
// that do not know the name.
type document struct {
	Name   string          `json:"error,omitempty"`
	Text   string          `json:"text"`
	Fields json.RawMessage `json:"fields,omitempty"`
	Causes []*document     `json:"causes,omitempty"`
}

// ToJSON returns err as a JSON document that [FromJSON] reads: its type,
// fields, message and causes, without passwords ([Redact]). The nil error is
// "null". Of causes that nest deeper than 32 only the message is kept.
func ToJSON(err error) []byte {
	data, marshalErr := json.Marshal(toDocument(err, 0))
	if marshalErr != nil {
		panic(marshalErr) // cannot be: a document has texts, numbers and valid JSON
	}
	return data
}

// FromJSON returns the error that [ToJSON] made data of. Leaves have their type,
// fields and causes again. The sentinels of this package, [context.Canceled],
// [context.DeadlineExceeded], [fs.ErrNotExist], [fs.ErrPermission] and
// [errors.ErrUnsupported] are themselves, also where they were causes. Any
// other error, also a leaf of a later version, has its message and its causes.
// "null" is a nil decoded.
//
// Data that is not such a document, or nests causes deeper than 32, is an err
// and a nil decoded. Memory in use is in proportion to data.
func FromJSON(data []byte) (decoded, err error) {
	var d *document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("not an error as JSON: %w", err)
	}
	return d.toError(0)
}

func toDocument(err error, depth int) *document {
	if err == nil {
		return nil
	}
	if name := sentinelName(err); name != "" {
		return &document{Name: name, Text: err.Error()}
	}
	d := &document{Text: Redact(err.Error())}
	if depth == maxDepth {
		return d
	}
	d.Name, d.Fields = leafFields(err)
	for _, cause := range causes(err) {
		d.Causes = append(d.Causes, toDocument(cause, depth+1))
	}
	return d
}

// causes returns what err unwraps to, and the sentinels that it only claims to
// be, as a [syscall.Errno] does.
func causes(err error) []error {
	var all []error
	switch e := err.(type) { //nolint:errorlint // one level at a time
	case interface{ Unwrap() error }:
		if cause := e.Unwrap(); cause != nil {
			all = append(all, cause)
		}
	case interface{ Unwrap() []error }:
		all = append(all, e.Unwrap()...)
	}
	if e, ok := err.(interface{ Is(error) bool }); ok { //nolint:errorlint // one level at a time
		for _, s := range sentinels() {
			if e.Is(s.err) {
				all = append(all, s.err)
			}
		}
	}
	return all
}

// leafFields returns the documented name and the fields of a leaf, or nothing.
func leafFields(err error) (name string, fields json.RawMessage) {
	e, ok := err.(CacheError) //nolint:errorlint // one level at a time
	if !ok {
		return "", nil
	}
	if l := leaf(e.ErrorName(), nil); l == nil || reflect.TypeOf(l) != reflect.TypeOf(e) {
		return "", nil
	}
	clean := reflect.New(reflect.TypeOf(e).Elem())
	clean.Elem().Set(reflect.ValueOf(e).Elem())
	for _, field := range clean.Elem().Fields() {
		if field.Kind() == reflect.String {
			field.SetString(Redact(field.String()))
		}
	}
	fields, _ = json.Marshal(clean.Interface()) // texts and numbers always are JSON
	return e.ErrorName(), fields
}

func (d *document) toError(depth int) (error, error) {
	if d == nil {
		return nil, nil
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("an error as JSON nests causes deeper than %d", maxDepth)
	}
	for _, s := range sentinels() {
		if s.name == d.Name {
			return s.err, nil
		}
	}
	var all []error
	for _, cause := range d.Causes {
		err, bad := cause.toError(depth + 1)
		if bad != nil {
			return nil, bad
		}
		all = append(all, err)
	}
	if l := leaf(d.Name, all); l != nil {
		return d.toLeaf(l, all)
	}
	return &opaqueError{text: d.Text, causes: all}, nil
}

// toLeaf fills l, which has its cause, with the fields of d.
func (d *document) toLeaf(l CacheError, causes []error) (error, error) {
	if err := json.Unmarshal(d.Fields, l); err != nil {
		return nil, fmt.Errorf("fields of a %s as JSON: %w", d.Name, err)
	}
	if failures, ok := l.(*TierFailures); ok { //nolint:errorlint // made by leaf
		if len(causes) != len(failures.Failures) {
			return nil, fmt.Errorf("a %s as JSON has %d causes for %d tiers", d.Name, len(causes), len(failures.Failures))
		}
		for i, cause := range causes {
			failures.Failures[i].Err = cause
		}
	}
	return l, nil
}

// leaf returns an empty leaf of that name with the first of the causes, if it
// has one, and nil for a name that is none.
func leaf(name string, causes []error) CacheError {
	var cause error
	if len(causes) > 0 {
		cause = causes[0]
	}
	for _, l := range []CacheError{
		&LockTimeoutError{},
		&FileLockTimeoutError{},
		&DeterministicCachingIMCDumpConflictError{},
		&BackendNotAvailableError{Err: cause},
		&BackendExecutionError{Err: cause},
		&QueueFullError{},
		&TierFailures{},
		&KeyPicklingError{Err: cause},
		&ValuePicklingError{Err: cause},
		&ValueUnPicklingError{Err: cause},
		&EntryTooLargeError{},
		&CustomParamsEncoderRequiredError{Err: cause},
		&CustomResultEncoderRequiredError{Err: cause},
		&CustomResultDecoderRequiredError{},
		&DeterministicCachingDisabledError{},
		&DeterministicCachingRequiresStrongConsistencyError{},
		&DeterministicCachingInvalidConfigurationError{},
		&StrictDeterministicCachingKeyNotFoundError{},
		&StrictDeterministicCachingInsertionError{},
	} {
		if l.ErrorName() == name {
			return l
		}
	}
	return nil
}

type sentinel struct {
	name string
	err  error
}

// sentinels are the errors that are themselves again in another process.
func sentinels() []sentinel {
	return []sentinel{
		{"ErrMiss", ErrMiss},
		{"ErrDamaged", ErrDamaged},
		{"ErrExpired", ErrExpired},
		{"ErrClosed", ErrClosed},
		{"ErrReadOnly", ErrReadOnly},
		{"context.Canceled", context.Canceled},
		{"context.DeadlineExceeded", context.DeadlineExceeded},
		{"fs.ErrNotExist", fs.ErrNotExist},
		{"fs.ErrPermission", fs.ErrPermission},
		{"errors.ErrUnsupported", errors.ErrUnsupported},
	}
}

func sentinelName(err error) string {
	for _, s := range sentinels() {
		if err == s.err { //nolint:errorlint // a wrapped one has a text of its own
			return s.name
		}
	}
	return ""
}

// opaqueError is an error from another process that is not of this package.
type opaqueError struct {
	text   string
	causes []error
}

func (e *opaqueError) Error() string { return e.text }

func (e *opaqueError) Unwrap() []error { return e.causes }
