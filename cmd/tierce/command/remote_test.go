// SPDX-License-Identifier: Apache-2.0

package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/cmd/tierce/command"
	"github.com/tiercecache/tierce/config"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/ledger"
	"github.com/tiercecache/tierce/internal/lock"
	"github.com/tiercecache/tierce/tiers"
	"github.com/tiercecache/tierce/tiers/guard"
)

// registry is that of the tests: with a remote tier of their own.
func registry() config.Registry {
	r := config.Builtin()
	r["far"] = config.Remote(config.Typed(farOptions{}, openFar))
	return r
}

type farOptions struct {
	Dir  config.Path
	Gate config.Path // a Put waits until nobody has this file locked
	Down bool
	Shut bool // it cannot even be opened
	Deaf bool // it takes no writes
}

// far is a directory that stands for another machine.
type far struct {
	*filestream.Cache
	opts farOptions
}

var errDown = &cacheerr.BackendNotAvailableError{Tier: "far", Reason: "nothing listens there", Err: errors.New("connection refused")}

func openFar(ctx context.Context, opts farOptions) (*far, error) {
	if opts.Shut {
		return nil, errDown
	}
	cache, err := filestream.Open(ctx, string(opts.Dir), filestream.Options{})
	return &far{cache, opts}, err
}

func (f *far) Ping(context.Context) error {
	if f.opts.Down {
		return errDown
	}
	if f.opts.Deaf {
		return &cacheerr.BackendExecutionError{Tier: "far", Op: "put", Reason: "it takes no writes"}
	}
	return nil
}

func (f *far) Get(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	if f.opts.Down {
		return interfaces.Entry{}, errDown
	}
	return f.Cache.Get(ctx, key)
}

func (f *far) Stat(ctx context.Context, key interfaces.Key) (interfaces.Head, error) {
	if f.opts.Down {
		return interfaces.Head{}, errDown
	}
	return f.Cache.Stat(ctx, key)
}

func (f *far) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	if f.opts.Down {
		return errDown
	}
	put := func() error { return f.Cache.Put(ctx, key, entry) }
	if f.opts.Gate == "" {
		return put()
	}
	return lock.Files(string(f.opts.Gate)).With(ctx, lock.Forever, put)
}

// Path is not there: the files are another machine's.
func (f *far) Path(context.Context, interfaces.Key) (string, int64, error) {
	return "", 0, errors.ErrUnsupported
}

// gatekeeper is a build: it has a helper answer it, and keeps the gate shut for
// as long as it runs.
func gatekeeper(gate string) int {
	if _, err := lock.Files(gate).Acquire(context.Background(), lock.Try); err != nil { // until this process ends
		return 97
	}
	self, err := os.Executable()
	if err != nil {
		return 96
	}
	cmd := exec.Command(self, "go")
	cmd.Env = append(os.Environ(), mainVariable+"=1")
	cmd.Stdin = strings.NewReader(build)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = io.Copy(io.Discard, out) // until the helper closes it, as the go command does
	}
	if err != nil {
		return 95
	}
	return 0
}

// withFar writes a configuration with memory, disk and a remote of these options,
// and returns its path.
func withFar(t *testing.T, options string) string {
	t.Helper()
	return file(t, "tiers: [{type: memory}, {type: filestream}, {type: far, options: {"+options+"}}]\n")
}

// TestRunWaitsForHelpers: what is written behind is sent when a run ends, and its
// summary says so.
func TestRunWaitsForHelpers(t *testing.T) {
	alone(t)
	gate, remote := filepath.Join(t.TempDir(), "gate"), t.TempDir()
	t.Setenv(gateVariable, gate)
	written := withFar(t, "dir: "+remote+", gate: "+gate)
	code, _, stderr := tierce(t, "--config", written, "--dir", t.TempDir(), "run", "--", self(t))
	if code != 0 || !strings.Contains(stderr, "; far: 0 hits, 0 B, 2 entries sent, ") || strings.Contains(stderr, "ill") {
		t.Errorf("exit code %d and %q, want 0 and that two entries were sent", code, stderr)
	}
	wantEntries(t, remote, 3)
}

