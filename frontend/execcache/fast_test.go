// SPDX-License-Identifier: Apache-2.0

package execcache_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tiercecache/tierce/frontend/execcache"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/faulttier"
	"github.com/tiercecache/tierce/memory"
)

// everything is a command that makes all that can be replayed: files of all
// sizes and modes, in folders, and both streams.
func everything(p *place) execcache.Command {
	c := p.shell(`
mkdir -p deep/er
tr a-z A-Z <in >deep/er/small
head -c 1000000 /dev/zero | tr '\0' x >large
printf '\377\376\0' >binary
: >empty
printf '#!/bin/sh\n' >script; chmod 751 script
echo said; printf '\377' ; echo warned >&2`)
	c.Inputs, c.Outputs = []string{"in"}, []string{"large", "binary", "empty", "./script", "deep/er/small"}
	return c
}

// TestReplay is R1 of commands: what is replayed is what was recorded.
func TestReplay(t *testing.T) {
	for name, cache := range map[string]interfaces.Cache{"from a directory": nil, "from memory": memoryTier(t)} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, cache)
			p.write("in", "content")
			p.records(everything(p))
			want := map[string]string{
				"deep/er/small": "CONTENT", "large": strings.Repeat("x", 1e6), "binary": "\377\376\x00", "empty": "", "script": "#!/bin/sh\n",
			}
			for _, there := range []bool{true, false} {
				for name := range want {
					if there { // and writable by nobody, and another
						check(t, os.WriteFile(p.path(name), []byte("other"), 0o644))
						check(t, os.Chmod(p.path(name), 0o444))
					} else {
						check(t, os.RemoveAll(p.path(name)))
					}
				}
				if !there {
					check(t, os.RemoveAll(p.path("deep")))
				}
				outcome, text := p.run(everything(p))
				if !outcome.Replayed || outcome.Code != 0 || (text != printed{"said\n\377", "warned\n"}) {
					t.Fatalf("%+v and %q, want a replay with both streams", outcome, text)
				}
				for name, want := range want {
					if got := p.read(name); got != want {
						t.Errorf("%s: %.20q, want %.20q", name, got, want)
					}
				}
				info, err := os.Stat(p.path("script"))
				check(t, err)
				if info.Mode() != 0o751 {
					t.Errorf("mode %v, want rwxr-x--x", info.Mode())
				}
			}
			if n := p.runs.Load(); n != 1 {
				t.Errorf("it ran %d times, want once", n)
			}
		})
	}
}

func memoryTier(t *testing.T) interfaces.Cache {
	t.Helper()
	cache, err := memory.New(memory.Options{MaxBytes: 1 << 24})
	check(t, err)
	return cache
}

// TestReplayLeavesNothing: only the outputs are written, and they are newer than
// the inputs.
func TestReplayLeavesNothing(t *testing.T) {
	p := newPlace(t, nil)
	p.write("in", "1")
	c := p.shell("cat in >out")
	c.Inputs, c.Outputs = []string{"in"}, []string{"out"}
	p.records(c)
	old := time.Now().Add(-time.Hour)
	check(t, os.Chtimes(p.path("out"), old, old))
	p.replays(c)
	in, err := os.Stat(p.path("in"))
	check(t, err)
	out, err := os.Stat(p.path("out"))
	check(t, err)
	if out.ModTime().Before(in.ModTime()) {
		t.Errorf("the output is of %v, before its input of %v", out.ModTime(), in.ModTime())
	}
	names, err := os.ReadDir(p.dir)
	check(t, err)
	if len(names) != 2 {
		t.Errorf("there are %v, want only in and out", names)
	}
}

