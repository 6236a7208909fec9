// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"path/filepath"
	"strconv"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// kind is what a node is.
type kind int

const (
	absent  kind = iota // nothing was written, not even the name
	null                // a name without a value
	text                // text, or a size or duration
	number              // digits
	boolean             // true or false
	list                // nodes in order
	mapping             // named nodes in order
)

// node is a value as it was written, whatever the source, and where.
type node struct {
	place
	kind   kind
	text   string  // of a scalar
	items  []node  // of a list
	fields []field // of a mapping
}

// field is a named node of a mapping.
type field struct {
	name  string
	place // of the name
	value node
}

// place is where something was written.
type place struct {
	source string // path of the file, or name of the variable or flag
	line   int    // in the file, from 1; 0 in other sources
	column int
}

// base returns the directory that relative paths start from: that of the file,
// or "" for the working directory.
func (p place) base() string {
	if p.line == 0 {
		return ""
	}
	return filepath.Dir(p.source)
}

// errorf returns the error about field, written at p.
func (p place) errorf(field, format string, args ...any) *Error {
	return &Error{Source: p.source, Line: p.line, Column: p.column, Field: field, Problem: fmt.Sprintf(format, args...)}
}

// find returns the value of the field called name; absent if there is none.
func (n node) find(name string) node {
	for _, f := range n.fields {
		if f.name == name {
			return f.value
		}
	}
	return node{}
}

// with returns the mapping n in which the field called name has value.
func (n node) with(name string, value node) node {
	fields := make([]field, 0, len(n.fields)+1)
	for _, f := range n.fields {
		if f.name != name {
			fields = append(fields, f)
		}
	}
	n.kind, n.fields = mapping, append(fields, field{name: name, place: value.place, value: value})
	return n
}

// scalar reports whether n is one value.
func (n node) scalar() bool { return n.kind == text || n.kind == number || n.kind == boolean }

// String returns what n is, as messages call it: a scalar is what was written.
func (n node) String() string {
	switch n.kind {
	case text:
		return strconv.Quote(cacheerr.Shorten(n.text))
	case number, boolean:
		return cacheerr.Shorten(n.text)
	default:
		return n.kind.String()
	}
}

// String returns the kind as messages call it, where what was written may be a
// secret.
func (k kind) String() string {
	switch k {
	case text:
		return "text"
	case number:
		return "a number"
	case boolean:
		return "true or false"
	case list:
		return "a list"
	case mapping:
		return "a mapping"
	default:
		return "an empty value"
	}
}
