// SPDX-License-Identifier: Apache-2.0

package memo_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/memo"
	"github.com/tiercecache/tierce/memory"
	"github.com/tiercecache/tierce/tiers"
)

func Example() {
	ctx := context.Background()
	cache, err := memory.New(memory.Options{}) // or a stack with a disk and a remote
	if err != nil {
		fmt.Println(err)
		return
	}
	recorder, err := memo.NewFast(cache, memo.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	type kernel struct{ Rows, Columns int }
	compile, err := memo.Wrap(recorder, "example.compile", func(_ context.Context, k kernel) (string, error) {
		fmt.Println("compiling", k)
		return fmt.Sprintf("code for %d x %d", k.Rows, k.Columns), nil
	}, memo.Settings[kernel, string]{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		fmt.Println(compile(ctx, kernel{8, 16}))
	}
	// Output:
	// compiling {8 16}
	// code for 8 x 16 <nil>
	// code for 8 x 16 <nil>
}

// A choice that all processes of the machine agree on, dumped to a file, from
// which a later run answers without disk, remote or function.
func ExampleOpenDeterministic() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "tierce-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	disk, err := filestream.Open(ctx, filepath.Join(dir, "cache"), filestream.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer disk.Close()
	dump := filepath.Join(dir, "choices.txt")
	recorder, err := memo.OpenDeterministic(ctx, memo.DeterministicOptions{
		Options: memo.Options{LockDir: filepath.Join(dir, "locks")},
		Mode:    memo.Local,
		Sync:    tiers.Layer{Name: "disk", Tier: disk},
		Dump:    dump,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	tile, err := memo.Wrap(recorder, "example.tile", func(context.Context, int) (int, error) { return 32, nil }, memo.Settings[int, int]{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tile(ctx, 4096))
	if err := recorder.Close(ctx); err != nil { // writes the dump
		fmt.Println(err)
		return
	}

	frozen, err := memo.OpenDeterministic(ctx, memo.DeterministicOptions{Mode: memo.StrictlyPrepopulated, Prepopulate: []string{dump}})
	if err != nil {
		fmt.Println(err)
		return
	}
	tiles, err := memo.New(frozen, "example.tile", memo.Settings[int, int]{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tiles.Get(ctx, 4096))
	// Output:
	// 32 <nil>
	// 32 <nil>
}