// TestKey is R2 of commands: what is named and changes is a miss, what is not
// named is not.
func TestKey(t *testing.T) {
	tool := func(p *place, content string) { p.tool("helper", content) }
	for name, change := range map[string]struct {
		do   func(p *place, c *execcache.Command)
		miss bool
	}{
		"nothing":                 {func(*place, *execcache.Command) {}, false},
		"an input's content":      {func(p *place, _ *execcache.Command) { p.write("src/a.h", "2") }, true},
		"an input's name":         {func(p *place, _ *execcache.Command) { check(p.t, os.Rename(p.path("src/a.h"), p.path("src/b.h"))) }, true},
		"an input's right to run": {func(p *place, _ *execcache.Command) { check(p.t, os.Chmod(p.path("src/a.h"), 0o755)) }, true},
		"an input more":           {func(p *place, _ *execcache.Command) { p.write("src/deep/b.h", "1") }, true},
		"an argument":             {func(_ *place, c *execcache.Command) { c.Args = append(c.Args, "-O2") }, true},
		"a variable":              {func(p *place, _ *execcache.Command) { setenv(p.t, "EXEC_NAMED", "2") }, true},
		"a variable is empty":     {func(p *place, _ *execcache.Command) { setenv(p.t, "EXEC_NAMED", "") }, true},
		"a tool":                  {func(p *place, _ *execcache.Command) { tool(p, "#!/bin/sh\n# new") }, true},
		"an output more":          {func(_ *place, c *execcache.Command) { c.Outputs = append(c.Outputs, "out2") }, true},
		"the standard input":      {func(_ *place, c *execcache.Command) { c.Stdin = true }, true},
		"an input's time": {func(p *place, _ *execcache.Command) {
			check(p.t, os.Chtimes(p.path("src/a.h"), time.Now(), time.Now()))
		}, false},
		"a file that is not named": {func(p *place, _ *execcache.Command) { p.write("src/note.txt", "2") }, false},
		"a variable that is not":   {func(p *place, _ *execcache.Command) { setenv(p.t, "EXEC_OTHER", "2") }, false},
		"the order of what is": {func(_ *place, c *execcache.Command) {
			c.Outputs = []string{"out", "./out"}
			c.Inputs = []string{"./src/**/*.h", "src/a.h"}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, "EXEC_NAMED", "1")
			p := newPlace(t, nil)
			p.write("src/a.h", "1")
			p.write("src/note.txt", "1")
			tool(p, "#!/bin/sh\n")
			c := p.shell("echo 1 >out; echo 1 >out2")
			c.Inputs, c.Outputs, c.Env, c.Tools = []string{"src/**/*.h"}, []string{"out"}, []string{"EXEC_NAMED"}, []string{"helper"}
			p.records(c)
			change.do(p, &c)
			if outcome, _ := p.run(c); outcome.Replayed == change.miss || outcome.Unrecorded != nil {
				t.Errorf("%+v, want a miss: %t", outcome, change.miss)
			}
		})
	}
}

func setenv(t testing.TB, name, value string) {
	t.Helper()
	t.(interface{ Setenv(name, value string) }).Setenv(name, value)
}

// tool makes a program that is first on PATH.
func (p *place) tool(name, content string) {
	p.t.Helper()
	p.write("bin/"+name, content)
	check(p.t, os.Chmod(p.path("bin/"+name), 0o755))
	if path := os.Getenv("PATH"); !strings.HasPrefix(path, p.path("bin")) {
		setenv(p.t, "PATH", p.path("bin")+string(filepath.ListSeparator)+path)
	}
}

// TestOtherFolder: the working folder is no part of the key, so two checkouts
// share.
func TestOtherFolder(t *testing.T) {
	p := newPlace(t, nil)
	q := p.sibling()
	for _, p := range []*place{p, q} {
		p.write("in", "1")
	}
	p.records(everything(p))
	q.replays(everything(q))
	if p.read("large") != q.read("large") {
		t.Error("they differ")
	}
}

// TestStdin: the standard input is empty, or an input.
func TestStdin(t *testing.T) {
	p := newPlace(t, nil)
	for _, test := range []struct {
		stdin  string
		is     bool
		want   string
		replay bool
	}{
		{"a", false, "", false}, {"b", false, "", true},
		{"a", true, "a", false}, {"b", true, "b", false}, {"a", true, "a", true},
		{strings.Repeat("x", 1000), true, strings.Repeat("x", 1000), false},
	} {
		c := p.shell("cat")
		c.Stdin = test.is
		var stdout strings.Builder
		outcome, err := p.recorder.Run(t.Context(), c, execcache.Streams{Stdin: strings.NewReader(test.stdin), Stdout: &stdout})
		if err != nil || stdout.String() != test.want || outcome.Replayed != test.replay {
			t.Errorf("%.10q: %.10q, %+v and %v; want %.10q, replayed %t", test.stdin, stdout.String(), outcome, err, test.want, test.replay)
		}
	}
}

