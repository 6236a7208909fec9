// SPDX-License-Identifier: Apache-2.0

//go:build unix

package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/tiercecache/tierce/internal/redistest"
)

// choices is how many choices the machines of TestExecStrict agree on.
const choices = 4

// chosen are the words of a command that chooses at random, and what it chose.
func (p *place) chosen(t *testing.T, machine, choice int, flags ...string) (out outcome, file string) {
	t.Helper()
	dir := fmt.Sprint("machine", machine)
	args := append([]string{"tierce", "--dir", p.path(dir, "cache"), "exec"}, flags...)
	cmd := p.command(dir, append(args, "--out", "chosen", "--", p.path("choose"), fmt.Sprint(choice)))
	out = p.end(cmd)
	text, err := os.ReadFile(p.path(dir, "chosen"))
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	return out, string(text)
}

// TestExecStrict is R9, R11 and R13 of commands, with several processes and a
// real Redis: machines that choose at random agree; and from a dump of that their
// choices are replayed with no cache, no Redis and a tool that cannot run.
func TestExecStrict(t *testing.T) {
	t.Parallel()
	p, server := newPlace(t), redistest.Single(t)
	// The tool runs by a shell that can be taken away; its own content stays.
	p.ok(os.Symlink("/bin/sh", p.path("shell")))
	p.ok(os.WriteFile(p.path("choose"), []byte("#!"+p.path("shell")+"\nhead -c 20 /dev/urandom | cksum | tee chosen\necho chosen >&2\n"), 0o755))
	for machine := range 4 {
		p.ok(os.MkdirAll(p.path(fmt.Sprint("machine", machine)), 0o777))
	}
	p.env = append(p.env, "TIERCE_REDIS_URL="+server.URL)
	var all sync.WaitGroup
	files := make([][choices]string, 4)
	for machine := range files {
		all.Go(func() {
			for choice := range choices {
				end, file := p.chosen(t, machine, choice, "--mode", "global")
				if end.code != 0 || end.stdout != file || file == "" || end.stderr != "chosen\n" {
					t.Errorf("machine %d: %+v, and the file %q", machine, end, file)
				}
				files[machine][choice] = file
			}
		})
	}
	all.Wait()
	for machine, chose := range files {
		if chose != files[0] {
			t.Errorf("R9 machine %d chose %q, and the first %q", machine, chose, files[0])
		}
	}
	dump := p.path("dump")
	end := p.must(".", "tierce", "--dir", p.path("machine0", "cache"), "dump", "--mode", "global", dump)
	if want := fmt.Sprintf("%d results are recorded, %d of them new", choices, choices); !strings.HasPrefix(end.stdout, want) {
		t.Errorf("dump says %q, want %q", end.stdout, want)
	}

	server.Kill(t)
	p.ok(os.Remove(p.path("shell")))
	p.frozen(t, dump, files)
}

// frozen fails the test unless all machines replay from a dump alone what they
// chose.
func (p *place) frozen(t *testing.T, dump string, files [][choices]string) {
	t.Helper()
	for machine, chose := range files {
		dir := fmt.Sprint("machine", machine)
		p.ok(os.RemoveAll(p.path(dir)))
		p.ok(os.Mkdir(p.path(dir), 0o777))
		for choice, want := range chose {
			end, file := p.chosen(t, machine, choice, "--mode", "strict", "--prepopulate", dump)
			if end.code != 0 || end.stdout != want || file != want || end.stderr != "chosen\n" {
				t.Errorf("R11 machine %d: %+v, and the file %q; want %q", machine, end, file, want)
			}
		}
		if exists(p.path(dir, "cache")) {
			t.Errorf("R11 machine %d has a cache", machine)
		}
	}
	end, _ := p.chosen(t, 0, choices, "--mode", "strict", "--prepopulate", dump)
	if end.code != 1 || end.stdout != "" || !strings.Contains(end.stderr, "strict caching runs nothing") {
		t.Errorf("R11 what the dump does not have: %+v", end)
	}
	text, err := os.ReadFile(dump)
	p.ok(err)
	at := strings.Index(string(text), "result: ") + len(`result: {"code":`)
	text[at] ^= 1
	p.ok(os.WriteFile(dump, text, 0o600))
	key := string(text[strings.Index(string(text), "entry ")+len("entry "):][:12])
	end, _ = p.chosen(t, 0, 0, "--mode", "strict", "--prepopulate", dump)
	if end.code == 0 || end.stdout != "" || !strings.Contains(end.stderr, key) {
		t.Errorf("R13 of a dump with another byte: %+v, want the key %s", end, key)
	}
}
