// SPDX-License-Identifier: Apache-2.0

package vfs_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/tiercecache/tierce/internal/vfs"
)

func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir) //nolint:errcheck // of the example

	var fs vfs.FS = vfs.OS{}
	path := filepath.Join(dir, "file")
	file, err := fs.Create(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = file.Write([]byte("body"))
	fmt.Println(err, file.Close())

	info, err := fs.Stat(path)
	fmt.Println(info.Size, info.Regular, err)
	// Output:
	// <nil> <nil>
	// 4 true <nil>
}
