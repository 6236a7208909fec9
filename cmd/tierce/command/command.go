// SPDX-License-Identifier: Apache-2.0

// Package command is the command tierce: one file for each subcommand. A
// program with tiers of its own calls [Main] with its own registry.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/tiercecache/tierce/config"
)

// Exit codes of the command. "tierce run" and "tierce exec" pass on that of what they
// ran, or 128 and the number of the signal that ended it.
const (
	exitOK       = 0
	exitFailed   = 1   // what was asked for failed, verify found damage, or ping an ill tier
	exitUsage    = 2   // wrong arguments or configuration
	exitOwn      = 125 // run, exec: Tierce itself could not go on
	exitNoExec   = 126 // run, exec: the command is there but cannot be executed
	exitNotFound = 127 // run, exec: there is no such command
	exitSignal   = 128 // run, exec: plus the signal's number
)

const help = `Tierce is a multi-tier cache for compilers.

  tierce run -- go build ./...

builds with the results of earlier builds, on this machine and, with a remote
tier configured, on every machine of the team.

  tierce exec --in words --out sorted -- sort words -o sorted

runs any command once, and from then on replays it.

Exit codes: 0 well; 1 failed, or verify found damage, or ping an ill tier; 2 wrong
arguments or configuration. run, exec: that of the command; 125 Tierce itself could not go on;
126 the command cannot be executed; 127 there is no such command; 128+n it was
ended by signal n.`

// Main runs the command with the process's arguments and the tiers that
// registry knows, and returns the exit code.
func Main(registry config.Registry) int {
	a := &app{registry: registry, stdout: os.Stdout, stderr: os.Stderr}
	// The go command waits for its helper's first message: with the words that
	// "tierce run" uses, nothing is set up before that need not be.
	if slices.Equal(os.Args[1:], helperArgs) {
		return a.exit(a.serveGo(context.Background(), os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), interrupts...)
	defer stop()
	return a.execute(ctx, os.Args[1:])
}

// app is what the subcommands share.
type app struct {
	registry config.Registry
	flags    config.Flags
	json     bool
	stdout   io.Writer
	stderr   io.Writer
}

func (a *app) execute(ctx context.Context, args []string) int {
	return a.exit(a.root().Run(ctx, append([]string{"tierce"}, args...)))
}

// exit prints the error that a command ended with, if there is something to
// say, and returns the exit code for it.
func (a *app) exit(err error) int {
	var code exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code) && code.err == nil:
		return code.code
	}
	fmt.Fprintln(a.stderr, "tierce:", err)
	var wrong *config.Error
	switch {
	case code.code != 0:
		return code.code
	case errors.As(err, &wrong), errors.As(err, new(usageError)), errors.As(err, new(cli.ExitCoder)): // help for what is not there
		return exitUsage
	}
	return exitFailed
}

// exitError is an error that decides the exit code; without err nothing is
// printed any more.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// usageError is a wrong argument.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (a *app) root() *cli.Command {
	return &cli.Command{
		Name:        "tierce",
		Usage:       "a multi-tier cache for compilers",
		Description: help,
		Writer:      a.stdout,
		ErrWriter:   a.stderr,
		Flags: []cli.Flag{
			text("config", "configuration `FILE`, or auto, or none (TIERCE_CONFIG)", &a.flags.Config),
			text("dir", "cache `DIRECTORY` (TIERCE_DIR)", &a.flags.Dir),
			text("max-bytes", "cap of the disk tier, such as 20GiB (TIERCE_MAX_BYTES)", &a.flags.MaxBytes),
			text("memory-max-bytes", "cap of the memory tier, such as 256MiB (TIERCE_MEMORY_MAX_BYTES)", &a.flags.MemoryMaxBytes),
		},
		Commands: []*cli.Command{
			a.runCommand(), a.execCommand(), a.explainCommand(), a.dumpCommand(), a.goCommand(), a.statsCommand(), a.gcCommand(), a.clearCommand(),
			a.verifyCommand(), a.pingCommand(), a.configCommand(), a.versionCommand(),
		},
		Action: func(_ context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return usagef("there is no command %q; \"tierce help\" lists them", cmd.Args().First())
			}
			return cli.ShowRootCommandHelp(cmd)
		},
		OnUsageError:   wrongFlag,
		HideVersion:    true,
		ExitErrHandler: func(context.Context, *cli.Command, error) {}, // execute prints, Main exits
	}
}

// text is a flag with a text that commands below have too.
func text(name, usage string, to *string) cli.Flag {
	return &cli.StringFlag{Name: name, Usage: usage, Destination: to}
}

func wrongFlag(_ context.Context, cmd *cli.Command, err error, _ bool) error {
	return usagef("%w; \"%s --help\" lists the flags", err, cmd.FullName())
}

// leaf completes a command that takes no arguments.
func (a *app) leaf(cmd *cli.Command, do func(context.Context) error) *cli.Command {
	cmd.OnUsageError = wrongFlag
	cmd.Action = func(ctx context.Context, cmd *cli.Command) error {
		if cmd.Args().Present() {
			return usagef("%s takes no arguments, and got %q", cmd.FullName(), cmd.Args().First())
		}
		return do(ctx)
	}
	return cmd
}

// load returns the configuration that file, environment and flags give.
func (a *app) load() (config.Config, error) {
	return config.Load(config.Sources{Flags: a.flags})
}

// withJSON adds the flag --json to a command that prints for people.
func (a *app) withJSON(cmd *cli.Command) *cli.Command {
	cmd.Flags = append(cmd.Flags, &cli.BoolFlag{Name: "json", Usage: "print JSON", Destination: &a.json})
	return cmd
}
