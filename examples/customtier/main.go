// SPDX-License-Identifier: Apache-2.0

// Command customtier is the command tierce with one tier more: examples/maptier,
// which a configuration calls "map". Such a main is all that a tier of one's
// own takes:
//
//	tiers:
//	  - type: map
//	    options: {max_body: 1MiB}
//	  - type: filestream
//
// It is used as tierce is: customtier run -- go build ./...
package main

import (
	"os"

	"github.com/tiercecache/tierce/cmd/tierce/command"
	"github.com/tiercecache/tierce/config"
	"github.com/tiercecache/tierce/examples/maptier"
)

func main() { os.Exit(command.Main(registry())) }

// registry returns the tiers that come with Tierce, and the one of our own.
func registry() config.Registry {
	registry := config.Builtin()
	registry["map"] = config.Typed(maptier.Options{}, maptier.Open)
	return registry
}
