// SPDX-License-Identifier: Apache-2.0

package vfs

import (
	"io/fs"
	"syscall"
	"time"
)

func accessed(info fs.FileInfo) int64 {
	if data, ok := info.Sys().(*syscall.Win32FileAttributeData); ok {
		return data.LastAccessTime.Nanoseconds()
	}
	return info.ModTime().UnixNano()
}

func retry(op func() error) error { return Retry{Sleep: time.Sleep}.Do(op) }
