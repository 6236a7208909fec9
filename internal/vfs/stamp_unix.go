// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package vfs

import "golang.org/x/sys/unix"

// StampOf returns the stamp of the file or folder that path leads to, through
// links. Where the system does not tell when a file was last changed, it is
// [errors.ErrUnsupported].
func StampOf(path string) (Stamp, error) {
	var st unix.Stat_t
	_, err := again(func() (struct{}, error) { return struct{}{}, unix.Stat(path, &st) })
	if err != nil {
		return Stamp{}, pathError("stat", path, err)
	}
	return Stamp{
		Device: uint64(st.Dev), ID: st.Ino, Size: st.Size, Modified: st.Mtim.Nano(), Changed: st.Ctim.Nano(),
	}, nil
}
