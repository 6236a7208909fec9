// SPDX-License-Identifier: Apache-2.0

package execcache_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/frontend/execcache"
)

// trace traces a command.
func (p *place) trace(c execcache.Command) (execcache.Outcome, *execcache.Trace, printed) {
	p.t.Helper()
	var stdout, stderr bytes.Buffer
	outcome, err := p.recorder.Trace(p.t.Context(), c, execcache.Streams{Stdout: &stdout, Stderr: &stderr})
	check(p.t, err)
	return outcome, outcome.Trace, printed{stdout.String(), stderr.String()}
}

// TestTraceOfCompiler: a header that nobody declared is found, and the result is
// recorded only once it is declared.
func TestTraceOfCompiler(t *testing.T) {
	p := newPlace(t, nil)
	p.write("main.c", "#include <stdio.h>\n#include \"one.h\"\nint main(void) { return puts(TEXT) < 0; }\n")
	p.write("one.h", "#include \"sub/two.h\"\n")
	p.write("sub/two.h", "#define TEXT \"text\"\n")
	p.write("sub/other.h", "")
	c := execcache.Command{
		Args: []string{"gcc", "-Isub", "main.c", "-o", "main"}, Dir: p.dir, Inputs: []string{"main.c", "one.h"}, Outputs: []string{"main"},
	}
	outcome, trace, text := p.trace(c)
	if !slices.Equal(trace.Undeclared, []string{"sub/two.h"}) || !errors.Is(outcome.Unrecorded, execcache.ErrUndeclared) || outcome.Code != 0 {
		t.Fatalf("%+v and %+v with %q, want sub/two.h undeclared", outcome, trace, text)
	}
	if len(trace.Programs)+len(trace.Elsewhere) > 0 {
		t.Errorf("programs %q and files %q, want that all belong to gcc and the system", trace.Programs, trace.Elsewhere)
	}
	if !slices.Contains(trace.System, "/usr/include/stdio.h") {
		t.Errorf("stdio.h is not among %q", trace.System)
	}
	if !slices.Contains(trace.Absent, "sub/stdio.h") {
		t.Errorf("sub/stdio.h, which would have been taken, is not among %q", trace.Absent)
	}
	p.write("main", "")
	c.Inputs = append(c.Inputs, "sub/two.h")
	if outcome, trace, _ := p.trace(c); len(trace.Undeclared) > 0 || outcome.Unrecorded != nil {
		t.Fatalf("all declared: %+v and %+v", outcome, trace)
	}
	check(t, os.Remove(p.path("main")))
	p.replays(c)
	if out, err := exec.CommandContext(t.Context(), p.path("main")).Output(); err != nil || string(out) != "text\n" {
		t.Errorf("what was replayed prints %q, error %v", out, err)
	}
}

// TestTrace: what counts as read, and what the command made itself.
func TestTrace(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		want   []string
	}{
		"a pipeline":              {`cat a b/c | tr a b | sort >out`, []string{"a", "b/c"}},
		"from another folder":     {`cd b; cat c ../a >../out`, []string{"a", "b/c"}},
		"in the background":       {`(cd b; exec cat c) >out & cat a; wait`, []string{"a", "b/c"}},
		"through a link":          {`ln -s b/c link; cat link >out`, []string{"b/c"}},
		"through another folder":  {`cat "$PWD/b/../a" >out`, []string{"a"}},
		"by redirection":          {`while read x; do echo $x; done <a >out`, []string{"a"}},
		"a script":                {`./script; :>out`, []string{"script"}},
		"what it made":            {`echo x >made; cat made >out; mkdir d; cp made d/two; mv d e; cat e/two; rm -r e made`, nil},
		"what it made elsewhere":  {`t=$(mktemp); echo x >$t; cat $t >out; rm $t`, nil},
		"before it made it":       {`cat a; rm a; echo x >a; cat a >out`, []string{"a"}},
		"moved":                   {`mv a made; cat made >out`, []string{"a"}},
		"linked":                  {`ln a made; cat made >out`, []string{"a"}},
		"an input and the output": {`cat in; echo x >out; cat out`, nil},
		"no content":              {`test -f a; ls b; :>out`, nil},
		"odd names":               {`cat 'odd "<ä>, (x)\' >out`, []string{`odd "<ä>, (x)\`}},
		"nothing":                 {`:>out`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, nil)
			for _, name := range []string{"a", "b/c", "in", `odd "<ä>, (x)\`} {
				p.write(name, "content")
			}
			p.write("script", "#!/bin/sh\n")
			check(t, os.Chmod(p.path("script"), 0o755))
			c := p.shell(test.script)
			c.Inputs, c.Outputs, c.Tools = []string{"in"}, []string{"out"}, []string{"cat"}
			outcome, trace, text := p.trace(c)
			if !slices.Equal(trace.Undeclared, test.want) || outcome.Code != 0 {
				t.Errorf("%q undeclared with %+v, printed %q; want %q", trace.Undeclared, outcome, text, test.want)
			}
			if (outcome.Unrecorded == nil) != (test.want == nil) {
				t.Errorf("not recorded: %v", outcome.Unrecorded)
			}
		})
	}
}

