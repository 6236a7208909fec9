// SPDX-License-Identifier: Apache-2.0

package command_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/cmd/tierce/command"
)

// alone gives the test a home of its own, and none of the user's settings.
func alone(t *testing.T) (home string) {
	t.Helper()
	home = t.TempDir()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "TIERCE_") {
			t.Setenv(name, "") // which brings it back at the end
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"HOME", "USERPROFILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA", "APPDATA"} {
		t.Setenv(name, home)
	}
	t.Setenv("GOCACHEPROG", "")
	return home
}

// tierce runs the command.
func tierce(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = command.Execute(t.Context(), registry(), &out, &errs, args...)
	return code, out.String(), errs.String()
}

// file makes a file and returns its path.
func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tierce.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// wrongUse is a wrong use, its exit code, and words of its message.
type wrongUse struct {
	args []string
	code int
	want []string
}

// TestWrongUse is V2 and DESIGN 8: each wrong use is one line that says what is
// wrong and what would be right, and a documented exit code.
func TestWrongUse(t *testing.T) {
	alone(t)
	dir := t.TempDir()
	wantRefused(t, dir, []wrongUse{
		{[]string{"bogus"}, 2, []string{`"bogus"`, `"tierce help"`}},
		{[]string{"help", "bogus"}, 2, []string{"bogus"}},
		{[]string{"--bogus"}, 2, []string{"-bogus", `"tierce --help"`}},
		{[]string{"--dir"}, 2, []string{"--dir", "argument"}},
		{[]string{"run"}, 2, []string{"needs a command", "tierce run -- go build"}},
		{[]string{"run", "--"}, 2, []string{"needs a command"}},
		{[]string{"run", "--bogus", "--", "x"}, 2, []string{"-bogus", `"tierce run --help"`}},
		{[]string{"run", "--summary", "xml", "--", "x"}, 2, []string{`"xml"`, "text, json or none"}},
		{[]string{"run", "--", "no-such-command"}, 127, []string{`"no-such-command"`, "PATH"}},
		{[]string{"run", "--", filepath.Join(dir, "none")}, 127, []string{"none"}},
		{[]string{"run", "--", dir}, 126, []string{dir, "cannot be executed"}},
		{[]string{"go", "x"}, 2, []string{"no arguments", `"x"`}},
		{[]string{"stats", "x"}, 2, []string{"no arguments", `"x"`}},
		{[]string{"gc", "--force"}, 2, []string{"-force", `"tierce gc --help"`}},
		{[]string{"clear", "all"}, 2, []string{"no arguments", `"all"`}},
		{[]string{"verify", "--kep"}, 2, []string{"-kep"}},
		{[]string{"version", "1"}, 2, []string{"no arguments", `"1"`}},
		{[]string{"stats", "--json=perhaps"}, 2, []string{"json", `"perhaps"`}},
		{[]string{"--dir", filepath.Join(dir, "none"), "stats"}, 2, []string{"no cache yet", "none", "tierce run"}},
		{[]string{"--dir", filepath.Join(dir, "none"), "gc"}, 2, []string{"no cache yet"}},
		{[]string{"--dir", filepath.Join(dir, "none"), "clear"}, 2, []string{"no cache yet"}},
		{[]string{"--dir", filepath.Join(dir, "none"), "verify"}, 2, []string{"no cache yet"}},
		{[]string{"--dir", file(t, ""), "stats"}, 1, []string{"filestream"}},
	})
}

// TestWrongExec is TestWrongUse for exec and what belongs to it.
func TestWrongExec(t *testing.T) {
	alone(t)
	dir := t.TempDir()
	wantRefused(t, dir, []wrongUse{
		{[]string{"exec"}, 2, []string{"needs a command", "tierce exec --in"}},
		{[]string{"exec", "--check", "--trace", "--", "x"}, 2, []string{"--check and --trace", "one of them"}},
		{[]string{"exec", "--bogus", "--", "x"}, 2, []string{"-bogus", `"tierce exec --help"`}},
		{[]string{"exec", "--summary", "xml", "--", "x"}, 2, []string{`"xml"`, "ill, text, json or none"}},
		{[]string{"exec", "--mode", "quick", "--", "x"}, 2, []string{"--mode", `"quick"`, "fast, local, global, strict, strict-cached"}},
		{[]string{"exec", "--mode", "strict", "--", "x"}, 2, []string{"--mode", "prepopulate"}},
		{[]string{"exec", "--mode", "strict", "--prepopulate", filepath.Join(dir, "none"), "--", "x"}, 2, []string{"none", "no such file"}},
		{[]string{"exec", "--mode", "strict", "--prepopulate", file(t, "no dump\n"), "--", "x"}, 2, []string{"line 1", "tierce dump 1"}},
		{[]string{"exec", "--mode", "global", "--", "x"}, 2, []string{"--mode", "remote", "TIERCE_REDIS_URL"}},
		{[]string{"exec", "--form", "colour", "--", "x"}, 2, []string{"--form", `"colour"`, "cpu"}},
		{[]string{"exec", "--in", "*.none", "--", "true"}, 2, []string{`input "*.none"`, "no such file"}},
		{[]string{"exec", "--in", "../x", "--", "true"}, 2, []string{`input "../x"`, "outside", "--tool"}},
		{[]string{"exec", "--out", "/x", "--", "true"}, 2, []string{`output "/x"`, "outside"}},
		{[]string{"exec", "--out", "x/", "--", "true"}, 2, []string{`output "x/"`, "no file"}},
		{[]string{"exec", "--env", "A=1", "--", "true"}, 2, []string{`variable "A=1"`, "name alone"}},
		{[]string{"exec", "--tool", "no-such-tool", "--", "true"}, 2, []string{`tool "no-such-tool"`, "PATH"}},
		{[]string{"exec", "--", "no-such-command"}, 127, []string{`"no-such-command"`, "PATH"}},
		{[]string{"exec", "--", filepath.Join(dir, "none")}, 127, []string{"none"}},
		{[]string{"exec", "--", dir}, 126, []string{dir, "cannot be executed"}},
		{[]string{"explain"}, 2, []string{"needs the flags and the command of an exec"}},
		{[]string{"explain", "--in", "none", "--", "sh"}, 2, []string{`"none"`, "no such file"}},
		{[]string{"explain", "--", "no-such-command"}, 127, []string{`"no-such-command"`, "PATH"}},
		{[]string{"dump"}, 2, []string{"needs one file"}},
		{[]string{"dump", "a", "b"}, 2, []string{"needs one file"}},
		{[]string{"dump", "--show", "--verify", "a"}, 2, []string{"--show verifies too"}},
		{[]string{"dump", "--show", filepath.Join(dir, "none")}, 2, []string{"none"}},
		{[]string{"dump", "--verify", file(t, "notes\n")}, 2, []string{"line 1", "tierce dump 1"}},
		{[]string{"dump", "--verify", file(t, "tierce dump 2\n")}, 2, []string{"format", "up to 1"}},
		{[]string{"dump", "--verify", file(t, "tierce dump 1\n\n")}, 2, []string{"cut off"}},
		{[]string{"--dir", filepath.Join(dir, "none"), "dump", filepath.Join(dir, "none.txt")}, 2, []string{"no cache yet"}},
		{[]string{"dump", "--mode", "global", filepath.Join(dir, "none.txt")}, 2, []string{"--mode", "remote"}},
	})
}

