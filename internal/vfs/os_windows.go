// SPDX-License-Identifier: Apache-2.0

package vfs

import (
	"io/fs"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

func accessed(info fs.FileInfo) int64 {
	if data, ok := info.Sys().(*syscall.Win32FileAttributeData); ok {
		return data.LastAccessTime.Nanoseconds()
	}
	return info.ModTime().UnixNano()
}

func retry(op func() error) error { return Retry{Sleep: time.Sleep}.Do(op) }

// Free returns how many bytes this user may still write; see the function
// [Free].
func (OS) Free(path string) (int64, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	free := uint64(0)
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	return int64(min(free, 1<<62)), nil
}
