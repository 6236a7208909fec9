// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/frontend/gocacheprog"
	"github.com/tiercecache/tierce/interfaces"
)

// A helper for the go command: GOCACHEPROG names the program that does this with
// its standard input and output.
func ExampleServer_Serve() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	open := func(ctx context.Context) (interfaces.Cache, error) {
		return filestream.Open(ctx, dir, filestream.Options{})
	}
	server := gocacheprog.New(gocacheprog.Options{Open: open, Private: open, Local: true})
	in := strings.NewReader(`{"ID":1,"Command":"get","ActionID":"cGFja2FnZSBlcnJvcnM="}

{"ID":2,"Command":"close"}
`)
	if err := server.Serve(context.Background(), in, os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"ID":0,"KnownCommands":["get","put","close"]}
	// {"ID":1,"Miss":true}
	// {"ID":2}
}
