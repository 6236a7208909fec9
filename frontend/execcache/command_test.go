// SPDX-License-Identifier: Apache-2.0

package execcache_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/frontend/execcache"
)

// TestDeclarations: what a command says wrongly of itself is an error that says
// what would be right, and it does not run.
func TestDeclarations(t *testing.T) {
	p := newPlace(t, nil)
	p.write("src/a.c", "1")
	p.write("out", "1")
	outside := t.TempDir()
	check(t, os.Symlink(outside, p.path("src/away")))
	check(t, os.Symlink("/dev/null", p.path("src/null.c")))
	check(t, os.Symlink("..", p.path("up")))
	for name, test := range map[string]struct {
		change func(c *execcache.Command)
		words  []string
	}{
		"no command":                     {func(c *execcache.Command) { c.Args = nil }, []string{"command", "program"}},
		"an input that is not there":     {func(c *execcache.Command) { c.Inputs = []string{"src/*.h"} }, []string{"input", `"src/*.h"`, "no such file"}},
		"an input in a missing folder":   {func(c *execcache.Command) { c.Inputs = []string{"none/*.h"} }, []string{`"none/*.h"`, "no such file"}},
		"an input that is an output":     {func(c *execcache.Command) { c.Inputs, c.Outputs = []string{"out"}, []string{"out"} }, []string{`"out"`, "but for outputs"}},
		"an empty input":                 {func(c *execcache.Command) { c.Inputs = []string{""} }, []string{"input", "empty"}},
		"no pattern":                     {func(c *execcache.Command) { c.Inputs = []string{"src/[a"} }, []string{`"src/[a"`, "brackets"}},
		"an input above":                 {func(c *execcache.Command) { c.Inputs = []string{"../x.c"} }, []string{`"../x.c"`, "outside", "--tool"}},
		"an input above in braces":       {func(c *execcache.Command) { c.Inputs = []string{"{src,..}/*.c"} }, []string{"outside"}},
		"an input elsewhere":             {func(c *execcache.Command) { c.Inputs = []string{"/usr/include/stdio.h"} }, []string{"outside", "--tool"}},
		"an input through a link":        {func(c *execcache.Command) { c.Inputs = []string{"src/away/x"} }, []string{"src/away"}},
		"an input that is a link out":    {func(c *execcache.Command) { c.Inputs = []string{"src/null.c"} }, []string{"src/null.c", "outside"}},
		"a folder with a link out":       {func(c *execcache.Command) { c.Inputs = []string{"src"} }, []string{`"src"`, "outside"}},
		"a link above":                   {func(c *execcache.Command) { c.Inputs = []string{"up"} }, []string{`"up"`, "outside"}},
		"an output above":                {func(c *execcache.Command) { c.Outputs = []string{"../out"} }, []string{"output", `"../out"`, "outside"}},
		"an output elsewhere":            {func(c *execcache.Command) { c.Outputs = []string{"/tmp/out"} }, []string{`"/tmp/out"`, "outside"}},
		"an output that is a folder":     {func(c *execcache.Command) { c.Outputs = []string{"out/"} }, []string{`"out/"`, "no file"}},
		"an output that is nothing":      {func(c *execcache.Command) { c.Outputs = []string{""} }, []string{"output", "no file"}},
		"a variable with its value":      {func(c *execcache.Command) { c.Env = []string{"A=1"} }, []string{"variable", `"A=1"`}},
		"a working folder that is not":   {func(c *execcache.Command) { c.Dir = p.path("none") }, []string{"none"}},
		"an output above that stays":     {func(c *execcache.Command) { c.Outputs = []string{"a/../../out"} }, []string{"outside"}},
		"an input above, past a folder":  {func(c *execcache.Command) { c.Inputs = []string{"src/../a"} }, []string{"outside"}},
		"a pattern with a letter behind": {func(c *execcache.Command) { c.Inputs = []string{"src/{a"} }, []string{`"src/{a"`}},
	} {
		t.Run(name, func(t *testing.T) {
			c := p.shell(":")
			test.change(&c)
			_, _, err := p.try(c)
			has(t, err, test.words...)
			if wrong, ok := err.(cacheerr.UserError); ok && (wrong.ErrorName() != "DeclarationError" || wrong.Remedy() == "") { //nolint:errorlint // this very error
				t.Errorf("%v: name %q and remedy %q", wrong, wrong.ErrorName(), wrong.Remedy())
			}
		})
	}
	if n := p.runs.Load(); n != 0 {
		t.Errorf("%d of them ran", n)
	}
}

// TestReplayStaysIn: a link that leads outside is not written through, also when
// it came after the recording.
func TestReplayStaysIn(t *testing.T) {
	p := newPlace(t, nil)
	p.write("in", "1")
	p.records(everything(p))
	outside := t.TempDir()
	check(t, os.RemoveAll(p.path("deep")))
	check(t, os.Symlink(outside, p.path("deep")))
	c := everything(p)
	if outcome, _ := p.run(c); outcome.Replayed {
		t.Errorf("%+v, want that it is not replayed through a link", outcome)
	} else {
		has(t, outcome.Unreplayed, "deep/er/small", "outside")
	}
}

