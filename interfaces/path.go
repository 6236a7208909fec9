// SPDX-License-Identifier: Apache-2.0

package interfaces

import (
	"context"
	"errors"
)

// Pather is a cache whose bodies are files on this machine.
type Pather interface {
	Cache

	// Path returns the absolute path of a regular file that holds exactly the
	// body under key, and the body's length in bytes. It counts as a use,
	// checks the body as Get does, and fails as Get does. The file must not be
	// written to; it stays for the time that the cache documents (filestream:
	// an hour, unless configured).
	Path(ctx context.Context, key Key) (path string, size int64, err error)
}

// Path returns the path of a file that holds the body under key in c, and the
// body's length in bytes. Without the capability it is [errors.ErrUnsupported].
func Path(ctx context.Context, c Cache, key Key) (path string, size int64, err error) {
	if pather, ok := c.(Pather); ok {
		return pather.Path(ctx, key)
	}
	return "", 0, errors.ErrUnsupported
}
