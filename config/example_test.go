// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tiercecache/tierce/config"
	"github.com/tiercecache/tierce/examples/maptier"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memo"
	"github.com/tiercecache/tierce/tiers"
)

// A file, the environment and flags become a stack of tiers.
func Example() {
	if err := example(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: hello
}

func example(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "tierce-example-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the system's temporary directory
	c, err := config.Load(config.Sources{Flags: config.Flags{Config: "none", Dir: filepath.Join(dir, "cache")}})
	if err != nil {
		return err
	}
	stack, err := c.Open(ctx, config.Builtin(), tiers.Options{})
	if err != nil {
		return err
	}
	defer stack.Close() //nolint:errcheck // an example
	if err := stack.Put(ctx, interfaces.Key{1}, interfaces.Text("hello")); err != nil {
		return err
	}
	entry, err := stack.Get(ctx, interfaces.Key{1})
	if err != nil {
		return err
	}
	defer entry.Close() //nolint:errcheck // only read
	text, err := entry.Bytes()
	fmt.Println(string(text))
	return err
}

// What is configured of recording makes a recorder.
func ExampleConfig_Sync() {
	dir, err := os.MkdirTemp("", "tierce-example-")
	if err == nil {
		defer os.RemoveAll(dir) //nolint:errcheck // in the system's temporary directory
		err = record(context.Background(), dir)
	}
	if err != nil {
		fmt.Println(err)
	}
	// Output: 32 <nil>
}

func record(ctx context.Context, dir string) error {
	c, err := config.Load(config.Sources{Flags: config.Flags{Config: "none", Dir: dir, Mode: "local"}})
	if err != nil {
		return err
	}
	stack, err := c.Open(ctx, config.Builtin(), tiers.Options{})
	if err != nil {
		return err
	}
	defer stack.Close() //nolint:errcheck // an example
	opts := memo.DeterministicOptions{Mode: memo.Mode(c.Record.Mode), Lease: c.Record.Lease, Dump: string(c.Record.Dump)}
	opts.LockDir = filepath.Join(dir, "state", "locks")
	if opts.Sync, err = c.Sync(stack); err != nil {
		return err
	}
	recorder, err := memo.OpenDeterministic(ctx, opts)
	if err != nil {
		return err
	}
	tile, err := memo.Wrap(recorder, "example.tile", func(context.Context, int) (int, error) { return 32, nil }, memo.Settings[int, int]{})
	if err != nil {
		return err
	}
	fmt.Println(tile(ctx, 4096))
	return recorder.Close(ctx)
}

// A tier of one's own is one line.
func ExampleTyped() {
	registry := config.Builtin()
	registry["map"] = config.Typed(maptier.Options{}, maptier.Open)
	c, err := config.Load(config.Sources{Flags: config.Flags{Config: "testdata/map.yaml", Dir: "/var/cache/tierce"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Print(context.Background(), os.Stdout, registry); err != nil {
		fmt.Println(err)
	}
	// Output:
	// dir: /var/cache/tierce
	// tiers:
	//   - type: map
	//     name: map
	//     max_body: none
	//     options:
	//       max_body: 1MiB
	// record:
	//   mode: fast
}
