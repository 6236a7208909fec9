// SPDX-License-Identifier: Apache-2.0

package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/cmd/tierce/command"
	"github.com/tiercecache/tierce/internal/ledger"
	"github.com/tiercecache/tierce/tiers"
)

// These variables make this very program what "tierce run" runs.
const (
	exitVariable    = "COMMAND_TEST_EXIT"    // exit with this code
	environVariable = "COMMAND_TEST_ENVIRON" // write the environment to this file
	mainVariable    = "COMMAND_TEST_MAIN"    // be tierce
	gateVariable    = "COMMAND_TEST_GATE"    // build with a helper, and keep this file locked until the end
)

func TestMain(m *testing.M) {
	if code, err := strconv.Atoi(os.Getenv(exitVariable)); err == nil {
		os.Exit(compiler(code))
	}
	if os.Getenv(mainVariable) != "" {
		os.Exit(command.Main(registry()))
	}
	if gate := os.Getenv(gateVariable); gate != "" {
		os.Exit(gatekeeper(gate))
	}
	os.Exit(m.Run())
}

// compiler asks the cache for two things, as its helper says, and ends.
func compiler(code int) int {
	if path := os.Getenv(environVariable); path != "" {
		text, err := json.Marshal(os.Environ())
		if err == nil {
			err = os.WriteFile(path, text, 0o600)
		}
		if err != nil {
			return 99
		}
	}
	line := ledger.Line{Snapshot: tiers.Snapshot{Gets: 2, Hits: 1, Misses: 1, SecondsSaved: 1.5}}
	if ledger.Append(context.Background(), os.Getenv("TIERCE_REPORT"), line) != nil {
		return 98
	}
	return code
}

// self is the path of this program.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// environIn is the environment that [self] wrote to the file at path.
func environIn(t *testing.T, path string) (env command.Environ) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &env); err != nil {
		t.Fatal(err)
	}
	return env
}

// TestRunExitCode: the exit code is that of what was run.
func TestRunExitCode(t *testing.T) {
	alone(t)
	for _, code := range []int{0, 1, 2, 3, 42, 125, 255} {
		t.Setenv(exitVariable, strconv.Itoa(code))
		if got, stdout, stderr := tierce(t, "run", "--", self(t)); got != code || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("exit code %d, %q and %q; want %d, nothing, and the summary", got, stdout, stderr, code)
		}
	}
}

// TestRunSummary: what a run brought is its last line.
func TestRunSummary(t *testing.T) {
	alone(t)
	t.Setenv(exitVariable, "0")
	if _, _, got := tierce(t, "run", "--", self(t)); got != "tierce: 1 hit, 1 miss; 0 B from the cache, 0 B into it; 1.5 s of compiling saved; nothing had to be compiled\n" {
		t.Errorf("the summary is %q", got)
	}
	if _, _, got := tierce(t, "run", "--summary", "none", "--", self(t)); got != "" {
		t.Errorf("without a summary: %q", got)
	}
	_, _, got := tierce(t, "run", "--summary", "json", "--", self(t))
	const want = `{"gets":2,"hits":1,"misses":1,"puts":0,"errors":0,"hit_bytes":0,"put_bytes":0,"seconds_saved":1.5,"tiers":[]`
	var object map[string]any
	if err := json.Unmarshal([]byte(got), &object); err != nil || !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
		t.Errorf("as JSON: %q (%v), want one object that begins with %s", got, err, want)
	}
}

// TestRunEnvironment: what is run finds the helper, and what this process was
// told, and nothing else is changed.
func TestRunEnvironment(t *testing.T) {
	home := alone(t)
	t.Setenv(exitVariable, "0")
	t.Setenv("COMMAND_TEST_KEPT", "as it was")
	written := file(t, "dir: from-file\n")
	for name, test := range map[string]struct {
		args []string
		want map[string]string
	}{
		"no settings": {nil, map[string]string{"TIERCE_MAX_BYTES": "", "COMMAND_TEST_KEPT": "as it was"}},
		"flags": {
			[]string{"--dir", filepath.Join(home, "dir"), "--max-bytes", "5GiB", "--memory-max-bytes", "1MiB"},
			map[string]string{"TIERCE_DIR": filepath.Join(home, "dir"), "TIERCE_MAX_BYTES": "5GiB", "TIERCE_MEMORY_MAX_BYTES": "1MiB"},
		},
		"no file": {[]string{"--config", "none"}, map[string]string{"TIERCE_CONFIG": "none"}},
		"a file":  {[]string{"--config", written}, map[string]string{"TIERCE_CONFIG": written}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "environ")
			t.Setenv(environVariable, path)
			if code, _, stderr := tierce(t, append(test.args, "run", "--", self(t))...); code != 0 {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			env := environIn(t, path)
			for name, want := range test.want {
				if got := env.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if got, err := split(env.Get("GOCACHEPROG")); err != nil || !slices.Equal(got, []string{self(t), "go"}) {
				t.Errorf("GOCACHEPROG is %q (%v), want this program and go", got, err)
			}
			if dir := env.Get("TIERCE_DIR"); !filepath.IsAbs(dir) {
				t.Errorf("TIERCE_DIR is %q, want an absolute path", dir)
			}
			if report := env.Get("TIERCE_REPORT"); !filepath.IsAbs(report) {
				t.Errorf("TIERCE_REPORT is %q, want an absolute path", report)
			} else if _, err := os.Stat(filepath.Dir(report)); err == nil {
				t.Errorf("%s is left", filepath.Dir(report))
			}
		})
	}
}

