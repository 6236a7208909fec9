// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/urfave/cli/v3"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/frontend/execcache"
)

func (a *app) execCommand() *cli.Command {
	e := execer{app: a}
	first := 1
	return &cli.Command{
		Name:  "exec",
		Usage: "run a command once, and from then on replay it",
		Description: `Replay what a command printed, its exit code and the files that it made, if all
is the same that it is said to depend on: its arguments, the files (--in), the
variables (--env), the programs (--tool) and what machines differ in (--form). Else
run it and record that.

  tierce exec --in 'src/**/*.[ch]' --out app.o -- gcc -c -Isrc src/app.c -o app.o

What is not named does not count: --check runs the command again and compares, --trace
runs it and looks what it reads.`,
		ArgsUsage:                 "-- CMD [ARG]...",
		StopOnNthArg:              &first, // what follows the command is the command's
		DisableSliceFlagSeparator: true,
		OnUsageError:              wrongFlag,
		Flags: append(append(e.declarations(),
			&cli.BoolFlag{Name: "check", Usage: "run it, compare with what is recorded, and fail if that differs", Destination: &e.check},
			&cli.BoolFlag{Name: "trace", Usage: "run it under strace, on Linux, and fail if it reads files that are not named", Destination: &e.trace},
			&cli.StringFlag{Name: "summary", Value: "ill", Usage: "what to say at the end: ill (what is wrong), text, json or none", Destination: &e.summary},
		), a.recordFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error { return e.run(ctx, cmd.Args().Slice()) },
	}
}

// declarations are the flags that say what a command depends on and makes.
func (e *execer) declarations() []cli.Flag {
	return []cli.Flag{
		texts("in", "file, folder or `PATTERN` that it reads, below the working folder; ** stands for any folders", &e.command.Inputs),
		texts("out", "regular `FILE` that it makes", &e.command.Outputs),
		texts("env", "variable, by its `NAME`, whose value counts", &e.command.Env),
		texts("tool", "`PROGRAM` that it runs besides, by path or name on PATH", &e.command.Tools),
		texts("form", "what machines differ in: "+execcache.FormNames+" (`FORM`)", &e.forms),
		&cli.BoolFlag{Name: "stdin", Usage: "it reads the standard input, which is empty otherwise", Destination: &e.command.Stdin},
		&cli.BoolFlag{Name: "failures", Usage: "replay failures too", Destination: &e.command.Failures},
	}
}

// texts is a flag that may be given many times.
func texts(name, usage string, to *[]string) cli.Flag {
	return &cli.StringSliceFlag{Name: name, Usage: usage, Destination: to}
}

// execer is one "tierce exec".
type execer struct {
	app     *app
	command execcache.Command
	forms   []string
	check   bool
	trace   bool
	summary string
}

func (e *execer) run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return usagef("exec needs a command, such as: tierce exec --in in.txt --out out.txt -- sort in.txt -o out.txt")
	}
	switch e.summary {
	case "ill", "text", "json", "none":
	default:
		return usagef("--summary is ill, text, json or none, not %q", e.summary)
	}
	if e.check && e.trace {
		return usagef("--check and --trace are one run each; give one of them")
	}
	recording, err := e.app.openRecording(ctx, e.forms)
	if err != nil {
		return err
	}
	e.command.Args = args
	do := recording.recorder.Run
	switch {
	case e.check:
		do = recording.recorder.Check
	case e.trace:
		do = recording.recorder.Trace
	}
	outcome, err := do(ctx, e.command, execcache.Streams{Stdin: os.Stdin, Stdout: e.app.stdout, Stderr: e.app.stderr})
	closing := recording.close(context.WithoutCancel(ctx))
	if err != nil {
		return recordingError(ctx, err)
	}
	if outcome.Unrecorded == nil && !outcome.Replayed && !e.check {
		outcome.Unrecorded = recording.nowhere
	}
	e.say(outcome)
	switch {
	case outcome.Code != 0:
		return exitError{code: outcome.Code}
	case len(outcome.Differences) > 0, errors.Is(outcome.Unrecorded, execcache.ErrUndeclared):
		return exitError{code: exitFailed}
	}
	return closing
}

// execSummary is what "tierce exec --summary json" says.
type execSummary struct {
	Outcome     string   `json:"outcome"` // replayed, recorded, unrecorded or checked
	Code        int      `json:"code"`
	Unreplayed  string   `json:"unreplayed,omitempty"`
	Unrecorded  string   `json:"unrecorded,omitempty"`
	Differences []string `json:"differences,omitempty"`

	Trace *execcache.Trace `json:"trace,omitempty"`
}

// say says how the command ended, on standard error.
func (e *execer) say(outcome execcache.Outcome) {
	s := execSummary{Outcome: "recorded", Code: outcome.Code, Differences: outcome.Differences, Trace: outcome.Trace}
	switch {
	case e.check:
		s.Outcome = "checked"
	case outcome.Replayed:
		s.Outcome = "replayed"
	case outcome.Unrecorded != nil:
		s.Outcome, s.Unrecorded = "unrecorded", outcome.Unrecorded.Error()
	}
	if outcome.Unreplayed != nil {
		s.Unreplayed = outcome.Unreplayed.Error()
	}
	switch e.summary {
	case "json":
		text, _ := json.Marshal(s) // numbers and texts have a JSON form
		fmt.Fprintf(e.app.stderr, "%s\n", text)
	case "ill", "text":
		all := e.summary == "text"
		known := errors.Is(outcome.Unrecorded, execcache.ErrFailed) || errors.Is(outcome.Unrecorded, execcache.ErrNotInserted) ||
			errors.As(outcome.Unrecorded, new(saidError))
		for _, line := range s.lines(all || !known, all) {
			fmt.Fprintln(e.app.stderr, "tierce:", line)
		}
	}
}

// lines are the sentences for people. Of what went well they speak only if all is
// set.
func (s execSummary) lines(failed, all bool) (lines []string) {
	switch {
	case s.Unreplayed != "" && s.Outcome == "checked":
		lines = append(lines, "there is nothing to compare with: "+s.Unreplayed)
	case s.Unreplayed != "":
		lines = append(lines, "not replayed: "+s.Unreplayed)
	}
	if s.Unrecorded != "" && failed {
		lines = append(lines, "not recorded: "+s.Unrecorded)
	}
	for _, difference := range s.Differences {
		lines = append(lines, "not what is recorded: "+difference)
	}
	lines = append(lines, traceLines(s.Trace, all)...)
	switch {
	case len(lines) > 0 || !all:
	case s.Outcome == "checked":
		lines = append(lines, "it is what is recorded")
	default:
		lines = append(lines, s.Outcome)
	}
	return lines
}

// recordingError returns the error with which a command ends that could not be
// recorded or replayed, with its exit code.
func recordingError(ctx context.Context, err error) error {
	if _, ok := errors.AsType[*execcache.DeclarationError](err); ok {
		return usageError{err}
	}
	if program, ok := errors.AsType[*exec.Error](err); ok {
		return notStarted(program.Name, program.Err)
	}
	if ctx.Err() != nil {
		return exitError{exitSignal + int(syscall.SIGINT), context.Cause(ctx)}
	}
	if _, ok := errors.AsType[exitError](err); ok {
		return err
	}
	if _, ok := errors.AsType[cacheerr.CacheError](err); ok {
		return err
	}
	return exitError{exitOwn, err}
}
