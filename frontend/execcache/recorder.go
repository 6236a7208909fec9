// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os/exec"
	"time"

	cachectx "github.com/tiercecache/tierce/context"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memo"
)

// Options are the settings of a [Recorder].
type Options struct {
	// Files is the cache of a fast recorder, in which large bodies are entries of
	// their own. It is nil with a deterministic recorder: every body then stands
	// in the result, and what a command prints is held back until it is known
	// whose result counts. It stays the caller's to close.
	Files interfaces.Cache
	// Isolation chooses forms of the memo.Recorder; the zero value all that it
	// has.
	Isolation cachectx.Schema
	// ToolDir is a directory of this machine in which identities of tools are
	// remembered, so that they need not be made each time. It is made if it is
	// missing, and may be removed at any moment. "" remembers none.
	ToolDir string
	// MaxPrinted is how many bytes a stream may have to be recorded; 0 means 64
	// MiB. They are in memory while the command runs.
	MaxPrinted int
	// Notes is the cache for notes of what was recorded, with which
	// [Recorder.Explain] compares; best a stack, which may be that of Files. Nil
	// keeps none. It stays the caller's to close.
	Notes interfaces.Cache
	// Clock tells the time of a recording; nil means time.Now.
	Clock func() time.Time
	// Exec runs a command to its end and returns its exit code; an error means
	// that it was not run. Nil runs it as it is; a signal that ends it is then
	// the exit code -1.
	Exec func(ctx context.Context, cmd *exec.Cmd) (code int, err error)
}

// Recorder records commands. Make one with [New]. Many goroutines may use it at
// the same time. There is nothing to close but what it stands on.
type Recorder struct {
	memo *memo.Recorder
	opts Options
}

// New returns a recorder of commands on top of one of functions, which stays the
// caller's to close.
func New(recorder *memo.Recorder, opts Options) (*Recorder, error) {
	if recorder == nil {
		return nil, errors.New("execcache: the *memo.Recorder is nil; make one with NewFast or OpenDeterministic")
	}
	if opts.Exec == nil {
		opts.Exec = run
	}
	opts.MaxPrinted = cmp.Or(opts.MaxPrinted, maxPrinted)
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	return &Recorder{memo: recorder, opts: opts}, nil
}

const maxPrinted = 64 << 20

func run(_ context.Context, cmd *exec.Cmd) (int, error) {
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	_ = cmd.Wait() // its state says how it ended
	return cmd.ProcessState.ExitCode(), nil
}

// Streams are those of a command. Nil is nothing to read, and nowhere to write.
// Stdout and Stderr are written to at the same time.
type Streams struct {
	Stdin  io.Reader // read only if it is an input
	Stdout io.Writer
	Stderr io.Writer
}

// Outcome is how a call of [Recorder.Run], [Recorder.Check] or [Recorder.Trace]
// ended.
type Outcome struct {
	// Code is the exit code.
	Code int
	// Replayed says that the command did not run.
	Replayed bool
	// Unreplayed is what was ill when a recorded result was looked for, though the
	// command then ran; nil if nothing was, or nothing is recorded.
	Unreplayed error
	// Unrecorded is why the result of the command was not recorded: [ErrFailed],
	// [ErrNotInserted], or what somebody may want to know. It is nil if it was
	// recorded, and if the command did not run.
	Unrecorded error
	// Differences are what [Recorder.Check] found.
	Differences []string
	// Trace is what [Recorder.Trace] saw.
	Trace *Trace
	// Parts are what the key was made from.
	Parts Parts
}

// Why a result is not recorded though nothing is wrong.
var (
	ErrFailed      = errors.New("the command failed")
	ErrNotInserted = errors.New("it is recorded already, or recording is switched off")
)

// function is the name of all commands as recorded functions.
const function = "tierce.exec"

// Parts returns all that the key of c is made from. Stdin is read to its end if
// it is an input.
func (r *Recorder) Parts(ctx context.Context, c Command, stdin io.Reader) (Parts, error) {
	j, err := r.newJob(ctx, c, stdin)
	if err != nil {
		return Parts{}, err
	}
	defer j.close()
	return j.parts, nil
}

