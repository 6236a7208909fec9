// SPDX-License-Identifier: Apache-2.0

//go:build unix

package command_test

import (
	"os/exec"
	"testing"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/tiercecache/tierce/cmd/tierce/command"
)

// TestShellWord holds that what a trace advises to add is read by a shell, and
// then as a pattern, as the path that was meant, and no other.
func TestShellWord(t *testing.T) {
	for _, path := range []string{"a/b.h", "a b", "it's", "", "$HOME", "*.h", "a[1]?", `back\slash`, "{a,b}", "ä\n~"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+command.ShellWord(command.PatternOf(path))).Output()
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := doublestar.Match(string(out), path); !ok || err != nil {
			t.Errorf("%q is advised as %q, which does not match it: %v", path, out, err)
		}
		if ok, _ := doublestar.Match(string(out), path+"x"); ok {
			t.Errorf("%q is advised as %q, which matches more", path, out)
		}
	}
}