// wantEntries fails the test unless a directory has n entries. A build of one
// action makes three: its record, its output, and what the next build will ask
// for. Statistics leave records out.
func wantEntries(t *testing.T, dir string, n int) {
	t.Helper()
	cache, err := filestream.Open(t.Context(), dir, filestream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	if got, err := cache.Len(t.Context()); got != n || err != nil {
		t.Errorf("%d entries are in the remote (%v), want %d", got, err, n)
	}
}

// TestRunDoesNotWaitWhenInterrupted: after a Ctrl-C nobody waits for uploads.
func TestRunDoesNotWaitWhenInterrupted(t *testing.T) {
	alone(t)
	ctx, cancel := context.WithCancel(t.Context())
	report := filepath.Join(t.TempDir(), "report")
	release, err := lock.Shared(report+".busy").Acquire(ctx, lock.Try)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	cancel()
	command.AwaitHelpers(ctx, report) // for ever, if it waited
}

// TestBudgetOfARun: what one command of a build has waited for a remote in vain is
// not there for the next.
func TestBudgetOfARun(t *testing.T) {
	alone(t)
	t.Setenv("TIERCE_CONFIG", withFar(t, "dir: "+t.TempDir()))
	for name, next := range map[string]func(t *testing.T){
		"tierce go": func(t *testing.T) { helper(t, t.TempDir()) },
		"tierce exec": func(t *testing.T) {
			if code, _, stderr := tierce(t, "--dir", t.TempDir(), "exec", "--", "echo", "out"); code != 0 {
				t.Errorf("exit code %d and %q", code, stderr)
			}
		},
	} {
		for _, vain := range []float64{4, 5} {
			t.Run(fmt.Sprint(name, " after ", vain, " s"), func(t *testing.T) {
				report := filepath.Join(t.TempDir(), "report")
				t.Setenv("TIERCE_REPORT", report)
				before := ledger.Line{Since: time.Now(), Snapshot: tiers.Snapshot{Tiers: []tiers.TierSnapshot{
					{Name: "far", Remote: &tiers.RemoteSnapshot{VainSeconds: vain}},
				}}}
				if err := ledger.Append(t.Context(), report, before); err != nil {
					t.Fatal(err)
				}
				next(t)
				sum, err := ledger.Sum(t.Context(), report)
				if err != nil || sum.Gets == 0 || (sum.Tiers[0].Remote.Ill[guard.BudgetUsed] > 0) != (vain == 5) {
					t.Errorf("%+v (%v), want the budget of 5 s used up or not", sum.Tiers[0].Remote, err)
				}
			})
		}
	}
}

// TestDearHits: a hit of a remote that saves nothing is waited for in vain.
func TestDearHits(t *testing.T) {
	alone(t)
	t.Setenv("TIERCE_CONFIG", withFar(t, "dir: "+t.TempDir()))
	for _, commands := range []string{
		strings.Join(strings.SplitAfter(build, "\n")[2:], ""), // which took no time, as nobody missed it
		`{"ID":1,"Command":"get","ActionID":"YWN0aW9u"}` + "\n",
	} {
		report := filepath.Join(t.TempDir(), "report")
		t.Setenv("TIERCE_REPORT", report)
		cmd := exec.CommandContext(t.Context(), self(t), "go")
		cmd.Env = append(os.Environ(), mainVariable+"=1", "TIERCE_DIR="+t.TempDir())
		cmd.Stdin = strings.NewReader(commands)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("tierce go: %v: %s", err, out)
		}
		sum, err := ledger.Sum(t.Context(), report)
		if err != nil || len(sum.Tiers) != 3 {
			t.Fatalf("reported %+v (%v), want three tiers", sum, err)
		}
		if far := sum.Tiers[2]; far.Hits > 0 != (sum.Gets > 0) || far.Hits > 0 && far.Remote.VainSeconds == 0 {
			t.Errorf("reported %+v, %+v, want what was put as a hit, and some of the wait in vain", far, far.Remote)
		}
	}
}

