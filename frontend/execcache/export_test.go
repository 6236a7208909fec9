// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"context"
	"encoding/json"

	"github.com/tiercecache/tierce/interfaces"
)

// Function is the name of commands as recorded functions.
const Function = function

// Decode returns the result of a command with these outputs that has these
// bytes.
func Decode(ctx context.Context, files interfaces.Cache, outputs []string, data []byte) (Result, error) {
	return codec{ctx, files, outputs}.decode(data)
}

// Encode returns the bytes of a result.
func Encode(ctx context.Context, files interfaces.Cache, r Result) ([]byte, error) {
	return codec{ctx, files, nil}.encode(r)
}

// DifferAt is the place in which two readers differ.
var DifferAt = differAt

// Notes returns how many recordings a note has that is read, and the note of
// them.
func Notes(text []byte) (again []byte, n int) {
	recordings := newest(decodeNote(text))
	again, err := json.Marshal(note{noteFormat, recordings})
	if err != nil {
		return nil, 0
	}
	return again, len(recordings)
}

// DifferFolded returns how long the recording of a command with such inputs is,
// and in what one with others differs.
func DifferFolded(was, is map[string]string) (size int, differences []Difference) {
	one, ok := recording{traits: traits{Inputs: shorts(was)}}.folded()
	if text, err := json.Marshal(one); err == nil && ok {
		size = len(text)
	}
	return size, differ(one.traits, traits{Inputs: shorts(is)})
}

// MaxNote is how large a note may be.
const MaxNote = maxNote

// ShownArgs are arguments as they may be shown.
func ShownArgs(args ...string) (shown []string) {
	for _, arg := range shownArgs(args) {
		shown = append(shown, arg.Text)
	}
	return shown
}
