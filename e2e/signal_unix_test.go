// SPDX-License-Identifier: Apache-2.0

//go:build unix

package e2e_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// TestRunPassesSignalsOn: issue 2, part 10, "passes the exit code and signals on".
func TestRunPassesSignalsOn(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2} {
		out, code := p.signalled(sig, "run", "waiter")
		if want := fmt.Sprintf("ready\ngot %v\n", sig); out != want || code != 7 {
			t.Errorf("%v: the command printed %q and its exit code was %d, want %q and 7", sig, out, code, want)
		}
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		out, code := p.signalled(sig, "run", "sh", "-c", "echo ready; exec sleep 1000")
		if want := 128 + int(sig); out != "ready\n" || code != want {
			t.Errorf("%v: the command printed %q and the exit code was %d, want %q and %d", sig, out, code, "ready\n", want)
		}
	}
}

// TestExecPassesSignalsOn: issue 5, part 4: signals and exit codes as with run, and
// what a signal ended is not recorded.
func TestExecPassesSignalsOn(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1} {
		out, code := p.signalled(sig, "exec", "waiter")
		if want := fmt.Sprintf("ready\ngot %v\n", sig); out != want || code != 7 {
			t.Errorf("%v: the command printed %q and its exit code was %d, want %q and 7", sig, out, code, want)
		}
		for range 2 {
			out, code := p.signalled(sig, "exec", "sh", "-c", "echo ready; exec sleep 1000")
			if want := 128 + int(sig); out != "ready\n" || code != want {
				t.Errorf("%v: the command printed %q and the exit code was %d, want %q and %d", sig, out, code, "ready\n", want)
			}
		}
	}
}

// signalled runs a command through tierce run or exec, sends the latter a signal
// when the command has printed a line, and returns all that it printed, and the
// exit code.
func (p *place) signalled(sig os.Signal, through string, args ...string) (string, int) {
	p.t.Helper()
	cmd := p.command(".", append([]string{"tierce", through, "--"}, args...))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a terminal would send its signals itself
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	pipe, err := cmd.StdoutPipe()
	p.ok(err)
	p.ok(cmd.Start())
	reader := bufio.NewReader(pipe)
	first, _ := reader.ReadString('\n')
	p.ok(cmd.Process.Signal(sig))
	var rest bytes.Buffer
	_, err = rest.ReadFrom(reader)
	p.ok(err)
	_ = cmd.Wait() // the exit code is what is asked for
	if through == "run" && !strings.HasSuffix(stderr.String(), "tierce: no compiler asked the cache for anything\n") {
		p.t.Errorf("%v: standard error is %q and ends without a summary", sig, stderr.String())
	}
	return first + rest.String(), cmd.ProcessState.ExitCode()
}

// waiter is a program that waits for a signal and says which it got.
func waiter() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals)
	signal.Reset(syscall.SIGURG) // the runtime's own
	fmt.Println("ready")
	fmt.Println("got", <-signals)
	os.Exit(7)
}

// listener is a program that says which signals it gets, until a SIGUSR1.
func listener() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGUSR1)
	fmt.Println("ready")
	for got := range signals {
		fmt.Println("got", got)
		if got == syscall.SIGUSR1 {
			os.Exit(7)
		}
	}
}
