// SPDX-License-Identifier: Apache-2.0

package memo_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/redistest"
	"github.com/tiercecache/tierce/memo"
	"github.com/tiercecache/tierce/redis"
	"github.com/tiercecache/tierce/tiers"
)

// A test starts this test binary again, in a role, on a directory and with the
// URL of a Redis, or none.
const (
	roleVar  = "TIERCE_MEMO_TEST_ROLE"
	dirVar   = "TIERCE_MEMO_TEST_DIR"
	urlVar   = "TIERCE_MEMO_TEST_URL"
	choices  = 20
	shortest = 2 * time.Second // a lease that a loaded machine keeps alive
)

var roles = map[string]func(r *memo.Recorder, dir string) error{
	"choose": choose, // asks for all choices, and prints them
	"hold":   hold,   // begins to make choice 0, says so, and never ends
}

func TestMain(m *testing.M) {
	role, ok := roles[os.Getenv(roleVar)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := play(context.Background(), role, os.Getenv(dirVar), os.Getenv(urlVar)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// play plays a role: of one of the processes of a machine, whose directory is
// dir, that agree through it, or through a Redis if there is a URL.
func play(ctx context.Context, role func(*memo.Recorder, string) error, dir, url string) error {
	var cache interfaces.Cache
	opts := memo.DeterministicOptions{Mode: memo.Local, Lease: shortest}
	opts.LockDir = filepath.Join(dir, "locks")
	var err error
	if url == "" {
		cache, err = filestream.Open(ctx, filepath.Join(dir, "cache"), filestream.Options{})
	} else {
		opts.Mode = memo.Global
		cache, err = redis.Open(ctx, redis.Options{URL: url, Prefix: redistest.Prefix + "memo:"})
	}
	if err != nil {
		return err
	}
	opts.Sync = tiers.Layer{Name: "sync", Tier: cache}
	r, err := memo.OpenDeterministic(ctx, opts)
	if err == nil {
		err = role(r, dir)
	}
	return errors.Join(err, interfaces.Close(cache))
}

// autotune is the function: it chooses at random, and leaves a trace of each run
// in the directory above those of the machines.
func autotune(dir string) func(context.Context, int) (int64, error) {
	return func(_ context.Context, i int) (int64, error) {
		trace, err := os.CreateTemp(filepath.Join(dir, ".."), fmt.Sprintf("run-%d-*", i))
		if err != nil {
			return 0, err
		}
		return rand.Int64N(1 << 50), trace.Close()
	}
}

func choose(r *memo.Recorder, dir string) error {
	fn, err := memo.Wrap(r, "autotune", autotune(dir), memo.Settings[int, int64]{})
	if err != nil {
		return err
	}
	for i := range choices {
		choice, err := fn(context.Background(), i)
		if err != nil {
			return err
		}
		fmt.Println(i, choice)
	}
	return nil
}

func hold(r *memo.Recorder, _ string) error {
	fn, err := memo.Wrap(r, "autotune", func(context.Context, int) (int64, error) {
		fmt.Println("holding")
		_, err := io.Copy(io.Discard, os.Stdin) // for ever
		return 0, err
	}, memo.Settings[int, int64]{})
	if err == nil {
		_, err = fn(context.Background(), 0)
	}
	return err
}

// child returns this test binary in a role on machine m.
func child(t testing.TB, role, dir string, m int, url string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	mustDo(t, err)
	dir = filepath.Join(dir, fmt.Sprint("machine", m))
	mustDo(t, os.MkdirAll(dir, 0o777))
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = append(os.Environ(), roleVar+"="+role, dirVar+"="+dir, urlVar+"="+url)
	return cmd
}

// wantAgreement runs n processes that choose, on so many machines, and fails the
// test unless all agree and each choice was made once.
func wantAgreement(t *testing.T, dir string, n, machines int, url string) {
	t.Helper()
	outputs, all := make([]string, n), sync.WaitGroup{}
	for i := range n {
		cmd := child(t, "choose", dir, i%machines, url)
		all.Go(func() {
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("another process: %v, %s", err, out)
			}
			outputs[i] = string(out)
		})
	}
	all.Wait()
	for i, output := range outputs {
		if output != outputs[0] || strings.Count(output, "\n") != choices {
			t.Errorf("R9 process %d chose\n%s\nand process 0\n%s", i, output, outputs[0])
		}
	}
	for i := range choices {
		if runs, err := filepath.Glob(filepath.Join(dir, fmt.Sprintf("run-%d-*", i))); len(runs) != 1 || err != nil {
			t.Errorf("R15 choice %d was made %d times, want once", i, len(runs))
		}
	}
}

// startHolder starts a process that makes choice 0 and never ends.
func startHolder(t *testing.T, dir string, m int, url string) *exec.Cmd {
	t.Helper()
	cmd := child(t, "hold", dir, m, url)
	stdin, err := cmd.StdinPipe()
	mustDo(t, err)
	t.Cleanup(func() { _ = stdin.Close() })
	stdout, err := cmd.StdoutPipe()
	mustDo(t, err)
	mustDo(t, cmd.Start())
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "holding\n" {
		t.Fatalf("the holder says %q, error %v", line, err)
	}
	return cmd
}

// kill ends a process as kill -9 does.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	mustDo(t, cmd.Process.Kill())
	if err := cmd.Wait(); err == nil {
		t.Error("the killed ended well")
	}
}

func TestProcesses(t *testing.T) {
	t.Run("R9 R15 processes of one machine agree, and run once", func(t *testing.T) {
		wantAgreement(t, t.TempDir(), 6, 1, "")
	})
	t.Run("R15 the lock of the killed is free", func(t *testing.T) {
		dir := t.TempDir()
		kill(t, startHolder(t, dir, 0, ""))
		wantAgreement(t, dir, 2, 1, "")
	})
}

func TestMachines(t *testing.T) {
	t.Run("R9 R15 processes of four machines agree, and run once", func(t *testing.T) {
		wantAgreement(t, t.TempDir(), 8, 4, redistest.Single(t).URL)
	})
	t.Run("R15 the lease of the killed ends", func(t *testing.T) {
		dir, url := t.TempDir(), redistest.Single(t).URL
		kill(t, startHolder(t, dir, 0, url))
		wantAgreement(t, dir, 4, 4, url)
	})
	t.Run("R10 behind Sentinels nobody can promise it", func(t *testing.T) {
		cache, err := redis.Open(t.Context(), redis.Options{Addrs: []string{"127.0.0.1:1"}, Master: "m"})
		mustDo(t, err)
		t.Cleanup(func() { mustDo(t, cache.Close()) })
		_, err = memo.OpenDeterministic(t.Context(), memo.DeterministicOptions{Mode: memo.Global, Sync: tiers.Layer{Name: "redis", Tier: cache}})
		if err == nil {
			t.Error("no error")
		}
	})
}

// TestKilled is R9: processes are killed at any moment, and what they printed
// until then is what all others print.
func TestKilled(t *testing.T) {
	for name, url := range map[string]func() string{
		"local":  func() string { return "" },
		"global": func() string { return redistest.Single(t).URL },
	} {
		t.Run("R9 R15 "+name, func(t *testing.T) {
			dir, url := t.TempDir(), url()
			var all sync.WaitGroup
			printed := make([]string, 6)
			for i := range printed {
				victim := child(t, "choose", dir, i%2*min(1, len(url)), url) // on one machine if there is no Redis
				all.Go(func() { printed[i] = chooseUntil(t, victim, 3*i) })  // the first before it has chosen, the last near its end
			}
			all.Wait()
			survivor, err := child(t, "choose", dir, 0, url).CombinedOutput()
			mustDo(t, err)
			for i, lines := range printed {
				if !strings.HasPrefix(string(survivor), lines) {
					t.Errorf("%d was killed after\n%s\nwho lives chose\n%s", i, lines, survivor)
				}
			}
		})
	}
}
