// SPDX-License-Identifier: Apache-2.0

package execcache_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/frontend/execcache"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/faulttier"
	"github.com/tiercecache/tierce/memo"
	"github.com/tiercecache/tierce/tiers"
)

// deterministic returns a place in mode local, in which those agree that have
// the same cache.
func deterministic(t *testing.T, cache interfaces.Cache, dump string) (*place, *memo.Recorder) {
	t.Helper()
	recorder, err := memo.OpenDeterministic(t.Context(), memo.DeterministicOptions{
		Options: memo.Options{LockDir: t.TempDir()}, Mode: memo.Local, Dump: dump,
		Sync: tiers.Layer{Name: "disk", Tier: cache},
	})
	check(t, err)
	return placeWith(t, recorder, nil), recorder
}

// choice is a command that does something else each time, and says so.
func choice(p *place) execcache.Command {
	c := p.shell(`head -c 100000 /dev/urandom >out; cksum <out; cksum <out >&2`)
	c.Outputs = []string{"out"}
	return c
}

// TestDeterministic is R9 of commands: the first result is everybody's.
func TestDeterministic(t *testing.T) {
	cache := directory(t)
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		seen = map[string]bool{}
		runs int64
	)
	for range 4 { // processes: their lock files are not the same, so they race
		p, _ := deterministic(t, cache, "")
		for range 2 {
			all.Go(func() {
				q := &place{t: t, dir: t.TempDir(), recorder: p.recorder, runs: p.runs}
				_, text, err := q.try(choice(q))
				mu.Lock()
				defer mu.Unlock()
				seen[q.read("out")+text.stdout+text.stderr] = true
				if err != nil || text.stdout == "" || text.stdout != text.stderr {
					t.Errorf("%q and %v", text, err)
				}
			})
		}
		defer func() { runs += p.runs.Load() }()
	}
	all.Wait()
	if len(seen) != 1 {
		t.Errorf("%d different results", len(seen))
	}
}

// TestLostRace: who ran the command and was late writes and prints the winner's
// result, not its own.
func TestLostRace(t *testing.T) {
	cache := directory(t)
	p, _ := deterministic(t, cache, "")
	q, _ := deterministic(t, cache, "")
	c := choice(p)
	c.Args = append(c.Args, "sh")
	c.Args[2] = `head -c 10 /dev/urandom >out; cksum <out; cksum <out >&2; test -z "$LATE" || eval "$LATE"`
	var first printed
	var err error
	late := c
	late.Dir = q.dir
	hook := &place{t: t, dir: q.dir, runs: q.runs}
	recorder, _ := memo.OpenDeterministic(t.Context(), memo.DeterministicOptions{
		Options: memo.Options{LockDir: t.TempDir()}, Mode: memo.Local, Sync: tiers.Layer{Name: "disk", Tier: cache},
	})
	hook.recorder, err = execcache.New(recorder, execcache.Options{Exec: func(_ context.Context, cmd *exec.Cmd) (int, error) {
		_, first = p.run(c) // the other is quicker
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		_ = cmd.Wait()
		return cmd.ProcessState.ExitCode(), nil
	}})
	check(t, err)
	_, text := hook.run(late)
	if text != first || text.stdout == "" || p.read("out") != hook.read("out") {
		t.Errorf("printed %q and %q, files equal: %t; want one result", text, first, p.read("out") == hook.read("out"))
	}
}

// TestDeterministicFailure: what is not recorded is printed, with its exit code.
func TestDeterministicFailure(t *testing.T) {
	p, _ := deterministic(t, directory(t), "")
	c := p.shell("echo said; echo bad >&2; exit 3")
	for range 2 {
		outcome, text := p.run(c)
		if outcome.Code != 3 || !errors.Is(outcome.Unrecorded, execcache.ErrFailed) || (text != printed{"said\n", "bad\n"}) {
			t.Errorf("%+v and %q", outcome, text)
		}
	}
}

// TestDeterministicFailures: who waits for a command that fails runs it then, and
// prints what that prints.
func TestDeterministicFailures(t *testing.T) {
	p, _ := deterministic(t, directory(t), "")
	c := p.shell("echo said; echo x >>../runs; test $(wc -l <../runs) -ge 3")
	c.Dir = t.TempDir() + "/work"
	check(t, os.Mkdir(c.Dir, 0o777))
	var all sync.WaitGroup
	codes := make([]int, 6)
	for i := range codes {
		all.Go(func() {
			outcome, text, err := p.try(c)
			codes[i] = outcome.Code
			if err != nil || text.stdout != "said\n" {
				t.Errorf("%+v, %q and %v, want what the command prints", outcome, text, err)
			}
		})
	}
	all.Wait()
	slices.Sort(codes)
	if !slices.Equal(codes, []int{0, 0, 0, 0, 1, 1}) || p.runs.Load() != 3 {
		t.Errorf("exit codes %d after %d runs, want two failures and then a result for all", codes, p.runs.Load())
	}
}

// TestDeterministicIll: a result that nobody else may see is not left behind.
func TestDeterministicIll(t *testing.T) {
	ill := errors.New("the disk burns")
	cache := faulttier.New(directory(t), faulttier.Rule{On: []faulttier.Op{faulttier.Insert}, Fault: faulttier.Fail(ill)})
	p, _ := deterministic(t, cache, "")
	_, text, err := p.try(choice(p))
	if !errors.Is(err, ill) || (text != printed{}) || p.read("out") != "none" {
		t.Errorf("%v, printed %q, out of %d bytes; want the error and nothing else", err, text, len(p.read("out")))
	}
}

// TestStrict is R11 of commands: a dump answers, nothing runs, nothing is asked.
func TestStrict(t *testing.T) {
	dump := filepath.Join(t.TempDir(), "dump")
	p, recorder := deterministic(t, directory(t), dump)
	p.records(choice(p))
	check(t, recorder.Close(t.Context()))
	strict, err := memo.OpenDeterministic(t.Context(), memo.DeterministicOptions{Mode: memo.StrictlyPrepopulated, Prepopulate: []string{dump}})
	check(t, err)
	q := placeWith(t, strict, nil)
	q.replays(choice(q))
	if p.read("out") != q.read("out") {
		t.Error("the results differ")
	}
	_, text, err := q.try(q.shell("echo another"))
	if _, ok := errors.AsType[*cacheerr.StrictDeterministicCachingKeyNotFoundError](err); !ok || text.stdout != "" || q.runs.Load() != 0 {
		t.Errorf("%v, printed %q; want a StrictDeterministicCachingKeyNotFoundError and that nothing runs", err, text)
	}
}
