// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
)

// ErrNoDirectory is what [Load] returns, inside an [Error], when nothing names
// a directory and the user has no cache directory: neither HOME nor, on Linux,
// XDG_CACHE_HOME is set.
var ErrNoDirectory = errors.New("there is no directory for the cache")

// Error says what is wrong with a configuration, where it was written, and
// what would be right.
type Error struct {
	Source  string // the file's path, or the name of the variable or flag; "" for the defaults
	Line    int    // in the file, from 1; 0 for the file as a whole and for other sources
	Column  int    // in the line, from 1; 0 where Line is
	Field   string // the field, such as tiers[1].options.max_bytes; "" for the file as a whole
	Problem string // what is wrong and what would be right
	Err     error  // the cause, or nil
}

// Error implements error: tierce.yaml:5:7: tiers[0].max_body: what is wrong.
func (e *Error) Error() string {
	text := e.Problem
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	where := e.Source
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", e.Source, e.Line, e.Column)
	}
	if where != "" {
		text = where + ": " + text
	}
	return text
}

// Unwrap returns the cause, for [errors.Is] and [errors.As].
func (e *Error) Unwrap() error { return e.Err }
