// SPDX-License-Identifier: Apache-2.0

package command_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/internal/ledger"
)

// inFolder gives the test a home, and a working folder of its own.
func inFolder(t *testing.T) (home string) {
	t.Helper()
	home = alone(t)
	t.Chdir(t.TempDir())
	return home
}

// TestExec: what is said, and the exit code.
func TestExec(t *testing.T) {
	inFolder(t)
	for _, test := range []struct {
		summary, script string
		code            int
		stderr          string
	}{
		{"ill", "echo out", 0, ""},
		{"ill", "echo out", 0, ""},
		{"text", "echo out", 0, "tierce: replayed\n"},
		{"json", "echo out", 0, `{"outcome":"replayed","code":0}` + "\n"},
		{"ill", "echo out; exit 3", 3, ""},
		{"text", "echo out; exit 3", 3, "tierce: not recorded: the command failed\n"},
		{"json", "echo out; exit 3", 3, `{"outcome":"unrecorded","code":3,"unrecorded":"the command failed"}` + "\n"},
		{"none", "echo out; rm -f made", 0, ""},
		{"text", "echo out; echo 1", 0, "tierce: recorded\n"},
	} {
		code, stdout, stderr := tierce(t, "exec", "--summary", test.summary, "--", "sh", "-c", test.script)
		if code != test.code || !strings.HasPrefix(stdout, "out\n") || stderr != test.stderr {
			t.Errorf("%s: exit code %d, %q and %q, want %d and %q", test.script, code, stdout, stderr, test.code, test.stderr)
		}
	}
}

// TestExecCheck: a difference is an exit code of 1, and the command's own failure
// its own.
func TestExecCheck(t *testing.T) {
	inFolder(t)
	check := func(summary, script string, code int, want string) {
		t.Helper()
		if got, _, stderr := tierce(t, "exec", "--check", "--summary", summary, "--", "sh", "-c", script); got != code || stderr != want {
			t.Errorf("%s: exit code %d and %q, want %d and %q", script, got, stderr, code, want)
		}
	}
	const script = "cat undeclared"
	write := func(text string) {
		if err := os.WriteFile("undeclared", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	check("ill", script, 0, "tierce: there is nothing to compare with: the cache has no such entry\n")
	tierce(t, "exec", "--", "sh", "-c", script)
	check("text", script, 0, "tierce: it is what is recorded\n")
	write("ore")
	check("ill", script, 1, "tierce: not what is recorded: the standard output: it is another from byte 1 on\n")
	_, _, stderr := tierce(t, "exec", "--check", "--summary", "json", "--", "sh", "-c", script)
	var got struct {
		Outcome     string
		Differences []string
	}
	if err := json.Unmarshal([]byte(stderr), &got); err != nil || got.Outcome != "checked" || len(got.Differences) != 1 {
		t.Errorf("as JSON: %q (%v)", stderr, err)
	}
	check("none", script, 1, "")
}

// TestExecNowhere: without a directory the command runs in the fast mode, and in
// another only if that needs none.
func TestExecNowhere(t *testing.T) {
	home := inFolder(t)
	dump := filepath.Join(home, "dump")
	if code, _, stderr := tierce(t, "exec", "--mode", "local", "--dump", dump, "--", "echo", "out"); code != 0 {
		t.Fatalf("exit code %d and %q", code, stderr)
	}
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"} {
		t.Setenv(name, "")
	}
	for _, test := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{nil, 0, "out\n", "tierce: nothing is replayed or recorded: "},
		{[]string{"--mode", "local"}, 2, "", "tierce: "},
		{[]string{"--mode", "strict", "--prepopulate", dump}, 0, "out\n", ""},
	} {
		code, stdout, stderr := tierce(t, append(append([]string{"exec"}, test.args...), "--", "echo", "out")...)
		if code != test.code || stdout != test.stdout || !strings.HasPrefix(stderr, test.stderr) || test.stderr == "" && stderr != "" {
			t.Errorf("%q: exit code %d, %q and %q", test.args, code, stdout, stderr)
		}
		if test.stderr != "" && !strings.Contains(stderr, "TIERCE_DIR") {
			t.Errorf("%q: %q does not say what to do", test.args, stderr)
		}
	}
}

// TestExecDump: a dump that cannot be written is an error, though the command was
// well.
func TestExecDump(t *testing.T) {
	home := inFolder(t)
	code, stdout, stderr := tierce(t, "exec", "--mode", "local", "--dump", filepath.Join(home, "none", "dump"), "--", "echo", "out")
	if code != 1 || stdout != "out\n" || !strings.Contains(stderr, "dump") {
		t.Errorf("exit code %d, %q and %q, want 1 and the dump's error", code, stdout, stderr)
	}
}

// TestExecStatistics: what exec asks for counts, for the directory and for the
// "tierce run" above.
func TestExecStatistics(t *testing.T) {
	inFolder(t)
	report := filepath.Join(t.TempDir(), "report")
	t.Setenv("TIERCE_REPORT", report)
	for range 2 {
		if code, _, stderr := tierce(t, "exec", "--", "sh", "-c", "sleep 0.01"); code != 0 {
			t.Fatalf("exit code %d and %q", code, stderr)
		}
	}
	above, err := ledger.Sum(t.Context(), report)
	if err != nil || above.Hits != 1 || above.Puts != 2 || above.SecondsSaved < 0.01 {
		t.Errorf("for the run above: %+v and %v, want a result with its note, and a hit that saved what it took", above, err)
	}
	_, stdout, _ := tierce(t, "stats", "--json")
	var sum ledger.Line
	if err := json.Unmarshal([]byte(stdout), &sum); err != nil || sum.Hits != above.Hits || sum.Puts != above.Puts || sum.SecondsSaved != above.SecondsSaved {
		t.Errorf("for the directory: %+v and %v, want the same", sum, err)
	}
}
