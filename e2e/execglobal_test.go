// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tiercecache/tierce/internal/redistest"
)

// TestExecGlobal: issue 5, a command that chooses, on four machines at once: with
// one Redis all have the same result, and it ran once. When Redis has gone, there
// is no result and nothing is left that others would not agree with; in the fast
// mode the command runs.
func TestExecGlobal(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	p := newPlace(t)
	const machines = 4
	draw := func(mode string, machine, n int) outcome {
		dir := fmt.Sprintf("machine%d.%d", machine, n)
		if err := os.MkdirAll(p.path(dir), 0o777); err != nil {
			return outcome{stderr: err.Error(), code: -1}
		}
		script := fmt.Sprintf(`head -c 100000 /dev/urandom >draw; cksum draw; : >"$RUNS/%d.$$"`, n)
		cmd := p.command(dir, []string{"tierce", "exec", "--mode", mode, "--out", "draw", "--", "sh", "-c", script},
			"TIERCE_REDIS_URL="+server.URL, "TIERCE_DIR="+p.path(fmt.Sprint("cache", machine)), "RUNS="+p.path("runs"))
		text, err := cmd.Output()
		if err != nil && cmd.ProcessState == nil {
			return outcome{stderr: err.Error(), code: -1}
		}
		return outcome{stdout: string(text), code: cmd.ProcessState.ExitCode()}
	}
	p.ok(os.MkdirAll(p.path("runs"), 0o777))
	for n := range 3 {
		var all sync.WaitGroup
		said := make([]outcome, 2*machines)
		for i := range said { // two processes of each
			all.Go(func() { said[i] = draw("global", i%machines, 10*n+i/machines) })
		}
		all.Wait()
		for i, end := range said {
			if end != said[i/machines*machines] || end.code != 0 || end.stdout == "" {
				t.Fatalf("round %d: %+v", n, said)
			}
			p.same(fmt.Sprintf("machine%d.%d/draw", i%machines, 10*n+i/machines), fmt.Sprintf("machine0.%d/draw", 10*n+i/machines))
		}
	}
	runs, err := filepath.Glob(p.path("runs", "*"))
	p.ok(err)
	if len(runs) != 6 {
		t.Errorf("the commands ran %d times, want each of 6 once: %s", len(runs), strings.Join(runs, " "))
	}
	server.Kill(t)
	if end := draw("global", 0, 100); end.code != 1 || end.stdout != "" || exists(p.path("machine0.100", "draw")) {
		t.Errorf("without Redis: %+v, want exit code 1 and nothing else", end)
	}
	if end := draw("fast", 0, 101); end.code != 0 || end.stdout == "" || !exists(p.path("machine0.101", "draw")) {
		t.Errorf("without Redis in the fast mode: %+v, want what the command does", end)
	}
}
