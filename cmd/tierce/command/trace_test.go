// SPDX-License-Identifier: Apache-2.0

//go:build unix

package command_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/tiercecache/tierce/cmd/tierce/command"
	"github.com/tiercecache/tierce/frontend/execcache"
)

// TestTraceLines holds that a long trace is told in short, unless all is asked
// for.
func TestTraceLines(t *testing.T) {
	few := &execcache.Trace{Undeclared: []string{"a b"}, Programs: []string{"/bin/x"}, Elsewhere: []string{"/home/me"}, System: make([]string, 3)}
	want := []string{
		"it read what is not named; add --in 'a b'", "it ran programs that are not named; where they may change add --tool /bin/x",
		"it read outside the working folder; where that may change add --form file=/home/me",
		"traced: 1 file not named, 1 program not named, 1 file elsewhere, 3 of the system",
	}
	if got := command.TraceLines(few, false); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	many := &execcache.Trace{}
	for i := range 30 {
		many.Elsewhere = append(many.Elsewhere, fmt.Sprintf("/%02d", i))
	}
	if got := command.TraceLines(many, false)[0]; !strings.HasSuffix(got, "file=/19 and 10 more, which --summary text tells") {
		t.Errorf("of thirty: %q", got)
	}
	if got := command.TraceLines(many, true)[0]; !strings.HasSuffix(got, "file=/29") {
		t.Errorf("all thirty: %q", got)
	}
	if got := command.TraceLines(nil, true); got != nil {
		t.Errorf("without a trace: %q", got)
	}
}

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
