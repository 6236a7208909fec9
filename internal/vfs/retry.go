// SPDX-License-Identifier: Apache-2.0

package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"
)

// Sharing violations on Windows: another process, often a virus scanner, has
// the file open for a moment. The numbers are those of winerror.h.
const (
	errAccessDenied     = syscall.Errno(5)
	errSharingViolation = syscall.Errno(32)
	errLockViolation    = syscall.Errno(33)
)

// Retry repeats an operation while its error is a sharing violation, waiting
// 5, 10, 20, 50 and 100 ms between the tries: 185 ms in all. On POSIX systems
// nothing uses it; it is built everywhere so that it is tested everywhere.
type Retry struct {
	Sleep func(time.Duration) // waits
}

// pauses come from cuda.core's program cache, which met the same violations.
var pauses = [...]time.Duration{
	5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond,
}

// ErrBusy is a file that another process holds for longer than [Retry] waits.
// No POSIX system says so.
var ErrBusy = errors.New("another process holds the file")

// Do runs op until it succeeds or fails otherwise than by a sharing violation,
// and returns its error. Once the pauses are used up that is the last one, and
// [ErrBusy].
func (r Retry) Do(op func() error) error {
	err := op()
	for _, pause := range pauses {
		if !SharingViolation(err) {
			return err
		}
		r.Sleep(pause)
		err = op()
	}
	if SharingViolation(err) {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

// SharingViolation reports whether err is what Windows says while another
// process holds a file: its errors 5, 32 and 33, or a bare EACCES.
func SharingViolation(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return false
	}
	switch errno {
	case errAccessDenied, errSharingViolation, errLockViolation, syscall.EACCES:
		return true
	}
	return false
}

// Refused reports whether err says that this user may not write there: a
// read-only file system or missing rights.
func Refused(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}
