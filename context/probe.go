// SPDX-License-Identifier: Apache-2.0

package context

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// probe is a form and its answer, once it has one.
type probe struct {
	form   Form
	once   sync.Once
	done   chan struct{} // closed when answer and err are set; made by start
	answer Answer
	err    error // the value is not JSON
}

// start runs the probe, the first time it is called. That caller's values reach
// it, its cancellation does not: others may want the answer.
func (p *probe) start(ctx context.Context, timeout time.Duration) {
	p.once.Do(func() {
		p.done = make(chan struct{})
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		found := make(chan func(), 1)
		go func() {
			conclude := func() { p.answer = Answer{Failed: "panic"} } // or the end of its goroutine
			defer func() {
				_ = recover()
				found <- conclude
			}()
			value, err := p.form.Probe(ctx)
			conclude = func() { p.conclude(value, err) }
		}()
		go func() {
			defer close(p.done)
			defer cancel()
			select {
			case conclude := <-found:
				conclude()
			case <-ctx.Done(): // it may be deaf to that
				p.answer = Answer{Failed: kind(ctx.Err())}
			}
		}()
	})
}

func (p *probe) conclude(value any, err error) {
	if err != nil {
		p.answer = Answer{Failed: kind(err)}
		return
	}
	text, err := canonical(value)
	if err != nil {
		p.err = notJSON(p.form.Name, err)
		return
	}
	p.answer = Answer{Value: text}
}

// wait returns the answer of a probe that was started.
func (p *probe) wait(ctx context.Context) (Answer, error) {
	select {
	case <-p.done:
		return p.answer, p.err
	default:
	}
	select {
	case <-p.done:
		return p.answer, p.err
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
}

// kind returns the class of an error: what is the same wherever and whenever
// the same thing goes wrong.
func kind(err error) string {
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "not-found"
	case errors.Is(err, fs.ErrPermission):
		return "permission"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	case errors.Is(err, errors.ErrUnsupported):
		return "unsupported"
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if exit.ExitCode() < 0 {
			return "killed"
		}
		return "exit " + strconv.Itoa(exit.ExitCode())
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner // wrapping adds text, which does not count
	}
	return fmt.Sprintf("%T", err)
}
