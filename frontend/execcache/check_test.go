// SPDX-License-Identifier: Apache-2.0

package execcache_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/frontend/execcache"
)

// TestCheck: an input that nobody declared is found by what it changes.
func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		script string // with the undeclared input $n, which is 1 and then 2
		want   []string
	}{
		"nothing":         {`echo out; echo err >&2; echo $n >other`, nil},
		"the exit code":   {`exit $n`, []string{"the exit code: 1 is recorded, and it is 2"}},
		"standard output": {`echo a$n`, []string{"the standard output: it is another from byte 1 on"}},
		"standard error":  {`echo $n >&2; echo $n >>kept`, []string{"the standard error: it is another from byte 0 on"}},
		"a file":          {`echo same$n >out`, []string{"out: it is another from byte 4 on"}},
		"a longer file":   {`test $n = 1 || echo more >>out`, []string{"out: it is another from byte 3 on"}},
		"a large file":    {`head -c 100000 /dev/zero >out; test $n = 1 || printf x >>out`, []string{"out: it is another from byte 100000 on"}},
		"a mode":          {`test $n = 1 || chmod 755 out`, []string{"out: the mode 0644 is recorded, and it is 0755"}},
		"a missing file":  {`test $n = 1 || rm out`, []string{"the command did not make the output out"}},
		"several":         {`echo $n; echo $n >out`, []string{"the standard output: it is another from byte 0 on", "out: it is another from byte 0 on"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, nil)
			c := p.shell(`umask 22; n=$(cat undeclared); rm -f out; echo in >out; ` + test.script)
			c.Outputs, c.Failures = []string{"out"}, true
			p.write("undeclared", "1")
			p.records(c)
			recorded := p.read("out")
			p.write("undeclared", "2")
			outcome, err := p.recorder.Check(t.Context(), c, execcache.Streams{})
			if err != nil || !slices.Equal(outcome.Differences, test.want) || p.runs.Load() != 2 {
				t.Errorf("%+v and %v, want %q", outcome, err, test.want)
			}
			p.replays(c)
			if got := p.read("out"); got != recorded {
				t.Error("what is recorded has changed")
			}
		})
	}
}

// TestCheckNothing: without anything recorded the command runs, and nothing is
// recorded.
func TestCheckNothing(t *testing.T) {
	p := newPlace(t, nil)
	for range 2 {
		var out strings.Builder
		outcome, err := p.recorder.Check(t.Context(), p.shell("echo out; exit 3"), execcache.Streams{Stdout: &out})
		if err != nil || outcome.Code != 3 || !errors.Is(outcome.Unreplayed, cacheerr.ErrMiss) || outcome.Differences != nil || out.String() != "out\n" {
			t.Errorf("%+v, %v and %q, want what the command does, and a miss", outcome, err, out.String())
		}
	}
}

func TestDifferAt(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int64
	}{{"", "", -1}, {"a", "a", -1}, {"", "a", 0}, {"ab", "a", 1}, {"abc", "abd", 2}} {
		for _, pair := range [][2]string{{test.a, test.b}, {test.b, test.a}} {
			if at, err := execcache.DifferAt(strings.NewReader(pair[0]), strings.NewReader(pair[1])); at != test.want || err != nil {
				t.Errorf("%q: %d and %v, want %d", pair, at, err, test.want)
			}
		}
	}
	broken := io.MultiReader(strings.NewReader("a"), failing{})
	if _, err := execcache.DifferAt(broken, strings.NewReader("ab")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v, want that of the reader", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }
