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

	"github.com/spf13/cobra"

	"github.com/tiercecache/tierce/config"
)

// Exit codes of the command. "tierce run" passes on that of what it ran, or 128
// and the number of the signal that ended it.
const (
	exitOK       = 0
	exitFailed   = 1   // what was asked for failed, or verify found damage
	exitUsage    = 2   // wrong arguments or configuration
	exitOwn      = 125 // run: Tierce itself could not go on
	exitNoExec   = 126 // run: the command is there but cannot be executed
	exitNotFound = 127 // run: there is no such command
	exitSignal   = 128 // run: plus the signal's number
)

const help = `Tierce is a multi-tier cache for compilers.

  tierce run -- go build ./...

builds with the results of earlier builds, on this machine and, with a remote
tier configured, on every machine of the team.

Exit codes: 0 well; 1 failed, or verify found damage; 2 wrong arguments or
configuration. run: that of the command; 125 Tierce itself could not go on;
126 the command cannot be executed; 127 there is no such command; 128+n it was
ended by signal n.`

// Main runs the command with the process's arguments and the tiers that
// registry knows, and returns the exit code.
func Main(registry config.Registry) int {
	a := &app{registry: registry, stdout: os.Stdout, stderr: os.Stderr}
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
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var code exitCode
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
	case errors.As(err, &wrong), errors.As(err, new(usageError)):
		return exitUsage
	}
	return exitFailed
}

// exitCode is an error that decides the exit code; without err nothing is
// printed any more.
type exitCode struct {
	code int
	err  error
}

func (e exitCode) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exitCode) Unwrap() error { return e.err }

// usageError is a wrong argument.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "tierce",
		Short:         "a multi-tier cache for compilers",
		Long:          help,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q; \"tierce help\" lists them", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; \"%s --help\" lists the flags", err, cmd.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.flags.Config, "config", "", "configuration `file`, or auto, or none (TIERCE_CONFIG)")
	flags.StringVar(&a.flags.Dir, "dir", "", "cache `directory` (TIERCE_DIR)")
	flags.StringVar(&a.flags.MaxBytes, "max-bytes", "", "cap of the disk tier, such as 20GiB (TIERCE_MAX_BYTES)")
	flags.StringVar(&a.flags.MemoryMaxBytes, "memory-max-bytes", "", "cap of the memory tier, such as 256MiB (TIERCE_MEMORY_MAX_BYTES)")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(a.runCommand(), a.goCommand(), a.statsCommand(), a.gcCommand(), a.clearCommand(),
		a.verifyCommand(), a.configCommand(), a.versionCommand())
	return root
}

// load returns the configuration that file, environment and flags give.
func (a *app) load() (config.Config, error) {
	return config.Load(config.Sources{Flags: a.flags})
}

// withJSON adds the flag --json to a command that prints for people.
func (a *app) withJSON(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&a.json, "json", false, "print JSON")
	return cmd
}
