// SPDX-License-Identifier: Apache-2.0

package memo_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tiercecache/tierce/internal/redistest"
)

// TestRounds has sixteen processes on four machines make twenty choices at once.
// In every second round a process that runs the function is killed, and others
// after some of their choices. TIERCE_ROUNDS is how many rounds there are:
// "make soak" has hundreds.
func TestRounds(t *testing.T) {
	rounds := 2
	if text := os.Getenv("TIERCE_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal("TIERCE_ROUNDS is a number of rounds:", err)
		}
	}
	for i := range rounds {
		t.Run(fmt.Sprint("R9 R15 round ", i), func(t *testing.T) {
			playRound(t, redistest.Single(t).URL, i%2*4)
		})
	}
}

// playRound fails the test unless those of sixteen processes that are not killed
// agree with each other and with what the killed said, and each choice was made
// once, or once more for each that was killed.
func playRound(t *testing.T, url string, killed int) {
	t.Helper()
	dir, processes := t.TempDir(), 16
	var holder *exec.Cmd
	if killed > 0 {
		holder = startHolder(t, dir, 3, url)
		processes, killed = processes-1, killed-1
	}
	said, all := make([]string, processes), sync.WaitGroup{}
	for i := range processes {
		last := choices
		if i < killed {
			last = rand.IntN(choices)
		}
		all.Go(func() { said[i] = chooseUntil(t, child(t, "choose", dir, i%4, url), last) })
	}
	if holder != nil {
		kill(t, holder)
	}
	all.Wait()
	agreed := said[processes-1]
	for i, lines := range said {
		if !strings.HasPrefix(agreed, lines) || i >= killed && strings.Count(lines, "\n") != choices {
			t.Errorf("R9 process %d chose\n%s\nthe last\n%s", i, lines, agreed)
		}
	}
	for i := range choices {
		if runs, err := filepath.Glob(filepath.Join(dir, fmt.Sprintf("run-%d-*", i))); len(runs) == 0 || len(runs) > 1+killed || err != nil {
			t.Errorf("R15 choice %d was made %d times, and %d were killed", i, len(runs), killed)
		}
	}
}

// chooseUntil runs a process that chooses and kills it after so many choices, or
// waits for its end if these are all, and returns what it printed.
func chooseUntil(t *testing.T, cmd *exec.Cmd, last int) string {
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return ""
	}
	printed := ""
	for lines := bufio.NewReader(stdout); strings.Count(printed, "\n") < last; {
		line, err := lines.ReadString('\n')
		if printed += line; err != nil {
			t.Errorf("a process ended after\n%s: %v", printed, err)
			break
		}
	}
	if last < choices {
		_ = cmd.Process.Kill() // it may have ended meanwhile
		_ = cmd.Wait()
		return printed
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	return printed
}
