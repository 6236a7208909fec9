// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"os"
	"syscall"
)

// headAttribute is where an entry's head is.
const headAttribute = "user.tierce1"

func init() {
	damages["head"] = func(path string, _ os.FileInfo) (bool, error) {
		var head [4096]byte
		n, err := syscall.Getxattr(path, headAttribute, head[:])
		if err != nil {
			return false, err
		}
		head[n/2] ^= 1
		return true, syscall.Setxattr(path, headAttribute, head[:n], 0)
	}
	damages["headless and flip"] = func(path string, info os.FileInfo) (bool, error) {
		if done, err := damages["flip"](path, info); !done || err != nil {
			return done, err
		}
		return true, syscall.Removexattr(path, headAttribute)
	}
	damages["headless"] = func(path string, _ os.FileInfo) (bool, error) {
		return true, syscall.Removexattr(path, headAttribute)
	}
}