// TestLeftover: what a helper could not send, the next one for the directory
// does, each once.
func TestLeftover(t *testing.T) {
	alone(t)
	dir, remote, report := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "report")
	t.Setenv("TIERCE_REPORT", report)
	t.Setenv("TIERCE_CONFIG", withFar(t, "dir: "+remote+", down: true"))
	path, _ := helper(t, dir)
	wantHello(t, path)
	left := filepath.Join(dir, "state", "behind")
	if text, err := os.ReadFile(left); err != nil || len(text) != 3*interfaces.KeySize {
		t.Fatalf("%d bytes are left (%v), want three keys", len(text), err)
	}
	sum, err := ledger.Sum(t.Context(), report)
	if err != nil || len(sum.Tiers) != 3 || sum.Tiers[2].Remote.Ill["nothing listens there"] == 0 || sum.Tiers[2].Remote.Left != 3 {
		t.Errorf("reported %+v (%v), want what was ill, and three entries that are left", sum.Tiers, err)
	}
	// A key under which there is nothing, and half of one, are skipped.
	file, err := os.OpenFile(left, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(make([]byte, interfaces.KeySize+5)); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}

	report = filepath.Join(t.TempDir(), "report")
	t.Setenv("TIERCE_REPORT", report)
	t.Setenv("TIERCE_CONFIG", withFar(t, "dir: "+remote))
	cmd := exec.CommandContext(t.Context(), self(t), "go")
	cmd.Env = append(os.Environ(), mainVariable+"=1", "TIERCE_DIR="+dir)
	cmd.Stdin = strings.NewReader(`{"ID":1,"Command":"close"}` + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tierce go: %v: %s", err, out)
	}
	if sum, err = ledger.Sum(t.Context(), report); err != nil || len(sum.Tiers) != 3 || sum.Tiers[2].Puts != 2 || sum.Dropped != 0 {
		t.Errorf("reported %+v (%v), want two entries sent and none dropped", sum.Snapshot, err)
	}
	wantEntries(t, remote, 3)
	if _, err := os.Stat(left); err == nil {
		t.Error("the keys are still left")
	}
}

func TestPing(t *testing.T) {
	alone(t)
	t.Setenv("TIERCE_DIR", filepath.Join(t.TempDir(), "none"))
	well, down, shut := withFar(t, "dir: "+t.TempDir()), withFar(t, "dir: "+t.TempDir()+", down: true"), withFar(t, "shut: true")
	deaf, away := "deaf: true, dir: "+t.TempDir(), "down: true, dir: "+t.TempDir()
	read := func(options string) string {
		return file(t, "tiers: [{type: memory}, {type: filestream}, {type: far, read_only: true, options: {"+options+"}}]\n")
	}
	for _, test := range []struct {
		name, config string
		code         int
		want         string
	}{
		{"no remote", "none", 0, "no remote tier is configured; TIERCE_REDIS_URL="},
		{"a remote that is well", well, 0, "far: is well, and answered in "},
		{"one that is down", down, 1, `far: tier "far" is not available: nothing listens there: connection refused; check that it runs`},
		{"one that cannot be opened", shut, 1, "nothing listens there"},
		{"one that takes no writes", withFar(t, deaf), 1, "it takes no writes"},
		{"one that takes none and is only read", read(deaf), 0, "far: is well, and answered in "},
		{"one that is only read and is down", read(away), 1, "nothing listens there"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := tierce(t, "--config", test.config, "ping")
			if code != test.code || !strings.Contains(stdout, test.want) || strings.Count(stdout, "\n") != 1 || stderr != "" {
				t.Errorf("exit code %d, %q and %q, want %d and %q", code, stdout, stderr, test.code, test.want)
			}
			code, stdout, _ = tierce(t, "--config", test.config, "ping", "--json")
			var all []struct {
				Tier, Type, Problem string
				Well                bool
			}
			if err := json.Unmarshal([]byte(stdout), &all); err != nil || code != test.code {
				t.Fatalf("exit code %d and %q (%v), want %d and JSON", code, stdout, err, test.code)
			}
			for _, p := range all {
				if p.Tier != "far" || p.Type != "far" || p.Well != (test.code == 0) || (p.Problem == "") != p.Well {
					t.Errorf("as JSON %+v", p)
				}
			}
		})
	}
	if _, err := os.Stat(os.Getenv("TIERCE_DIR")); err == nil {
		t.Error("ping has made a cache directory")
	}
	if code, _, stderr := tierce(t, "--config", file(t, "tiers: [{type: fahr}]\n"), "ping"); code != 2 || !strings.Contains(stderr, "fahr") {
		t.Errorf("with a wrong configuration: exit code %d and %q, want 2", code, stderr)
	}
}
