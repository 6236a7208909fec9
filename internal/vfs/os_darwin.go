// SPDX-License-Identifier: Apache-2.0

package vfs

import (
	"time"

	"golang.org/x/sys/unix"
)

const errNoAttr = unix.ENOATTR

// mark is none: the system takes the sticky bit from a new file.
const mark = 0

// Open implements [FS].
func (OS) Open(path string) (File, error) {
	return opened(open("open", path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0))
}

// move moves a file and replaces nothing.
func move(from, to string) error { return unix.RenamexNp(from, to, unix.RENAME_EXCL) }

// ReadDir implements [FS].
func (OS) ReadDir(path string) ([]string, error) { return readNames(path) }

// setAccessed sets both times: macOS has no "leave as it is" for a descriptor,
// so the time of the last change is written back as it was.
func setAccessed(fd int, nanos int64) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	accessed := time.Unix(0, nanos)
	return unix.Futimes(fd, []unix.Timeval{
		unix.NsecToTimeval(accessed.UnixNano()), unix.NsecToTimeval(st.Mtim.Nano()),
	})
}

// BootID names this run of the machine, or is empty where the system does not
// tell.
func BootID() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return ""
	}
	return id
}
