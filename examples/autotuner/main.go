// SPDX-License-Identifier: Apache-2.0

// Command autotuner chooses tile sizes for matrices: by trying, so that its
// choice is random, as real autotuners' are. Recorded, the choice of the first is
// everybody's: of all processes of a machine with -mode local, of all machines
// with -mode global, and that of a dump, without any cache, with -mode strict.
//
//	autotuner -mode local -dump choices.txt     # and commit choices.txt
//	autotuner -mode strict -from choices.txt
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	cachectx "github.com/tiercecache/tierce/context"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memo"
	"github.com/tiercecache/tierce/redis"
	"github.com/tiercecache/tierce/tiers"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "autotuner:", err)
		os.Exit(1)
	}
}

// shape is what a choice depends on, besides the world; tile is the choice.
type shape struct{ Rows, Columns int }

type tile struct{ Rows, Columns int }

// tune chooses the tile that was fastest, as far as one can tell.
func tune(_ context.Context, s shape) (tile, error) {
	sizes := []int{8, 16, 32, 64, 128}
	return tile{min(s.Rows, sizes[rand.IntN(len(sizes))]), min(s.Columns, sizes[rand.IntN(len(sizes))])}, nil
}

// run prints twenty choices.
func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("autotuner", flag.ContinueOnError)
	mode := flags.String("mode", "local", "local, global or strict")
	dir := flags.String("dir", filepath.Join(os.TempDir(), "autotuner"), "directory of this machine's cache and locks")
	url := flags.String("redis", "redis://localhost:6379", "Redis of all machines, for -mode global")
	from := flags.String("from", "", "dump to start from")
	dump := flags.String("dump", "", "dump to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	opts := memo.DeterministicOptions{Dump: *dump, Lease: 2 * time.Second}
	opts.LockDir = filepath.Join(*dir, "locks")
	if *from != "" {
		opts.Prepopulate = []string{*from}
	}
	if opts.Forms, err = cachectx.New(cachectx.Options{}, cachectx.Target("")); err != nil {
		return err
	}
	if err := synchronize(ctx, &opts, *mode, *dir, *url); err != nil {
		return err
	}
	if opts.Sync.Tier != nil {
		defer func() { err = errors.Join(err, interfaces.Close(opts.Sync.Tier)) }()
	}
	recorder, err := memo.OpenDeterministic(ctx, opts)
	if err != nil {
		return err
	}
	recorded, err := memo.Wrap(recorder, "autotuner.tune", tune, memo.Settings[shape, tile]{})
	if err != nil {
		return err
	}
	for i := range 20 {
		s := shape{Rows: 100 * (i + 1), Columns: 1000}
		choice, err := recorded(ctx, s)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, s, choice)
	}
	return recorder.Close(ctx)
}

// synchronize opens the tier through which choices agree.
func synchronize(ctx context.Context, opts *memo.DeterministicOptions, mode, dir, url string) error {
	var cache interfaces.Cache
	var err error
	switch mode {
	case "local":
		opts.Mode = memo.Local
		cache, err = filestream.Open(ctx, filepath.Join(dir, "cache"), filestream.Options{})
	case "global":
		opts.Mode = memo.Global
		cache, err = redis.Open(ctx, redis.Options{URL: url})
	case "strict":
		opts.Mode = memo.StrictlyPrepopulated
		opts.LockDir = "" // nothing is run
		return nil
	default:
		return fmt.Errorf("there is no mode %q; use local, global or strict", mode)
	}
	if err != nil {
		return err
	}
	opts.Sync = tiers.Layer{Name: mode, Tier: cache}
	return nil
}
