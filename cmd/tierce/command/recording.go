// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/tiercecache/tierce/config"
	cachectx "github.com/tiercecache/tierce/context"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/frontend/execcache"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/ledger"
	"github.com/tiercecache/tierce/memo"
	"github.com/tiercecache/tierce/memory"
	"github.com/tiercecache/tierce/tiers"
)

// recordFlags are the flags of commands that record: see [config.Record].
func (a *app) recordFlags() []cli.Flag {
	return []cli.Flag{
		text("mode", "who gets the same result: fast, local, global, strict or strict-cached (`MODE`)", &a.flags.Mode),
		text("tier", "the tier by which those agree (`NAME`)", &a.flags.Tier),
		text("lease", "how long other machines wait for one that was killed (`DURATION`)", &a.flags.Lease),
		texts("prepopulate", "dump to start from (`FILE`)", &a.flags.Prepopulate),
		text("dump", "dump to add to at the end (`FILE`)", &a.flags.Dump),
	}
}

// recording is what a command that records stands on. The caller closes it.
type recording struct {
	app      *app
	recorder *execcache.Recorder
	memo     *memo.Recorder
	stack    interfaces.Cache // nil if there is none
	nowhere  error            // a saidError: why all of it goes with this process; nil if it stays

	began    time.Time
	dir      string // of the configured tiers, "" if they are not open
	counters tally
	damage   damageLog
}

// execNamespace is the owner of the keys of commands.
const execNamespace = "exec"

// openRecording opens the recorder that is configured, with these forms of
// isolation.
func (a *app) openRecording(ctx context.Context, names []string) (*recording, error) {
	forms, err := isolation(names)
	if err != nil {
		return nil, err
	}
	cfg, nowhere := a.load()
	if errors.Is(nowhere, config.ErrNoDirectory) {
		a.flags.Dir = os.DevNull // to know the mode
		cfg, err = a.load()
	} else {
		err, nowhere = nowhere, nil
	}
	if err != nil {
		return nil, err
	}
	r := &recording{app: a, began: time.Now().UTC()}
	options := execcache.Options{Exec: toItsEnd}
	if _, err := os.Stat(cfg.Dir); err == nil || cfg.Record.Mode != string(memo.StrictlyPrepopulated) {
		options.ToolDir = filepath.Join(cfg.Dir, "state", "tools")
	}
	own := memo.Options{Namespace: execNamespace, Forms: forms}
	switch {
	case cfg.Record.Mode == config.Fast:
		if r.stack, err = r.openFast(ctx, cfg, nowhere); err == nil {
			r.memo, err = memo.NewFast(r.stack, own)
		}
		options.Files = r.stack
	case nowhere != nil && cfg.Record.Mode != string(memo.StrictlyPrepopulated):
		err = nowhere
	default:
		r.memo, err = r.openDeterministic(ctx, cfg, own)
	}
	if err == nil {
		options.Notes = r.stack
		r.recorder, err = execcache.New(r.memo, options)
	}
	if err != nil {
		r.closeStack()
		return nil, err
	}
	return r, nil
}

// isolation returns forms by their names, nil if there are none.
func isolation(names []string) (*cachectx.Forms, error) {
	if len(names) == 0 {
		return nil, nil //nolint:nilnil // nothing is isolated
	}
	forms, err := execcache.Forms("", names)
	if err != nil {
		return nil, usagef("--form: %w", err)
	}
	return cachectx.New(cachectx.Options{}, forms...)
}

// saidError is an error that the user has read.
type saidError struct{ error }

func (e saidError) Unwrap() error { return e.error }

// openFast opens the configured tiers. If there is no directory or they cannot be
// opened, results are kept in memory and go with this process: a cache must not
// break a build.
func (r *recording) openFast(ctx context.Context, cfg config.Config, err error) (interfaces.Cache, error) {
	if err == nil {
		var stack *tiers.Stack
		if stack, err = r.openStack(ctx, cfg); err == nil {
			compare(stack)
			return stack, nil
		}
	}
	if _, wrong := errors.AsType[*config.Error](err); wrong && !errors.Is(err, config.ErrNoDirectory) {
		return nil, err
	}
	fmt.Fprintln(r.app.stderr, "tierce: nothing is replayed or recorded:", err)
	r.nowhere = saidError{err}
	return memory.New(memory.Options{})
}

// openStack opens the configured tiers. What a tier could not be sent is left to
// the next helper of the go command: a command is not to wait for it.
func (r *recording) openStack(ctx context.Context, cfg config.Config) (*tiers.Stack, error) {
	r.counters.cut(nil)
	opts := tiers.Options{Observer: &both{&r.counters, &r.damage}}
	if !local(cfg) {
		opts.Leftover = func(keys []interfaces.Key) { leftoverOf(cfg.Dir).keep(ctx, keys) }
	}
	stack, err := cfg.Open(ctx, r.app.registry, opts)
	if err == nil {
		r.dir = cfg.Dir
		r.counters.cut(stack)
		charge(ctx, stack)
	}
	return stack, err
}

func (r *recording) openDeterministic(ctx context.Context, cfg config.Config, own memo.Options) (*memo.Recorder, error) {
	opts := memo.DeterministicOptions{Options: own, Mode: memo.Mode(cfg.Record.Mode), Lease: cfg.Record.Lease, Dump: string(cfg.Record.Dump)}
	for _, path := range cfg.Record.Prepopulate {
		opts.Prepopulate = append(opts.Prepopulate, string(path))
	}
	if opts.Mode != memo.StrictlyPrepopulated {
		stack, err := r.openStack(ctx, cfg)
		if err != nil {
			return nil, err
		}
		r.stack = stack
		if opts.Sync, err = cfg.Sync(stack); err != nil {
			return nil, err
		}
	}
	if opts.Mode == memo.Local || opts.Mode == memo.Global {
		opts.LockDir = filepath.Join(cfg.Dir, "state", "locks")
	}
	recorder, err := memo.OpenDeterministic(ctx, opts)
	if _, wrong := errors.AsType[cacheerr.UserError](err); wrong || errors.Is(err, os.ErrNotExist) {
		err = usageError{err}
	}
	return recorder, err
}

// close ends the recording. An error says that there is no dump.
func (r *recording) close(ctx context.Context) error {
	err := r.memo.Close(ctx)
	r.closeStack()
	if r.dir == "" {
		return err
	}
	if sum := r.counters.cut(nil); sum.Gets+sum.Puts > 0 {
		writeDown(ctx, r.dir, ledger.Line{Snapshot: sum, Since: r.began, Damaged: r.damage.take()})
	}
	return err
}

func (r *recording) closeStack() {
	if r.stack == nil {
		return
	}
	if err := interfaces.Close(r.stack); err != nil {
		fmt.Fprintln(r.app.stderr, "tierce: closing the cache:", err)
	}
}
