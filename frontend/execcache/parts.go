// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/tiercecache/tierce/memo"
)

// job is a command whose inputs have been read. Close lets go of what it holds.
type job struct {
	command Command
	folder  folder
	program string // absolute path
	inputs  []input
	stdin   *os.File // nil if it is empty
	trace   *os.File // where strace writes; nil if it does not
	parts   Parts

	recorded *memo.Function[Parts, Result] // of the command's outputs
}

// newJob reads all that the command depends on. stdin is read to its end if it is
// an input.
func (r *Recorder) newJob(ctx context.Context, c Command, stdin io.Reader) (*job, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	dir, err := openFolder(c.Dir)
	if err != nil {
		return nil, err
	}
	j := &job{command: c, folder: dir, parts: Parts{Args: c.Args, Env: environment(c.Env), Outputs: c.Outputs}}
	j.recorded, err = r.function(ctx, c)
	if err == nil {
		err = j.read(ctx, toolbox{dir: r.opts.ToolDir}, stdin)
	}
	if err != nil {
		j.close()
		return nil, err
	}
	return j, nil
}

func (j *job) read(ctx context.Context, tools toolbox, stdin io.Reader) (err error) {
	if err := j.identify(ctx, tools); err != nil {
		return err
	}
	if err := j.readInputs(ctx); err != nil {
		return err
	}
	if j.command.Stdin {
		j.stdin, j.parts.Stdin, err = spool(stdin)
	}
	return err
}

// identify finds the program and the tools.
func (j *job) identify(ctx context.Context, tools toolbox) error {
	c := j.command
	program, err := findTool(c.Dir, c.Args[0])
	if err != nil {
		if cause, ok := errors.AsType[*exec.Error](err); ok {
			err = cause.Err
		}
		return &exec.Error{Name: c.Args[0], Err: err}
	}
	j.program = program.path
	j.parts.Tools = make(map[string]string, 1+len(c.Tools))
	if j.parts.Tools[program.name], err = tools.of(ctx, program); err != nil {
		return err
	}
	for _, name := range c.Tools {
		found, err := findTool(c.Dir, name)
		if err != nil {
			return &DeclarationError{Kind: "tool", Name: name, Why: "it cannot be found", Do: "give the name of a program on PATH, or its path", Err: err}
		}
		if j.parts.Tools[name], err = tools.of(ctx, found); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) readInputs(ctx context.Context) (err error) {
	if j.inputs, err = findInputs(j.folder, j.command.Inputs, j.command.Outputs); err != nil {
		return err
	}
	if j.inputs, err = readInputs(ctx, j.folder, j.inputs); err != nil {
		return err
	}
	j.parts.Inputs = make(map[string]string, len(j.inputs))
	for _, in := range j.inputs {
		j.parts.Inputs[in.name] = in.digest
	}
	return nil
}

func (j *job) close() {
	_ = j.folder.Close() // only looked into
	for _, file := range []*os.File{j.stdin, j.trace} {
		if file != nil {
			_ = file.Close()
			_ = os.Remove(file.Name()) // it may be gone, where that is possible while it is open
		}
	}
}

// environment returns the digests of the variables of these names, "" of those
// that are not set.
func environment(names []string) map[string]string {
	values := make(map[string]string, len(names))
	for _, name := range names {
		values[name] = ""
		if value, ok := os.LookupEnv(name); ok {
			values[name] = digestText([]byte(value))
		}
	}
	return values
}

// spool returns a file with all of in, to be read from its beginning, and its
// digest.
func spool(in io.Reader) (file *os.File, digest string, err error) {
	if in == nil {
		in = strings.NewReader("")
	}
	if file, err = os.CreateTemp("", temporaryPrefix+"*"+temporarySuffix); err != nil {
		return nil, "", err
	}
	_ = os.Remove(file.Name()) // not where somebody has it open
	digest, err = digestOf(io.TeeReader(in, file))
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}
	return file, digest, err
}
