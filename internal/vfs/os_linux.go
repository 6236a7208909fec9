// SPDX-License-Identifier: Apache-2.0

package vfs

import (
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const errNoAttr = unix.ENODATA

// Open implements [FS]. The kernel refuses O_NOATIME for somebody else's file.
func (OS) Open(path string) (File, error) {
	file, err := open("open", path, unix.O_RDONLY|unix.O_NOATIME|unix.O_NOFOLLOW, 0)
	if err != nil && os.IsPermission(err) {
		return open("open", path, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	}
	return file, err
}

// ReadDir implements [FS].
func (OS) ReadDir(path string) ([]string, error) { return readNames(path) }

// setAccessed is utimensat with an empty path: the file behind the descriptor.
func setAccessed(fd int, nanos int64) error {
	times := [2]unix.Timespec{unix.NsecToTimespec(nanos), {Nsec: unix.UTIME_OMIT}}
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// BootID names this run of the machine, or is empty where the system does not
// tell. What was in memory before another boot may not have reached the disk.
func BootID() string {
	file, err := open("open", "/proc/sys/kernel/random/boot_id", unix.O_RDONLY, 0)
	if err != nil {
		return ""
	}
	var buf [64]byte
	n, _ := file.Read(buf[:])
	_ = file.Close()
	return strings.TrimSpace(string(buf[:n]))
}
