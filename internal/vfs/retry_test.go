// SPDX-License-Identifier: Apache-2.0

package vfs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/tiercecache/tierce/internal/vfs"
)

// violations are what Windows says while another process holds a file.
var violations = []error{syscall.Errno(5), syscall.Errno(32), syscall.Errno(33), syscall.EACCES}

// recorder is a Retry whose pauses take no time.
func recorder(pauses *[]time.Duration) vfs.Retry {
	return vfs.Retry{Sleep: func(d time.Duration) { *pauses = append(*pauses, d) }}
}

func wrap(err error) error { return &fs.PathError{Op: "rename", Path: "entry", Err: err} }

func TestRetry(t *testing.T) {
	want := []time.Duration{
		5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	}
	for _, violation := range violations {
		t.Run(fmt.Sprintf("F10 error %d is tried again for 185 ms, and is then returned", violation), func(t *testing.T) {
			var pauses []time.Duration
			tries := 0
			var last error
			err := recorder(&pauses).Do(func() error {
				tries++
				last = wrap(violation)
				return last
			})
			if !slices.Equal(pauses, want) || tries != len(want)+1 {
				t.Errorf("%d tries with pauses %v, want %v", tries, pauses, want)
			}
			if !errors.Is(err, vfs.ErrBusy) || !errors.Is(err, last) {
				t.Errorf("error %v, want the last one, and %v", err, vfs.ErrBusy)
			}
		})
		t.Run(fmt.Sprintf("F10 error %d that ends is forgotten", violation), func(t *testing.T) {
			var pauses []time.Duration
			err := recorder(&pauses).Do(func() error {
				if len(pauses) < 2 {
					return wrap(violation)
				}
				return nil
			})
			if err != nil || !slices.Equal(pauses, want[:2]) {
				t.Errorf("error %v after pauses %v, want none after two", err, pauses)
			}
		})
	}
	for _, other := range []error{
		nil, wrap(syscall.ENOENT), wrap(syscall.EEXIST), wrap(syscall.ENOSPC), wrap(syscall.Errno(6)),
		wrap(syscall.Errno(31)), wrap(syscall.Errno(34)), fs.ErrPermission, errors.New("EACCES"), errors.ErrUnsupported,
	} {
		t.Run(fmt.Sprintf("F10 %v is not tried again", other), func(t *testing.T) {
			var pauses []time.Duration
			tries := 0
			err := recorder(&pauses).Do(func() error { tries++; return other })
			if err != other || tries != 1 || len(pauses) != 0 {
				t.Errorf("error %v after %d tries and pauses %v", err, tries, pauses)
			}
		})
	}
	t.Run("F10 another error ends it", func(t *testing.T) {
		var pauses []time.Duration
		err := recorder(&pauses).Do(func() error {
			if len(pauses) == 0 {
				return wrap(violations[1])
			}
			return wrap(syscall.ENOSPC)
		})
		if !errors.Is(err, syscall.ENOSPC) || len(pauses) != 1 {
			t.Errorf("error %v after pauses %v", err, pauses)
		}
	})
}

func TestRefused(t *testing.T) {
	for err, want := range map[error]bool{
		wrap(syscall.EACCES): true, wrap(syscall.EPERM): true, wrap(syscall.EROFS): true, os.ErrPermission: true,
		wrap(syscall.ENOSPC): false, wrap(syscall.ENOENT): false, wrap(syscall.EIO): false, nil: false,
	} {
		if got := vfs.Refused(err); got != want {
			t.Errorf("Refused(%v) is %t, want %t", err, got, want)
		}
	}
}

func TestInfo(t *testing.T) {
	one := vfs.Info{ID: 1, Size: 2, Modified: 3, Changed: 4, Accessed: 5, Disk: 6, Regular: true}
	t.Run("F7 the same file has inode, size and time of the last change", func(t *testing.T) {
		for name, change := range map[string]func(*vfs.Info){
			"inode": func(i *vfs.Info) { i.ID++ }, "size": func(i *vfs.Info) { i.Size++ }, "time": func(i *vfs.Info) { i.Modified++ },
		} {
			other := one
			if change(&other); one.Same(other) || other.Same(one) {
				t.Errorf("the same with another %s", name)
			}
		}
		other := one
		other.Changed, other.Accessed, other.Frozen = 40, 50, true
		if !one.Same(other) {
			t.Error("not the same after a use, which changes its other times")
		}
	})
	t.Run("F6 used is the later of read and written", func(t *testing.T) {
		if got := one.Used(); got != 5 {
			t.Errorf("Used: %d, want 5", got)
		}
		if got := (vfs.Info{Modified: 9, Accessed: 5}).Used(); got != 9 {
			t.Errorf("Used: %d, want 9", got)
		}
	})
}
