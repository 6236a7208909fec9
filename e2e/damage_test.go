// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestDamage: issue 2, "Every tenth file of a warm cache truncated, every tenth
// zero-filled at full length, every tenth with one bit flipped, every tenth
// removed: the next build succeeds, its binary is right, and stats names the
// damage".
func TestDamage(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	m := p.module("m", big)
	p.ok(copyTemplate(p.path("cache")))
	p.must("m", "tierce", "run", "--summary", "none", "--", "go", "build", "-o", "app", "./cmd/app")
	p.native("m", "build", "-o", "reference", "./cmd/app")
	for _, how := range slices.Sorted(maps.Keys(damages)) {
		t.Run(how, func(t *testing.T) {
			d := &place{t: t, dir: p.dir, env: append(slices.Clone(p.env), "TIERCE_DIR="+p.path(how))}
			d.damaged(how, m)
		})
	}
}

// damaged builds with a damaged copy of the cache.
func (p *place) damaged(how string, m module) {
	p.t.Helper()
	if text, err := exec.Command("cp", "-a", p.path("cache"), p.path(how)).CombinedOutput(); err != nil {
		p.t.Fatalf("%v\n%s", err, text)
	}
	p.ok(os.RemoveAll(p.path(how, "state")))
	harmed, err := harm(p.path(how), how, 10)
	p.ok(err)
	if len(harmed) < 20 {
		p.t.Fatalf("%d files were damaged, want more", len(harmed))
	}
	build := []string{"tierce", "run", "--summary", "json", "--", "go", "build", "-x", "-o", how + ".app", "./cmd/app"}
	end := p.must("m", build...)
	p.holds(end.stderr, "errors=0", "compiles>10", "puts>10", "reasons=misses")
	p.same("m/"+how+".app", "m/reference")
	p.prints("m/"+how+".app", m)
	found := p.named(how, harmed)
	p.t.Logf("%d files damaged, %d met by the build; it had %s", len(harmed), found, lastLine(end.stderr))

	// What the build did not meet is left, and verify finds it. Then all is well.
	p.run(".", "tierce", "verify")
	p.verify()
	end = p.must("m", build...)
	p.holds(end.stderr, "compiles=0", "puts<2")
	p.same("m/"+how+".app", "m/reference")
}

// named fails the test unless stats counts damage and names entries that were
// harmed. It returns how many it counts.
func (p *place) named(how string, harmed []string) int {
	p.t.Helper()
	var stats struct {
		MissReasons struct{ Damaged int }   `json:"miss_reasons"`
		Damaged     []struct{ What string } `json:"damaged_entries"`
		Tiers       []struct {
			Name   string
			Errors int
		} `json:"tiers"`
	}
	p.ok(json.Unmarshal([]byte(p.must(".", "tierce", "stats", "--json").stdout), &stats))
	if absent[how] {
		if stats.MissReasons.Damaged > 0 {
			p.t.Errorf("%d entries are damaged in the statistics, though they are gone", stats.MissReasons.Damaged)
		}
		return 0
	}
	if stats.MissReasons.Damaged < 10 || len(stats.Damaged) < 10 {
		p.t.Errorf("of %d damaged files, statistics count %d and name %d", len(harmed), stats.MissReasons.Damaged, len(stats.Damaged))
	}
	for _, d := range stats.Damaged {
		if !slices.ContainsFunc(harmed, func(path string) bool { return strings.Contains(d.What, path) }) {
			p.t.Errorf("%q names no file that was damaged", d.What)
		}
	}
	if text := p.must(".", "tierce", "stats").stdout; !strings.Contains(text, "\ndamage ") || !strings.Contains(text, fmt.Sprintf(" %d damaged,", stats.MissReasons.Damaged)) {
		p.t.Errorf("stats does not show the damage:\n%s", text)
	}
	return stats.MissReasons.Damaged
}

// harmBody lets do change a file with a body so that it looks untouched: mode
// and time of modification stay.
func harmBody(do func(path string, size int64) error) func(string, os.FileInfo) (bool, error) {
	return func(path string, info os.FileInfo) (bool, error) {
		if info.Size() == 0 {
			return false, nil
		}
		if err := os.Chmod(path, info.Mode()|0o200); err != nil {
			return false, err
		}
		if err := do(path, info.Size()); err != nil {
			return false, err
		}
		if err := os.Chmod(path, info.Mode()); err != nil {
			return false, err
		}
		return true, os.Chtimes(path, info.ModTime(), info.ModTime())
	}
}

// damages are ways in which a file is harmed, if it can be in this way. Where
// files have attributes there are more.
var damages = map[string]func(path string, info os.FileInfo) (bool, error){
	"truncate": harmBody(func(path string, size int64) error { return os.Truncate(path, size/2) }),
	"zero": harmBody(func(path string, size int64) error {
		return os.WriteFile(path, make([]byte, size), 0) // the file keeps its mode
	}),
	"flip": harmBody(func(path string, size int64) error {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text[size/2] ^= 1
		return os.WriteFile(path, text, 0)
	}),
	"remove": func(path string, _ os.FileInfo) (bool, error) { return true, os.Remove(path) },
}

// absent are the damages after which there is no entry to be named.
var absent = map[string]bool{"remove": true}

// harm damages every nth entry of dir that can be damaged so, and returns their
// paths.
func harm(dir, how string, nth int) (harmed []string, err error) {
	do, ok := damages[how]
	if !ok {
		return nil, fmt.Errorf("%q is no damage", how)
	}
	seen := 0
	err = eachEntry(dir, func(path string, info os.FileInfo) error {
		if seen++; seen%nth != 0 {
			return nil
		}
		done, err := do(path, info)
		if done {
			harmed = append(harmed, path)
		} else {
			seen-- // the next one in its place
		}
		return err
	})
	return harmed, err
}

func damage(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "damage HOW N")
	nth, err := strconv.Atoi(args[1])
	ts.Check(err)
	harmed, err := harm(filepath.Clean(ts.Getenv("TIERCE_DIR")), args[0], nth)
	ts.Check(err)
	ts.Logf("%d entries", len(harmed))
}
