// SPDX-License-Identifier: Apache-2.0

package interfaces

import "io"

// Close closes c if it is an [io.Closer], and is nil otherwise. Whoever opened
// a cache closes it, once; its other methods then return cacheerr.ErrClosed.
func Close(c Cache) error {
	if closer, ok := c.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}
