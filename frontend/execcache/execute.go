// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"time"

	"github.com/tiercecache/tierce/interfaces"
)

// execution is a command that ran, and what it made.
type execution struct {
	result Result
	took   time.Duration
	unfit  error // why the result must not be recorded; nil if it may be
	stdout capture
	stderr capture
}

// execute runs the command. What it prints is held back if hold is set. An error
// means that it was not run.
func (r *Recorder) execute(ctx context.Context, j *job, streams Streams, hold bool) (*execution, error) {
	e := &execution{
		stdout: capture{to: streams.Stdout, limit: r.opts.MaxPrinted, held: hold},
		stderr: capture{to: streams.Stderr, limit: r.opts.MaxPrinted, held: hold},
	}
	before := j.outputs()
	cmd := &exec.Cmd{Path: j.program, Args: j.command.Args, Dir: j.command.Dir, Stdout: &e.stdout, Stderr: &e.stderr}
	if j.stdin != nil {
		if _, err := j.stdin.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		cmd.Stdin = j.stdin
	}
	if j.trace != nil {
		if err := j.traced(cmd); err != nil {
			return nil, err
		}
	}
	start := time.Now()
	code, err := r.opts.Exec(ctx, cmd)
	if err != nil {
		return nil, err
	}
	e.result.Code, e.took = code, time.Since(start)
	e.unfit = e.judge(cmd, j)
	if e.unfit == nil {
		e.unfit = e.collect(j, before, r.opts.Files == nil)
	}
	if e.unfit == nil {
		e.unfit = errChanged(j.folder, j.inputs)
	}
	return e, nil
}

// judge returns why what the command did must not be recorded, whatever it made.
func (e *execution) judge(cmd *exec.Cmd, j *job) error {
	switch state := cmd.ProcessState; {
	case state == nil || state.ExitCode() < 0:
		return errors.New("the command was ended by a signal")
	case state.ExitCode() != 0 && !j.command.Failures:
		return ErrFailed
	}
	return cmp.Or(e.stdout.err(), e.stderr.err())
}

// outputs describes the outputs that are there, nil for one that is not.
func (j *job) outputs() []fs.FileInfo {
	infos := make([]fs.FileInfo, len(j.command.Outputs))
	for i, name := range j.command.Outputs {
		if info, err := j.folder.Lstat(name); err == nil {
			infos[i] = info
		}
	}
	return infos
}

// collect fills in the result, whose bodies are in memory if inline is set or
// they are small. The error is why it must not be recorded.
func (e *execution) collect(j *job, before []fs.FileInfo, inline bool) error {
	e.result.Stdout, e.result.Stderr = e.stdout.body(), e.stderr.body()
	total := e.result.Stdout.Size + e.result.Stderr.Size
	for i, name := range j.command.Outputs {
		file, err := j.collectFile(name, before[i])
		if err != nil {
			return err
		}
		e.result.Files = append(e.result.Files, file)
		total += file.Body.Size
	}
	if inline && total > maxResult {
		return fmt.Errorf("its outputs have %d bytes, and a deterministic mode records up to %d", total, maxResult)
	}
	for i := range e.result.Files {
		if err := e.result.Files[i].load(inline); err != nil {
			return err
		}
	}
	return nil
}

// collectFile opens an output.
func (j *job) collectFile(name string, before fs.FileInfo) (File, error) {
	info, err := j.folder.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return File{}, fmt.Errorf("the command did not make the output %s", name)
	case err != nil:
		return File{}, fmt.Errorf("the output %s: %w", name, err)
	case !info.Mode().IsRegular():
		return File{}, fmt.Errorf("the output %s is no regular file", name)
	case before != nil && os.SameFile(before, info) && before.Size() == info.Size() && before.ModTime().Equal(info.ModTime()):
		return File{}, fmt.Errorf("the command left the output %s as it was before", name)
	}
	file, err := j.folder.Open(name)
	if err != nil {
		return File{}, fmt.Errorf("the output %s: %w", name, err)
	}
	return File{Path: name, Mode: info.Mode().Perm(), Body: interfaces.Stream(file, info.Size())}, nil
}

// load reads the body into memory if it is small or all is to stand in the
// result.
func (f *File) load(inline bool) error {
	if !inline && f.Body.Size > maxInline {
		return nil
	}
	text, err := f.Body.Bytes()
	_ = f.Body.Close() // only read
	f.Body = interfaces.Bytes(text)
	if err != nil {
		return fmt.Errorf("the output %s: %w", f.Path, err)
	}
	return nil
}

// removeOutputs removes the outputs of a command whose result does not count.
func (j *job) removeOutputs() {
	for _, name := range j.command.Outputs {
		_ = j.folder.Remove(name) // what is not there is what is wanted
	}
}

// release passes on what was held back.
func (e *execution) release() error {
	return errors.Join(e.stdout.release(), e.stderr.release())
}

// capture passes on what a command prints, at once or when it is released, and
// keeps it.
type capture struct {
	to    io.Writer // nil for nowhere
	limit int       // how many bytes are kept
	held  bool
	over  bool // it was too much to keep
	kept  bytes.Buffer
}

// Write implements [io.Writer].
func (c *capture) Write(p []byte) (int, error) {
	if !c.over && c.kept.Len()+len(p) > c.limit {
		if err := c.release(); err != nil {
			return 0, err
		}
		c.over, c.kept = true, bytes.Buffer{}
	}
	if !c.over {
		_, _ = c.kept.Write(p) // never fails
	}
	if c.held || c.to == nil {
		return len(p), nil
	}
	return c.to.Write(p)
}

// release passes on what was held back, and from now on at once.
func (c *capture) release() error {
	if !c.held {
		return nil
	}
	c.held = false
	if c.to == nil {
		return nil
	}
	_, err := c.to.Write(c.kept.Bytes())
	return err
}

// err returns why the stream cannot be recorded, or nil.
func (c *capture) err() error {
	if c.over {
		return fmt.Errorf("the command printed more than %d bytes", c.limit)
	}
	return nil
}

func (c *capture) body() interfaces.Entry { return interfaces.Bytes(c.kept.Bytes()) }
