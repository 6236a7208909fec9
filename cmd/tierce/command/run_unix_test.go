// SPDX-License-Identifier: Apache-2.0

//go:build unix

package command_test

import (
	"os/exec"
	"testing"

	"github.com/tiercecache/tierce/cmd/tierce/command"
)

// TestCodeOfSignal: a command that a signal ended is 128 and its number, as
// shells have it.
func TestCodeOfSignal(t *testing.T) {
	for signal, want := range map[string]int{"KILL": 137, "TERM": 143, "INT": 130} {
		end := exec.CommandContext(t.Context(), "sh", "-c", "kill -"+signal+" $$").Run()
		if code, err := command.CodeOf(end); code != want || err != nil {
			t.Errorf("of %v: %d and %v, want %d", end, code, err, want)
		}
	}
	alone(t)
	if code, _, stderr := tierce(t, "run", "--summary", "none", "--", "sh", "-c", "kill -TERM $$"); code != 143 || stderr != "" {
		t.Errorf("exit code %d and %q, want 143 and nothing", code, stderr)
	}
}
