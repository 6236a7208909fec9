// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// damages are ways in which a file is harmed. The file looks untouched: its time
// of modification stays.
var damages = map[string]func(path string, size int64) error{
	"truncate": func(path string, size int64) error { return os.Truncate(path, size/2) },
	"zero": func(path string, size int64) error {
		return os.WriteFile(path, make([]byte, size), 0) // keeps the mode of the file
	},
	"flip": func(path string, size int64) error {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text[size/2] ^= 1
		return os.WriteFile(path, text, 0)
	},
	"remove": func(path string, _ int64) error { return os.Remove(path) },
}

// harm damages every nth entry with a body in dir and returns how many.
func harm(dir, how string, nth int) (int, error) {
	do, ok := damages[how]
	if !ok {
		return 0, fmt.Errorf("%q is no damage", how)
	}
	seen, harmed := 0, 0
	err := eachEntry(dir, func(path string, info os.FileInfo) error {
		if info.Size() == 0 {
			return nil
		}
		if seen++; seen%nth != 0 {
			return nil
		}
		harmed++
		if err := os.Chmod(path, info.Mode()|0o200); err != nil {
			return err
		}
		if err := do(path, info.Size()); err != nil || how == "remove" {
			return err
		}
		if err := os.Chmod(path, info.Mode()); err != nil {
			return err
		}
		return os.Chtimes(path, info.ModTime(), info.ModTime())
	})
	return harmed, err
}

func damage(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "damage HOW N")
	nth, err := strconv.Atoi(args[1])
	ts.Check(err)
	harmed, err := harm(ts.Getenv("TIERCE_DIR"), args[0], nth)
	ts.Check(err)
	ts.Logf("%d entries", harmed)
}
