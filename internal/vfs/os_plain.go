// SPDX-License-Identifier: Apache-2.0

//go:build !linux && !darwin && !windows

package vfs

import "io/fs"

func accessed(info fs.FileInfo) int64 { return info.ModTime().UnixNano() }

func retry(op func() error) error { return op() }
