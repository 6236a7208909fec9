// SPDX-License-Identifier: Apache-2.0

package redistest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

var errMissing = errors.New("redis-server is not installed, and these tests use a real one; `make test` gets it, or: apt-get install redis-server")

// process is a running redis-server.
type process struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed when it has ended
}

// launch starts redis-server with args; it prints to the file log.
func launch(ctx context.Context, log string, args []string) (*process, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errMissing
	}
	output, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer output.Close() //nolint:errcheck // the process has its own
	p := &process{cmd: exec.CommandContext(context.WithoutCancel(ctx), path, args...), gone: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = output, output
	p.cmd.SysProcAttr = withParent()
	begun := make(chan error)
	go func() {
		// The thread that starts a process is its parent: see withParent.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		begun <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ends is seen in its log
			close(p.gone)
		}
	}()
	return p, <-begun
}

// kill ends the process, paused or not.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.gone
}

// stop asks the process to end.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-p.gone
	return nil
}