// TestWrongConfiguration is TestWrongUse for flags and files that configure.
func TestWrongConfiguration(t *testing.T) {
	alone(t)
	dir := t.TempDir()
	wantRefused(t, dir, []wrongUse{
		{[]string{"config", "show"}, 2, []string{"check or print", `"show"`}},
		{[]string{"config", "check", "x"}, 2, []string{"no arguments", `"x"`}},
		{[]string{"--max-bytes", "0", "config", "check"}, 2, []string{"--max-bytes", "cap of 0"}},
		{[]string{"--max-bytes", "20 apples", "config", "check"}, 2, []string{"--max-bytes", "20GiB"}},
		{[]string{"--memory-max-bytes", "-1", "run", "--", "x"}, 2, []string{"--memory-max-bytes", "cap of -1"}},
		{[]string{"--config", dir, "config", "check"}, 2, []string{dir, "directory"}},
		{[]string{"--config", filepath.Join(dir, "none"), "config", "print"}, 2, []string{"none", "--config"}},
		{[]string{"--config", file(t, "tiers:\n  - type: filestreem\n"), "config", "check"}, 2, []string{":2:", "filestreem", "filestream", "memory"}},
		{[]string{"--config", file(t, "tiers:\n  - typo: memory\n"), "run", "--", "x"}, 2, []string{":2:", "typo"}},
		{[]string{"--config", file(t, "tiers:\n  - type: memory\n    options: {max_bytes: 0}\n"), "run", "--", "x"}, 2, []string{":3:", "max_bytes"}},
	})
}

// wantRefused fails the test unless each use is refused as it should be, and none
// makes the directory none in dir.
func wantRefused(t *testing.T, dir string, tests []wrongUse) {
	t.Helper()
	for _, test := range tests {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			code, stdout, stderr := tierce(t, test.args...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if stdout != "" {
				t.Errorf("printed %q, want nothing", stdout)
			}
			if !strings.HasPrefix(stderr, "tierce: ") || strings.Count(stderr, "\n") != 1 {
				t.Errorf("said %q, want one line that begins with tierce:", stderr)
			}
			for _, want := range test.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("said %q, want %q in it", stderr, want)
				}
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); err == nil {
		t.Error("wrong use has made the directory")
	}
}

// TestWrongVariable: a variable that has a typing error is not passed over.
func TestWrongVariable(t *testing.T) {
	alone(t)
	t.Setenv("TIERCE_MAXBYTES", "1GiB")
	code, _, stderr := tierce(t, "config", "check")
	if code != 2 || !strings.Contains(stderr, "TIERCE_MAXBYTES") || !strings.Contains(stderr, "TIERCE_MAX_BYTES") {
		t.Errorf("exit code %d and %q, want 2 and both names", code, stderr)
	}
}

// TestHelp: help is an answer, not an error, and says the exit codes.
func TestHelp(t *testing.T) {
	alone(t)
	for _, args := range [][]string{{}, {"help"}, {"--help"}, {"-h"}} {
		code, stdout, stderr := tierce(t, args...)
		if code != 0 || stderr != "" {
			t.Errorf("tierce %q: exit code %d and %q on standard error", args, code, stderr)
		}
		for _, want := range []string{"tierce run -- go build ./...", "Exit codes", "verify", "--max-bytes"} {
			if !strings.Contains(stdout, want) {
				t.Errorf("tierce %q: %q is not in the help", args, want)
			}
		}
	}
	for _, name := range []string{"run", "exec", "go", "stats", "gc", "clear", "verify", "config", "version"} {
		if code, stdout, stderr := tierce(t, name, "--help"); code != 0 || !strings.Contains(stdout, "tierce "+name+" - ") || stderr != "" {
			t.Errorf("tierce %s --help: exit code %d, %q", name, code, stderr)
		}
	}
	if code, stdout, _ := tierce(t, "config"); code != 0 || !strings.Contains(stdout, "print") {
		t.Errorf("tierce config: exit code %d and %q, want its commands", code, stdout)
	}
}
