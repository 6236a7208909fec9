// SPDX-License-Identifier: Apache-2.0

package vfs

import (
	"errors"
	"runtime"
	"syscall"
)

// Free returns how many bytes this user may still write to the disk that a path
// is on. A file system that cannot tell, or has no method Free, returns
// errors.ErrUnsupported.
func Free(fsys FS, path string) (int64, error) {
	if fsys, ok := fsys.(interface {
		Free(path string) (int64, error)
	}); ok {
		return fsys.Free(path)
	}
	return 0, errors.ErrUnsupported
}

// Full reports whether err says that there is no room left on the disk, or none
// for this user.
func Full(err error) bool {
	if runtime.GOOS == "windows" { // ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL
		return errors.Is(err, syscall.Errno(39)) || errors.Is(err, syscall.Errno(112))
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
