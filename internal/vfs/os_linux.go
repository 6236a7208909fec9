// SPDX-License-Identifier: Apache-2.0

package vfs

import (
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const errNoAttr = unix.ENODATA

// mark is the sticky bit, which means nothing for a file. No umask takes it
// away, and it comes into being with the file: an attribute that is set a moment
// later may be lost in a power failure while the file is kept.
const mark = unix.S_ISVTX

// Open implements [FS]. The kernel refuses O_NOATIME for somebody else's file.
func (OS) Open(path string) (File, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK
	file, err := open("open", path, flags|unix.O_NOATIME, 0)
	if err != nil && os.IsPermission(err) {
		file, err = open("open", path, flags, 0)
	}
	return opened(file, err)
}

// move moves a file and replaces nothing.
func move(from, to string) error {
	return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
}

// ReadDir implements [FS]. The system's own call spares the poller, as for
// files.
func (OS) ReadDir(path string) ([]string, error) {
	fd, err := again(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, pathError("open", path, err)
	}
	defer unix.Close(fd) //nolint:errcheck // only read
	var names []string
	buf := make([]byte, 32<<10)
	for {
		n, err := again(func() (int, error) { return unix.ReadDirent(fd, buf) })
		if err != nil || n <= 0 {
			return names, pathError("readdir", path, err)
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

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
