// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRunOnTerminal: a Ctrl-C on a terminal reaches the command once, although
// the terminal sends it to "tierce run" too, and whatever standard input is.
func TestRunOnTerminal(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	keyboard, terminal := openTerminal(t)
	cmd := p.command(".", []string{"tierce", "run", "--", "listener"})
	cmd.ExtraFiles = []*os.File{terminal}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	pipe, err := cmd.StdoutPipe()
	p.ok(err)
	p.ok(cmd.Start())
	lines := bufio.NewScanner(pipe)
	next := func(want string) {
		t.Helper()
		if lines.Scan(); lines.Text() != want {
			t.Errorf("the command printed %q, want %q", lines.Text(), want)
		}
	}
	next("ready")
	_, err = keyboard.Write([]byte{'C' & 0x1f})
	p.ok(err)
	next("got interrupt")
	p.ok(cmd.Process.Signal(syscall.SIGUSR1)) // after which nothing comes
	next("got user defined signal 1")
	_ = cmd.Wait() // the exit code is what is asked for
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("the exit code is %d, want 7", code)
	}
}

// openTerminal returns both ends of a new terminal.
func openTerminal(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	open := func(path string) *os.File {
		file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY, 0)
		if err != nil {
			t.Fatalf("no terminal to test with: %v; mount devpts on /dev/pts", err)
		}
		t.Cleanup(func() { _ = file.Close() })
		return file
	}
	keyboard = open("/dev/ptmx")
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return keyboard, open(fmt.Sprintf("/dev/pts/%d", number))
}