// TestUnrecorded: what must not be replayed is not recorded, and it is said why.
func TestUnrecorded(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		code   int
		why    string
	}{
		"it fails":                     {"echo 1 >out; exit 3", 3, "failed"},
		"a signal ends it":             {"echo 1 >out; kill -KILL $$", -1, "signal"},
		"an output is missing":         {":", 0, "did not make the output out"},
		"an output is a folder":        {"mkdir out", 0, "out is no regular file"},
		"an output is a link":          {"ln -s in out", 0, "out is no regular file"},
		"an input changes":             {"echo 1 >out; echo another >in", 0, "the input in changed"},
		"an input changes, as long":    {"echo 1 >out; printf y >in", 0, "the input in changed"},
		"an input changes in rights":   {"echo 1 >out; chmod +x in", 0, "the input in changed"},
		"an input goes":                {"echo 1 >out; rm in", 0, "the input in changed"},
		"a link goes elsewhere":        {"echo 1 >out; ln -sfn . link", 0, "the input link changed"},
		"it prints more than is taken": {"echo 1 >out; head -c 1001 /dev/zero", 0, "printed more than"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, nil)
			p.write("in", "x")
			p.write("folder/f", "x")
			check(t, os.Symlink("folder", p.path("link")))
			c := p.shell(test.script)
			c.Inputs, c.Outputs = []string{"in", "link"}, []string{"out"}
			outcome, _ := p.run(c)
			if outcome.Code != test.code || outcome.Replayed {
				t.Errorf("%+v, want exit code %d", outcome, test.code)
			}
			has(t, outcome.Unrecorded, test.why)
			if failed := errors.Is(outcome.Unrecorded, execcache.ErrFailed); failed != (test.code > 0) {
				t.Errorf("ErrFailed: %t", failed)
			}
		})
	}
}

// TestSwitchedOff is V1: with recording off the command runs, nothing is recorded,
// and nothing says that it was.
func TestSwitchedOff(t *testing.T) {
	t.Setenv("TIERCE_MEMO", "0")
	cache := directory(t)
	p := explainer(t, cache)
	c := p.shell("echo 1 >out")
	c.Outputs = []string{"out"}
	for range 2 {
		if outcome, _ := p.run(c); outcome.Replayed || !errors.Is(outcome.Unrecorded, execcache.ErrNotInserted) {
			t.Errorf("%+v, want that the command ran and was not recorded", outcome)
		}
		check(t, os.Remove(p.path("out")))
	}
	t.Setenv("TIERCE_MEMO", "1")
	on := explainer(t, cache)
	c.Dir = on.dir
	if e := on.explain(c); !reflect.DeepEqual(e, execcache.Explanation{}) {
		t.Errorf("%+v, want nothing", e)
	}
	on.records(c)
}

// TestUntouched: a file that was there before and stays as it was is nothing that
// the command made.
func TestUntouched(t *testing.T) {
	p := newPlace(t, nil)
	p.write("out", "older")
	c := p.shell(":")
	c.Outputs = []string{"out"}
	outcome, _ := p.run(c)
	has(t, outcome.Unrecorded, "left the output out as it was")
	c = p.shell("echo newer >out")
	c.Outputs = []string{"out"}
	p.records(c)
}

// TestFailures: a failure is replayed if that is asked for.
func TestFailures(t *testing.T) {
	p := newPlace(t, nil)
	c := p.shell("echo bad >&2; exit 3")
	c.Failures = true
	p.records(c)
	if outcome, text := p.run(c); !outcome.Replayed || outcome.Code != 3 || text.stderr != "bad\n" {
		t.Errorf("%+v and %q, want a replay of the failure", outcome, text)
	}
}

