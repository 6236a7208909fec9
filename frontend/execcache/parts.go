// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// job is a command whose inputs have been read. Close lets go of what it holds.
type job struct {
	command Command
	folder  folder
	program string // path
	inputs  []input
	stdin   *os.File // nil if it is empty
	parts   Parts
}

// newJob reads all that the command depends on. stdin is read to its end if it is
// an input.
func newJob(ctx context.Context, c Command, stdin io.Reader) (*job, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	dir, err := openFolder(c.Dir)
	if err != nil {
		return nil, err
	}
	j := &job{command: c, folder: dir, parts: Parts{Args: c.Args, Env: environment(c.Env), Outputs: c.Outputs}}
	if err := j.read(ctx, stdin); err != nil {
		j.close()
		return nil, err
	}
	return j, nil
}

func (j *job) read(ctx context.Context, stdin io.Reader) (err error) {
	if j.program, err = lookPath(j.command.Dir, j.command.Args[0]); err != nil {
		return &exec.Error{Name: j.command.Args[0], Err: err}
	}
	if err := j.readInputs(ctx); err != nil {
		return err
	}
	if j.parts.Tools, err = identities(ctx, j.command); err != nil {
		return err
	}
	if j.command.Stdin {
		j.stdin, j.parts.Stdin, err = spool(stdin)
	}
	return err
}

func (j *job) readInputs(ctx context.Context) (err error) {
	if j.inputs, err = findInputs(j.folder, j.command.Inputs, j.command.Outputs); err != nil {
		return err
	}
	if err := readInputs(ctx, j.folder, j.inputs); err != nil {
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
	if j.stdin != nil {
		_ = j.stdin.Close()
		_ = os.Remove(j.stdin.Name()) // it is gone, where that is possible while it is open
	}
}

// lookPath returns the path of a program: on PATH, or below dir if its name has a
// separator.
func lookPath(dir, program string) (string, error) {
	if filepath.Base(program) != program && !filepath.IsAbs(program) {
		program = filepath.Join(dir, program)
		if !strings.ContainsRune(program, filepath.Separator) {
			program = "." + string(filepath.Separator) + program
		}
	}
	path, err := exec.LookPath(program)
	if cause, ok := errors.AsType[*exec.Error](err); ok {
		err = cause.Err
	}
	if err == nil {
		path, err = filepath.Abs(path)
	}
	return path, err
}

// identities returns the identities of the tools of a command, as they are
// named.
func identities(_ context.Context, c Command) (map[string]string, error) {
	all := make(map[string]string, 1+len(c.Tools))
	for _, tool := range append([]string{c.Args[0]}, c.Tools...) {
		path, err := lookPath(c.Dir, tool)
		if err == nil {
			all[tool], err = digestFile(path)
		}
		if err != nil {
			return nil, &DeclarationError{Kind: "tool", Name: tool, Why: err.Error(), Do: "give the name of a program on PATH, or its path", Err: err}
		}
	}
	return all, nil
}

func digestFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // only read
	return digestOf(file)
}

// environment returns the digests of the variables of these names, "" of those
// that are not set.
func environment(names []string) map[string]string {
	values := make(map[string]string, len(names))
	for _, name := range names {
		values[name] = ""
		if value, ok := os.LookupEnv(name); ok {
			digest := sha256.Sum256([]byte(value))
			values[name] = hex.EncodeToString(digest[:])
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
