// SPDX-License-Identifier: Apache-2.0

package faultsys

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call is a system call that is asked about.
type call struct {
	name string
	arg  int  // which argument says the file
	open bool // it is an open file, and not the address of a path

	// A call is let through if the low half of this argument is except: the
	// runtime makes such calls itself, at moments when nobody can be asked.
	unless int // 0: no such argument
	except uint32
}

var calls = map[int]call{
	unix.SYS_OPENAT:     {name: "openat", arg: 1},
	unix.SYS_NEWFSTATAT: {name: "fstatat", arg: 1},
	unix.SYS_UNLINKAT:   {name: "unlinkat", arg: 1},
	unix.SYS_MKDIRAT:    {name: "mkdirat", arg: 1},
	unix.SYS_RENAMEAT:   {name: "renameat", arg: 3},
	unix.SYS_LINKAT:     {name: "linkat", arg: 3},
	unix.SYS_LGETXATTR:  {name: "lgetxattr"},
	unix.SYS_FSTAT:      {name: "fstat", open: true},
	unix.SYS_GETDENTS64: {name: "getdents", open: true},
	unix.SYS_PREAD64:    {name: "pread", open: true},
	unix.SYS_PWRITE64:   {name: "pwrite", open: true},
	unix.SYS_FTRUNCATE:  {name: "ftruncate", open: true},
	unix.SYS_FSYNC:      {name: "fsync", open: true},
	unix.SYS_FDATASYNC:  {name: "fdatasync", open: true},
	unix.SYS_FLOCK:      {name: "flock", open: true},
	unix.SYS_READ:       {name: "read", open: true, unless: 2, except: 8},                  // of the poller
	unix.SYS_WRITE:      {name: "write", open: true, unless: 2, except: 8},                 // to the poller
	unix.SYS_MMAP:       {name: "mmap", arg: 4, open: true, unless: 4, except: ^uint32(0)}, // of no file
}

// Where struct seccomp_data has the number of the call, and its arguments.
const (
	offsetNumber = 0
	offsetArgs   = 16
)

// filter returns the program that decides what is asked about.
func filter() []unix.SockFilter {
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	skipUnless := func(value uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: skip, K: value}
	}
	end := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	program := []unix.SockFilter{load(offsetNumber)}
	for number, call := range calls {
		if call.unless == 0 {
			program = append(program, skipUnless(uint32(number), 1), end(unix.SECCOMP_RET_USER_NOTIF))
			continue
		}
		program = append(program, skipUnless(uint32(number), 4), load(offsetArgs+8*uint32(call.unless)),
			skipUnless(call.except, 1), end(unix.SECCOMP_RET_ALLOW), end(unix.SECCOMP_RET_USER_NOTIF))
	}
	return append(program, end(unix.SECCOMP_RET_ALLOW))
}

// watch has this thread's calls asked about, by the file that it returns.
func watch() (listener int, err error) {
	program := filter()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV // the runtime sends signals
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(program)
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}

// notice is struct seccomp_notif.
type notice struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

// reply is struct seccomp_notif_resp.
type reply struct {
	id    uint64
	value int64
	errno int32 // negative
	flags uint32
}

// goOn is SECCOMP_USER_NOTIF_FLAG_CONTINUE.
const goOn = 1

// receive returns what is asked; ok is false if a signal came before, so that it
// will be asked again.
func receive(listener int) (n notice, ok bool, err error) {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n)))
	switch errno {
	case 0:
		return n, true, nil
	case unix.EINTR, unix.ENOENT:
		return n, false, nil
	}
	return n, false, errno
}

// send answers a call: it fails with errno, or happens.
func send(listener int, id uint64, errno syscall.Errno) error {
	r := reply{id: id}
	switch errno {
	case 0:
		r.flags = goOn
	case Done: // it returns 0
	default:
		r.errno = -int32(errno)
	}
	_, _, err := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&r)))
	if err != 0 && err != unix.ENOENT { // the process is being killed
		return err
	}
	return nil
}
