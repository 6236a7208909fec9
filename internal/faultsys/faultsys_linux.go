// SPDX-License-Identifier: Apache-2.0

// Package faultsys makes system calls fail on purpose: those on files, of one
// goroutine. It reaches what goes past internal/vfs, such as a library that opens
// its file itself. It is for tests on Linux, where seccomp asks somebody before a
// call happens.
package faultsys

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Call is a system call on a file, before it happens.
type Call struct {
	N    int    // its number, from 1
	Name string // of the system call
	Path string // of the file that it is about; of two the second
}

// String prints the call, so that a failed test names its fault.
func (c Call) String() string { return fmt.Sprintf("%d: %s %s", c.N, c.Name, c.Path) }

// Done is the answer that has a call return 0 and not happen: a sync that nobody
// looks at takes its time.
const Done = ^syscall.Errno(0) //nolint:errname // it is no error

// Run calls do in a goroutine of its own and returns when that has ended. hook is
// asked before each system call on a file that the goroutine makes, and answers
// with the error that it has instead, with [Done], or with 0. It is called by the goroutine
// that called Run, so it must not wait for do. Goroutines that do starts are left
// alone, as are close and munmap, without which nothing ends.
//
// The error says why the system lets nobody watch; do was not called then.
func Run(do func(), hook func(Call) syscall.Errno) error {
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		return err
	}
	defer memory.Close() //nolint:errcheck // only read
	var over [2]int      // a pipe that is closed at the end
	if err := unix.Pipe2(over[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer closeNow(over[0])
	type watched struct {
		listener int
		err      error
	}
	ready, done := make(chan watched), make(chan struct{})
	go func() {
		defer close(done)
		defer closeNow(over[1])
		runtime.LockOSThread() // for ever: the thread ends with the goroutine, and the watch with it
		listener, err := watch()
		ready <- watched{listener, err}
		if err == nil {
			do()
		}
	}()
	w := <-ready
	if w.err != nil {
		return fmt.Errorf("faultsys: seccomp lets nobody watch: %w", w.err)
	}
	defer closeNow(w.listener)
	if err := (&asker{listener: w.listener, memory: memory, hook: hook}).serve(over[0]); err != nil {
		return err
	}
	<-done
	return nil
}

// closeNow closes what was not written to.
func closeNow(fd int) { _ = unix.Close(fd) }

// asker answers what the kernel asks.
type asker struct {
	listener int
	memory   *os.File // of this process
	hook     func(Call) syscall.Errno
	n        int
}

// serve answers until the pipe over is closed.
func (a *asker) serve(over int) error {
	for {
		ready := []unix.PollFd{{Fd: int32(a.listener), Events: unix.POLLIN}, {Fd: int32(over), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if ready[0].Revents&unix.POLLIN != 0 {
			if err := a.answer(); err != nil {
				return err
			}
		} else if ready[1].Revents != 0 {
			return nil
		}
	}
}

// answer asks the hook about one call.
func (a *asker) answer() error {
	asked, ok, err := receive(a.listener)
	if err != nil || !ok {
		return err
	}
	a.n++
	call := calls[int(asked.nr)]
	path := a.name(asked.args[call.arg])
	if call.open {
		path, _ = os.Readlink("/proc/self/fd/" + strconv.FormatUint(asked.args[call.arg], 10))
	}
	return send(a.listener, asked.id, a.hook(Call{N: a.n, Name: call.name, Path: path}))
}

// name returns the path at an address.
func (a *asker) name(at uint64) string {
	var buf [unix.PathMax]byte
	n, _ := a.memory.ReadAt(buf[:], int64(at)) // less where the memory ends
	path, _, _ := bytes.Cut(buf[:n], []byte{0})
	return string(path)
}