// TestRestoreFails: with something in the way of a file, the command runs and says
// what is wrong.
func TestRestoreFails(t *testing.T) {
	p := newPlace(t, nil)
	p.write("in", "1")
	p.records(everything(p))
	check(t, os.RemoveAll(p.path("deep")))
	p.write("deep", "a file")
	outcome, text := p.run(everything(p))
	if outcome.Replayed || outcome.Unreplayed == nil || outcome.Unrecorded == nil || p.runs.Load() != 2 {
		t.Errorf("%+v, want that the command ran", outcome)
	}
	if text.stdout != "said\n\377" {
		t.Errorf("printed %q, want what the command prints, once", text.stdout)
	}
}

// TestLostBody: a result whose large file is gone or damaged is made again.
func TestLostBody(t *testing.T) {
	cache := memoryTier(t)
	p := newPlace(t, cache)
	p.write("in", "1")
	p.records(everything(p))
	for key, err := range interfaces.List(t.Context(), cache) {
		check(t, err)
		if head, err := interfaces.Stat(t.Context(), cache, key); err == nil && head.Size == 1e6 {
			check(t, interfaces.Delete(t.Context(), cache, key))
		}
	}
	p.records(everything(p))
	p.replays(everything(p))
}

// TestIllCache: whatever the cache does, the command runs.
func TestIllCache(t *testing.T) {
	ill := errors.New("the disk burns")
	for name, test := range map[string]struct {
		on                     []faulttier.Op
		unreplayed, unrecorded bool
	}{
		"nothing can be read":    {[]faulttier.Op{faulttier.Get, faulttier.Path}, true, false},
		"nothing can be written": {[]faulttier.Op{faulttier.Put, faulttier.Insert}, false, true},
		"nothing works":          {nil, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			cache := faulttier.New(memoryTier(t), faulttier.Rule{On: test.on, Fault: faulttier.Fail(ill)})
			p := newPlace(t, cache)
			p.write("in", "1")
			for n := range int64(2) {
				outcome, text := p.run(everything(p))
				if outcome.Code != 0 || text.stdout != "said\n\377" || p.runs.Load() != n+1 {
					t.Errorf("%+v and %q, want what the command does", outcome, text)
				}
				if errors.Is(outcome.Unreplayed, ill) != test.unreplayed || errors.Is(outcome.Unrecorded, ill) != test.unrecorded {
					t.Errorf("%+v, want that it is said what is ill", outcome)
				}
			}
		})
	}
}

// TestAtTheSameTime: many in one folder, recording and replaying; whoever looks
// sees whole files.
func TestAtTheSameTime(t *testing.T) {
	p := newPlace(t, nil)
	p.write("in", "1")
	c := p.shell("head -c 100000 /dev/zero | tr '\\0' x >.new$$; mv .new$$ out")
	c.Inputs, c.Outputs = []string{"in"}, []string{"out"}
	p.records(c)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 5 {
				if outcome, _, err := p.try(c); err != nil || !outcome.Replayed {
					t.Errorf("%+v and %v, want a replay", outcome, err)
				}
				if out := p.read("out"); out != strings.Repeat("x", 1e5) {
					t.Errorf("the output has %d bytes", len(out))
				}
			}
		})
	}
	all.Wait()
}

// TestNotStarted: a program that is not there is the error of os/exec.
func TestNotStarted(t *testing.T) {
	p := newPlace(t, nil)
	p.write("data", "1")
	for name, want := range map[string]error{"no-such-program": nil, "./no-such-program": fs.ErrNotExist, "./data": fs.ErrPermission, "./": syscall.EISDIR} {
		_, _, err := p.try(execcache.Command{Args: []string{name}, Dir: p.dir})
		if wrong, ok := errors.AsType[*exec.Error](err); !ok || wrong.Name != name || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, want an *exec.Error with %v", name, err, want)
		}
	}
	c := p.shell(":")
	c.Tools = []string{"no-such-program"}
	_, _, err := p.try(c)
	has(t, err, "tool", "no-such-program", "PATH")
}