// TestTraceAgain: what a trace records is replayed and explained as any other, and
// is recorded once.
func TestTraceAgain(t *testing.T) {
	p := explainer(t, directory(t))
	c := p.shell("echo one >out")
	c.Outputs = []string{"out"}
	if outcome, _, _ := p.trace(c); outcome.Unrecorded != nil {
		t.Fatalf("%+v, want it recorded", outcome)
	}
	if outcome, _, _ := p.trace(c); !errors.Is(outcome.Unrecorded, execcache.ErrNotInserted) {
		t.Errorf("%+v, want that it is recorded already", outcome)
	}
	p.replays(c)
	c.Args = append(slices.Clone(c.Args), "-g")
	p.wantDifferences(c, "argument -g added")
}

// TestTraceElsewhere: what is not below the working folder is told apart.
func TestTraceElsewhere(t *testing.T) {
	p, other := newPlace(t, nil), newPlace(t, nil)
	other.write("file", "1")
	c := p.shell("cat none; cat " + other.path("file") + "; ls .; env >out")
	c.Outputs, c.Tools = []string{"out"}, []string{"cat"}
	outcome, trace, _ := p.trace(c)
	dir, err := filepath.EvalSymlinks(other.dir)
	check(t, err)
	if want := []string{filepath.Join(dir, "file")}; !slices.Equal(trace.Elsewhere, want) || len(trace.Undeclared) > 0 || outcome.Unrecorded != nil {
		t.Errorf("%+v with %+v, want %q elsewhere", trace, outcome, want)
	}
	var programs []string
	for _, path := range trace.Programs {
		programs = append(programs, filepath.Base(path))
	}
	if !slices.Equal(programs, []string{"env", "ls"}) {
		t.Errorf("programs that are no tools: %q, want env and ls", trace.Programs)
	}
	if !slices.Contains(trace.Absent, "none") || !slices.Contains(trace.Folders, ".") {
		t.Errorf("absent %q, folders %q; want none and .", trace.Absent, trace.Folders)
	}
	if len(trace.System) == 0 {
		t.Error("no library was read")
	}
}

// TestTraceEnds: how the command ends, and what it prints, is what it would be.
func TestTraceEnds(t *testing.T) {
	p := newPlace(t, nil)
	outcome, _, text := p.trace(p.shell("echo out; echo err >&2; exit 7"))
	if (text != printed{"out\n", "err\n"}) || outcome.Code != 7 || !errors.Is(outcome.Unrecorded, execcache.ErrFailed) {
		t.Errorf("%+v and %q", outcome, text)
	}
	outcome, _, _ = p.trace(p.shell("kill -9 $$"))
	if outcome.Code != -1 || outcome.Unrecorded == nil {
		t.Errorf("killed: %+v", outcome)
	}
}

// TestTraceWithoutStrace: the error says what to install.
func TestTraceWithoutStrace(t *testing.T) {
	p := newPlace(t, nil)
	t.Setenv("PATH", t.TempDir())
	_, err := p.recorder.Trace(t.Context(), execcache.Command{Args: []string{"/bin/true"}, Dir: p.dir}, execcache.Streams{})
	if has(t, err, "strace", "apt-get install"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("%v, want %v", err, exec.ErrNotFound)
	}
}

// TestTraceThatFails: a strace that traces nothing is no proof that nothing was
// read.
func TestTraceThatFails(t *testing.T) {
	p := newPlace(t, nil)
	p.tool("strace", "#!/bin/sh\necho 'strace: not permitted' >&2\nexit 1\n")
	var stderr strings.Builder
	outcome, err := p.recorder.Trace(t.Context(), p.shell("true"), execcache.Streams{Stderr: &stderr})
	if err == nil || outcome.Trace != nil || outcome.Unrecorded == nil || !strings.Contains(stderr.String(), "not permitted") {
		t.Errorf("%+v, error %v, printed %q", outcome, err, stderr.String())
	}
	p.tool("strace", "#!/bin/sh\nwhile [ $1 != -o ]; do shift; done; echo nonsense >$2\n")
	if _, err := p.recorder.Trace(t.Context(), p.shell("true"), execcache.Streams{}); err == nil || !strings.Contains(err.Error(), "makes no sense") {
		t.Errorf("a trace that makes no sense: %v", err)
	}
}
