// SPDX-License-Identifier: Apache-2.0

//go:build unix

package command

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// interrupts end a command of ours; run passes them on.
var interrupts = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}

// notForHelper are the signals that must not end the helper: its go command
// decides when it is over, and a reader of its output that has gone is told by
// the write.
var notForHelper = append([]os.Signal{syscall.SIGPIPE}, interrupts...)

// passedOn are the signals that run passes on to its command.
var passedOn = []os.Signal{
	syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
}

// fromKeyboard reports whether a terminal sends the signal to the command too:
// to every process of its foreground group.
func fromKeyboard(sig os.Signal) bool {
	return (sig == syscall.SIGINT || sig == syscall.SIGQUIT) && inForeground()
}

// inForeground reports whether this process belongs to the foreground group of
// a terminal, whatever its standard streams are.
func inForeground() bool {
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		return false // it has no terminal
	}
	defer terminal.Close() //nolint:errcheck // only asked
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// endedBy returns the number of the signal that ended a command, or 0.
func endedBy(state *exec.ExitError) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return int(status.Signal())
	}
	return 0
}
