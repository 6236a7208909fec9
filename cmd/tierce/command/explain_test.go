// SPDX-License-Identifier: Apache-2.0

package command_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// shell are the words of a command that sh runs, in the working folder.
func shell(verb, script string, flags ...string) []string {
	return append(append([]string{verb}, flags...), "--", "sh", "-c", script)
}

// wantExplained fails the test unless explain prints this, as a pattern.
func wantExplained(t *testing.T, pattern string, args []string) {
	t.Helper()
	code, stdout, stderr := tierce(t, args...)
	if code != 0 || stderr != "" || !regexp.MustCompile("^"+pattern+"$").MatchString(stdout) {
		t.Errorf("tierce %q: exit code %d, %q and %q; want %q", args, code, stdout, stderr, pattern)
	}
}

func TestExplain(t *testing.T) {
	alone(t)
	t.Chdir(t.TempDir())
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.FromSlash(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.h", "1")
	flags := []string{"--in", "*.h", "--out", "out", "--env", "EXPLAIN_KEY"}
	t.Setenv("EXPLAIN_KEY", "hunter2")
	wantExplained(t, "miss: nothing is known of an earlier recording of this program with these outputs\n", shell("explain", "cat *.h >out", flags...))
	if code, _, stderr := tierce(t, shell("exec", "cat *.h >out", flags...)...); code != 0 {
		t.Fatal(stderr)
	}
	const when = `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`
	wantExplained(t, "hit: it was recorded at "+when+"\n", shell("explain", "cat *.h >out", flags...))
	write("b.h", "2")
	t.Setenv("EXPLAIN_KEY", "")
	wantExplained(t, "miss: 2 parts are others than when it was recorded at "+when+`
  input "b.h": added
  variable "EXPLAIN_KEY": changed
`, shell("explain", "cat *.h >out", flags...))
	wantExplained(t, `(?s)miss: 3 parts.*argument "cat a.h >out": it was "cat \*.h >out".*`, shell("explain", "cat a.h >out", flags...))
	answer := object(t, shell("explain", "cat *.h >out", append(flags, "--json")...)...)
	wantFields(t, answer, map[string]any{"hit": false, "recordings": 1.0})
	if list, _ := answer["differences"].([]any); len(list) != 2 {
		t.Errorf("%v, want two differences", answer)
	}
	t.Run("many", func(t *testing.T) {
		for i := range 40 {
			write(strings.Repeat("c", i+1)+".h", "3")
		}
		wantExplained(t, `(?s)miss: 42 parts.*\n  and 12 more\n`, shell("explain", "cat *.h >out", flags...))
	})
	t.Run("the strict modes explain too", func(t *testing.T) {
		if code, _, stderr := tierce(t, shell("exec", "cat *.h >out", append(flags, "--mode", "local")...)...); code != 0 {
			t.Fatal(stderr)
		}
		wantExplained(t, "hit: .*\n", shell("explain", "cat *.h >out", append(flags, "--mode", "strict-cached")...))
		write("b.h", "4")
		wantExplained(t, "miss: 1 part is another than when it was recorded at "+when+"\n  input \"b.h\": changed\n", shell("explain", "cat *.h >out", append(flags, "--mode", "strict-cached")...))
	})
}
