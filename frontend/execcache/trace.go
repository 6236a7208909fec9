// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/tiercecache/tierce/internal/strace"
)

// Trace is what a command and all that it started were seen to do with files, as
// far as system calls by name tell it: not what they asked of a server, nor
// whether they looked if a file is there. Lists are sorted; paths are without
// links and, below the working folder, start from it and have slashes.
type Trace struct {
	// Undeclared are the files below the working folder that were read or
	// executed, and are neither inputs, outputs nor tools, nor had been made by
	// the command. The result depends on them and its key does not.
	Undeclared []string `json:"undeclared"`
	// Programs were executed and are neither tools nor what these run.
	Programs []string `json:"programs"`
	// Elsewhere are other files that were read.
	Elsewhere []string `json:"elsewhere"`
	// System are those of them that belong to the operating system.
	System []string `json:"system"`
	// Absent are files that were looked for below the working folder and were
	// not there: one that comes may change the result.
	Absent []string `json:"absent"`
	// Folders below the working folder were listed, or at least opened.
	Folders []string `json:"folders"`
}

// ErrUndeclared says that nothing is recorded since the command read files that
// it does not declare.
var ErrUndeclared = errors.New("the command read files that are no inputs")

var (
	errTraced   = errors.New("in a deterministic mode a traced run is not recorded")
	errUntraced = errors.New("strace traced nothing; what it printed may say why, such as that this system forbids it")
)

// Trace runs a command, whatever is recorded, under the program strace, and tells
// in Outcome.Trace what it was seen to do with files. What it prints is passed on and its files
// stay. The result is recorded as by [Recorder.Run] if the trace has nothing
// undeclared, and Outcome.Unrecorded is [ErrUndeclared] if it has; a deterministic
// recorder records nothing, since nobody agreed on what has been printed. The
// command takes up to several times as long.
//
// Elsewhere than on Linux it is [errors.ErrUnsupported], without strace an
// exec.ErrNotFound; it says what to do. If the command
// ran and nothing is known of what it did, that is an error too, with an Outcome
// without Trace.
func (r *Recorder) Trace(ctx context.Context, c Command, streams Streams) (Outcome, error) {
	if runtime.GOOS != "linux" {
		return Outcome{}, fmt.Errorf("a trace needs the program strace, which is for Linux: %w", errors.ErrUnsupported)
	}
	if _, err := exec.LookPath("strace"); err != nil {
		return Outcome{}, fmt.Errorf("a trace needs the program strace; install it, with Debian's packages by \"apt-get install strace\": %w", exec.ErrNotFound)
	}
	j, err := r.newJob(ctx, c, streams.Stdin)
	if err != nil {
		return Outcome{}, err
	}
	defer j.close()
	if j.trace, err = os.CreateTemp("", temporaryPrefix+"*"+temporarySuffix); err != nil {
		return Outcome{}, err
	}
	own, err := r.execute(ctx, j, streams, false)
	if err != nil {
		return Outcome{}, err
	}
	defer own.result.Close()
	outcome := Outcome{Code: own.result.Code, Unrecorded: own.unfit, Parts: j.parts}
	outcome.Trace, err = j.readTrace(ctx)
	switch {
	case err != nil:
		outcome.Unrecorded = err
	case len(outcome.Trace.Undeclared) > 0:
		outcome.Unrecorded = ErrUndeclared
	case own.unfit != nil:
	case r.opts.Files == nil:
		outcome.Unrecorded = errTraced
	default:
		outcome.Unrecorded = r.keep(ctx, j, own)
	}
	return outcome, err
}

// traced makes cmd run under strace.
func (j *job) traced(cmd *exec.Cmd) error {
	path, err := exec.LookPath("strace")
	if err != nil {
		return err
	}
	cmd.Path, cmd.Args = path, strace.Args(j.trace.Name(), j.command.Args)
	return nil
}

// readTrace returns what the command was seen to do.
func (j *job) readTrace(ctx context.Context) (*Trace, error) {
	root, err := filepath.Abs(j.folder.path)
	if err != nil {
		return nil, err
	}
	var declared []string
	for _, in := range j.inputs {
		declared = append(declared, filepath.Join(root, in.name))
	}
	for _, name := range j.command.Outputs {
		declared = append(declared, filepath.Join(root, name))
	}
	for _, name := range append([]string{j.command.Args[0]}, j.command.Tools...) {
		found, err := findTool(j.command.Dir, name)
		if err != nil {
			return nil, err
		}
		declared = append(declared, found.programs(ctx)...)
	}
	return readTrace(j.trace, real(root), declared)
}
