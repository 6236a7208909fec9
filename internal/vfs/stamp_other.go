// SPDX-License-Identifier: Apache-2.0

//go:build !linux && !darwin

package vfs

import "errors"

// StampOf is [errors.ErrUnsupported]: the system does not tell when a file was
// last changed.
func StampOf(string) (Stamp, error) { return Stamp{}, errors.ErrUnsupported }
