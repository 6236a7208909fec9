// SPDX-License-Identifier: Apache-2.0

package execcache_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/frontend/execcache"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memo"
)

// place is a working folder, and a recorder that counts how often commands run.
type place struct {
	t        testing.TB
	dir      string
	recorder *execcache.Recorder
	runs     *atomic.Int64
}

// newPlace returns a place with a fast recorder into cache, or into a directory
// of its own if that is nil.
func newPlace(t testing.TB, cache interfaces.Cache) *place {
	t.Helper()
	if cache == nil {
		cache = directory(t)
	}
	recorder, err := memo.NewFast(cache, memo.Options{})
	check(t, err)
	return placeWith(t, recorder, cache)
}

func directory(t testing.TB) *filestream.Cache {
	t.Helper()
	cache, err := filestream.Open(t.Context(), t.TempDir(), filestream.Options{})
	check(t, err)
	t.Cleanup(func() { check(t, cache.Close()) })
	return cache
}

func placeWith(t testing.TB, recorder *memo.Recorder, files interfaces.Cache) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir(), runs: new(atomic.Int64)}
	var err error
	p.recorder, err = execcache.New(recorder, execcache.Options{Files: files, MaxPrinted: 1000, Exec: func(_ context.Context, cmd *exec.Cmd) (int, error) {
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		p.runs.Add(1)
		_ = cmd.Wait()
		return cmd.ProcessState.ExitCode(), nil
	}})
	check(t, err)
	return p
}

// sibling returns a place with the same recorder and another working folder.
func (p *place) sibling() *place {
	return &place{t: p.t, dir: p.t.TempDir(), recorder: p.recorder, runs: p.runs}
}

func (p *place) path(name string) string { return filepath.Join(p.dir, filepath.FromSlash(name)) }

func (p *place) write(name, content string) {
	p.t.Helper()
	check(p.t, os.MkdirAll(filepath.Dir(p.path(name)), 0o777))
	check(p.t, os.WriteFile(p.path(name), []byte(content), 0o644))
}

// read returns the content of a file, or "none".
func (p *place) read(name string) string {
	p.t.Helper()
	content, err := os.ReadFile(p.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "none"
	}
	check(p.t, err)
	return string(content)
}

// shell returns a command that runs a script with sh.
func (p *place) shell(script string) execcache.Command {
	return execcache.Command{Args: []string{"sh", "-c", script}, Dir: p.dir}
}

// printed is what a command printed.
type printed struct{ stdout, stderr string }

func (p *place) try(c execcache.Command) (execcache.Outcome, printed, error) {
	p.t.Helper()
	var stdout, stderr bytes.Buffer
	outcome, err := p.recorder.Run(p.t.Context(), c, execcache.Streams{Stdout: &stdout, Stderr: &stderr})
	return outcome, printed{stdout.String(), stderr.String()}, err
}

// run runs or replays a command.
func (p *place) run(c execcache.Command) (execcache.Outcome, printed) {
	p.t.Helper()
	outcome, text, err := p.try(c)
	check(p.t, err)
	return outcome, text
}

// records fails the test unless the command runs and is recorded.
func (p *place) records(c execcache.Command) {
	p.t.Helper()
	if outcome, _ := p.run(c); outcome.Replayed || outcome.Unrecorded != nil || outcome.Unreplayed != nil {
		p.t.Fatalf("%q: %+v, want that it is recorded", c.Args, outcome)
	}
}

// replays fails the test unless the command is replayed.
func (p *place) replays(c execcache.Command) {
	p.t.Helper()
	if outcome, _ := p.run(c); !outcome.Replayed {
		p.t.Fatalf("%q: %+v, want a replay", c.Args, outcome)
	}
}

// has fails the test unless an error has all these words.
func has(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q, want %q in it", err, word)
		}
	}
}