// TestInputs: which files patterns stand for.
func TestInputs(t *testing.T) {
	p := newPlace(t, nil)
	for _, name := range []string{"a.c", "src/b.c", "src/b.h", "src/z.h", "src/deep/c.c", "src/deep/.hidden", "out.o", "lib/x/y", "odd/[a].c"} {
		p.write(name, name)
	}
	check(t, os.MkdirAll(p.path("empty"), 0o777))
	check(t, os.Symlink("../lib/x", p.path("src/x")))
	check(t, os.Symlink("../a.c", p.path("src/a.c")))
	check(t, os.Symlink("nowhere", p.path("src/gone")))
	check(t, os.Symlink("..", p.path("src/deep/cycle")))
	p.write(".tierce-X.tmp", "a file on its way")
	const links = "src/a.c src/b.c src/b.h src/deep/.hidden src/deep/c.c src/deep/cycle src/gone src/x src/z.h"
	for pattern, want := range map[string]string{
		"a.c":           "a.c",
		"./a.c":         "a.c",
		"*.c":           "a.c",
		"**/*.c":        "a.c odd/[a].c src/a.c src/b.c src/deep/c.c",
		"src/*.{c,h}":   "src/a.c src/b.c src/b.h src/z.h",
		"src":           "lib/x/y " + links,
		"src/":          "lib/x/y " + links,
		"src/*":         "lib/x/y " + links,
		"src/**":        "lib/x/y " + links,
		"*":             "a.c lib/x/y odd/[a].c " + links,
		"**/*":          "a.c lib/x/y odd/[a].c " + links,
		"src/[d-z]*":    "lib/x/y " + links, // by the cycle
		"src/x":         "lib/x/y src/x",
		"src/x/y":       "src/x/y",
		"src/deep/c.?":  "src/deep/c.c",
		`odd/\[a\].c`:   "odd/[a].c",
		".":             "a.c lib/x/y odd/[a].c " + links,
		"{a,none}.c":    "a.c",
		"lib/**":        "lib/x/y",
		"**/deep/*.c":   "src/deep/c.c",
		"src/**/[bc].c": "src/b.c src/deep/c.c",
	} {
		c := p.shell(":")
		c.Inputs, c.Outputs = []string{pattern}, []string{"out.o"}
		parts, err := p.recorder.Parts(t.Context(), c, nil)
		check(t, err)
		if got := strings.Join(slices.Sorted(maps.Keys(parts.Inputs)), " "); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
		if text, ok := parts.Inputs["src/x"]; ok && text != "-> ../lib/x" {
			t.Errorf("the link to a folder counts as %q", text)
		}
		if text, ok := parts.Inputs["src/a.c"]; ok && text != parts.Inputs["a.c"] && parts.Inputs["a.c"] != "" {
			t.Errorf("the link to a file counts as %q, want its content", text)
		}
	}
}

// TestOthersWork: files and folders that come and go while inputs are looked for
// are in nobody's way.
func TestOthersWork(t *testing.T) {
	p := newPlace(t, nil)
	p.write("in", "1")
	done := make(chan struct{})
	var other sync.WaitGroup
	defer other.Wait()
	defer close(done)
	other.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			default:
			}
			dir := p.path(fmt.Sprint("folder", n%10))
			_ = os.Mkdir(dir, 0o777)
			_ = os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o644)
			_ = os.Symlink("file", filepath.Join(dir, "link"))
			_ = os.Symlink("..", filepath.Join(dir, "up"))
			_ = os.RemoveAll(dir)
		}
	})
	c := p.shell(":")
	for n := range 300 {
		c.Inputs = []string{"in", []string{".", "**", "**/*", "*/*"}[n%4]}
		parts, err := p.recorder.Parts(t.Context(), c, nil)
		if n%4 == 3 && err != nil && strings.Contains(err.Error(), "no such file, but") {
			continue // there was none at this moment
		}
		if err != nil || parts.Inputs["in"] == "" {
			t.Fatalf("%s: %v, %v", c.Inputs, parts.Inputs, err)
		}
	}
}

// TestSecrets: no value of a variable and no content is in what is stored and
// told.
func TestSecrets(t *testing.T) {
	t.Setenv("EXEC_TOKEN", "a very secret value")
	p := newPlace(t, nil)
	p.write("in", "secret content")
	c := p.shell(":")
	c.Inputs, c.Env = []string{"in"}, []string{"EXEC_TOKEN", "EXEC_UNSET"}
	parts, err := p.recorder.Parts(t.Context(), c, nil)
	check(t, err)
	if len(parts.Env["EXEC_TOKEN"]) != 64 || parts.Env["EXEC_UNSET"] != "" || len(parts.Inputs["in"]) != 64 {
		t.Errorf("%+v, want digests", parts)
	}
}