// TestRunOther: who has a helper of another kind is told that it is not used.
func TestRunOther(t *testing.T) {
	alone(t)
	t.Setenv(exitVariable, "0")
	t.Setenv("GOCACHEPROG", "another-helper --flag")
	code, _, stderr := tierce(t, "run", "--", self(t))
	if first, _, _ := strings.Cut(stderr, "\n"); code != 0 || !strings.Contains(first, "another-helper --flag") || !strings.Contains(first, "takes its place") {
		t.Errorf("exit code %d and %q, want to be told", code, stderr)
	}
}

// TestRunNowhere: without HOME a build is still a build.
func TestRunNowhere(t *testing.T) {
	alone(t)
	for _, name := range []string{"HOME", "USERPROFILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA", "APPDATA"} {
		t.Setenv(name, "")
	}
	t.Setenv("GOCACHE", "")
	path := filepath.Join(t.TempDir(), "environ")
	t.Setenv(exitVariable, "7")
	t.Setenv(environVariable, path)
	code, _, stderr := tierce(t, "run", "--", self(t))
	if code != 7 || strings.Count(stderr, "not kept") != 1 || strings.Count(stderr, "\n") != 2 {
		t.Errorf("exit code %d and %q, want 7, one sentence that says so, and the summary", code, stderr)
	}
	env := environIn(t, path)
	for _, name := range []string{"TIERCE_DIR", "GOCACHE"} {
		if dir := env.Get(name); !filepath.IsAbs(dir) {
			t.Errorf("%s is %q, want an absolute path", name, dir)
		} else if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s is left", dir)
		}
	}
}

func TestEnviron(t *testing.T) {
	env := command.Environ{"A=1", "AB=2", "A=3", "EMPTY=", "EQUALS=a=b"}
	for name, want := range map[string]string{"A": "3", "AB": "2", "EMPTY": "", "EQUALS": "a=b", "NONE": "", "": ""} {
		if got := env.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	env.Set("AB", "x y=z")
	if got := env.Get("AB"); got != "x y=z" {
		t.Errorf("AB is %q after it was set, want %q", got, "x y=z")
	}
}

// TestQuote: the go command finds the program whatever its path is.
func TestQuote(t *testing.T) {
	for path, ok := range map[string]bool{
		"/usr/bin/tierce": true, "/with space/tierce": true, "/with\ttab/and\nline": true, `/with'quote`: true,
		`/with"quote`: true, `/both'quotes"`: true, `/space and'quote`: true, `/space and"quote`: true,
		`/space and'both"quotes`: false, `C:\Program Files\tierce.exe`: true,
	} {
		quoted, can := command.Quote(path)
		if can != ok {
			t.Errorf("%q can be quoted: %t, want %t", path, can, ok)
		}
		if !can {
			continue
		}
		if got, err := split(quoted + " go"); err != nil || !slices.Equal(got, []string{path, "go"}) {
			t.Errorf("the go command reads %q from %q (%v), want %q and go", got, quoted, err, path)
		}
	}
}

// split splits GOCACHEPROG as the go command does (cmd/internal/quoted.Split): at
// white space, with a field in quotes if it begins with one, without escapes.
func split(s string) ([]string, error) {
	const space = " \t\n\r"
	var fields []string
	for s = strings.TrimLeft(s, space); s != ""; s = strings.TrimLeft(s, space) {
		if quote := s[:1]; quote == `"` || quote == "'" {
			field, rest, ok := strings.Cut(s[1:], quote)
			if !ok {
				return nil, errors.New("no closing quote")
			}
			fields, s = append(fields, field), rest
			continue
		}
		end := strings.IndexAny(s, space)
		if end < 0 {
			end = len(s)
		}
		fields, s = append(fields, s[:end]), s[end:]
	}
	return fields, nil
}

func TestCodeOf(t *testing.T) {
	if code, err := command.CodeOf(nil); code != 0 || err != nil {
		t.Errorf("of a good end: %d and %v, want 0", code, err)
	}
	t.Setenv(exitVariable, "42")
	t.Setenv("TIERCE_REPORT", filepath.Join(t.TempDir(), "report"))
	end := exec.CommandContext(t.Context(), self(t)).Run()
	if code, err := command.CodeOf(end); code != 42 || err != nil {
		t.Errorf("of %v: %d and %v, want 42", end, code, err)
	}
	lost := errors.New("lost")
	if _, err := command.CodeOf(lost); !errors.Is(err, lost) {
		t.Errorf("of an end that is not known: %v, want its error", err)
	}
}