// Run replays a command, or runs and records it.
//
// What c says wrongly is a *DeclarationError, a program that is not to be found
// or may not be run an *exec.Error. With a fast recorder whatever is ill in the
// cache costs the recording and is no error. With a deterministic one the errors
// are those of recorded functions, and the outputs of a command whose result does
// not count are removed.
func (r *Recorder) Run(ctx context.Context, c Command, streams Streams) (Outcome, error) {
	j, err := r.newJob(ctx, c, streams.Stdin)
	if err != nil {
		return Outcome{}, err
	}
	defer j.close()
	var outcome Outcome
	if r.opts.Files != nil {
		outcome, err = r.runFast(ctx, j, streams)
	} else {
		outcome, err = r.runDeterministic(ctx, j, streams)
	}
	outcome.Parts = j.parts
	return outcome, err
}

func (r *Recorder) function(ctx context.Context, c Command) (*memo.Function[Parts, Result], error) {
	codec := codec{ctx: ctx, files: r.opts.Files, outputs: c.Outputs}
	return memo.New(r.memo, function, memo.Settings[Parts, Result]{
		Encode: codec.encode, Decode: codec.decode, Version: 1, Isolation: r.opts.Isolation,
	})
}

// runFast answers from the cache, or runs the command, whatever is ill.
func (r *Recorder) runFast(ctx context.Context, j *job, streams Streams) (Outcome, error) {
	result, err := j.recorded.Get(ctx, j.parts)
	if err == nil {
		defer result.Close()
		if err = j.folder.restore(&result); err == nil {
			return Outcome{Code: result.Code, Replayed: true}, streams.print(&result)
		}
	}
	own, notRun := r.execute(ctx, j, streams, false)
	if notRun != nil {
		return Outcome{}, notRun
	}
	defer own.result.Close()
	outcome := Outcome{Code: own.result.Code, Unreplayed: err, Unrecorded: own.unfit}
	if errors.Is(err, cacheerr.ErrMiss) {
		outcome.Unreplayed = nil
	}
	if own.unfit == nil {
		outcome.Unrecorded = r.keep(ctx, j, own)
	}
	return outcome, nil
}

// keep records what a command made with a fast recorder, and notes it. How long
// it took under strace is no cost: it would have been a part of that.
func (r *Recorder) keep(ctx context.Context, j *job, own *execution) error {
	cost := own.took
	if j.trace != nil {
		cost = 0
	}
	inserted, err := j.recorded.InsertWithCost(ctx, j.parts, own.result, cost)
	switch {
	case err != nil:
		return err
	case !inserted:
		return ErrNotInserted
	}
	r.note(ctx, j)
	return nil
}

// unfitError is why a result is not recorded, from the one that ran the function
// to those that waited for it.
type unfitError struct{ error }

func (e unfitError) Unwrap() error { return e.error }

// runDeterministic returns the result that counts for everybody.
func (r *Recorder) runDeterministic(ctx context.Context, j *job, streams Streams) (Outcome, error) {
	var own *execution
	execute := func(ctx context.Context, _ Parts) (result Result, err error) {
		if own, err = r.execute(ctx, j, streams, true); err != nil {
			return result, err
		}
		if own.unfit != nil {
			err = unfitError{own.unfit}
		}
		return own.result, err
	}
	result, err := j.recorded.Record(execute)(ctx, j.parts)
	for errors.As(err, new(unfitError)) && own == nil { // another's, that is not recorded: it is this one's turn
		result, err = j.recorded.Record(execute)(ctx, j.parts)
	}
	if own != nil {
		defer own.result.Close()
	}
	switch {
	case own != nil && own.unfit != nil:
		return Outcome{Code: own.result.Code, Unrecorded: own.unfit}, own.release()
	case err != nil && own != nil:
		j.removeOutputs()
		return Outcome{}, err
	case err != nil:
		return Outcome{}, err
	}
	defer result.Close()
	if own != nil {
		r.note(ctx, j)
	}
	if err := j.folder.restore(&result); err != nil {
		return Outcome{}, err
	}
	return Outcome{Code: result.Code, Replayed: own == nil}, streams.print(&result)
}
