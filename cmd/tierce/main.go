// SPDX-License-Identifier: Apache-2.0

// Tierce is a multi-tier cache for compilers. "tierce help" says what it does.
package main

import (
	"os"

	"github.com/tiercecache/tierce/cmd/tierce/command"
	"github.com/tiercecache/tierce/config"
)

func main() {
	os.Exit(command.Main(config.Builtin()))
}
