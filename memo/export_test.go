// SPDX-License-Identifier: Apache-2.0

package memo

import (
	"bufio"
	"bytes"
)

// Reload loads a dump and returns the dump of that.
func Reload(text []byte) ([]byte, error) {
	loaded, err := load("dump", bufio.NewReader(bytes.NewReader(text)))
	if err != nil {
		return nil, err
	}
	return loaded.appendTo(nil), nil
}

// ReadTag returns what a tag says of a result, in the form that a tag has.
func ReadTag(tag string) (again string, ok bool) {
	r, ok := parseTag(tag)
	return tagOf(&call{function: r.function, isolation: r.isolation, params: []byte(r.params)}), ok
}
