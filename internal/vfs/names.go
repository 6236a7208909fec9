// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package vfs

import (
	"errors"
	"os"
)

func readNames(path string) ([]string, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(-1)
	return names, errors.Join(err, dir.Close())
}
