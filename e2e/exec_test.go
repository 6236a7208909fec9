// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/internal/pause"
)

// execKills is how often TestExecKilled kills in either case.
const execKills = 15

// TestExecKilled: issue 5, kill -9 of tierce exec at any moment leaves no
// half-written output, and what it recorded is right.
func TestExecKilled(t *testing.T) {
	t.Parallel()
	k := &execKilling{place: newPlace(t), random: rand.New(rand.NewPCG(1, 2)), want: strings.Repeat("x", 16<<20), args: []string{
		"tierce", "exec", "--summary", "text", "--out", "out", "--", "sh", "-c", `head -c 16777216 /dev/zero | tr '\0' x >part; mv part out`,
	}}
	for round := range execKills { // while it records
		k.ok(os.RemoveAll(k.path("cache")))
		dir := fmt.Sprint("record", round) // what was started may outlive who started it
		k.ok(os.Mkdir(k.path(dir), 0o777))
		k.kill(dir, func() bool { return exists(k.path(dir, "out")) })
		k.ok(os.Mkdir(k.path(dir+"b"), 0o777))
		k.must(dir+"b", k.args...)
		k.whole(dir + "b")
	}
	const dir = "replay"
	k.ok(os.Mkdir(k.path(dir), 0o777))
	k.must(dir, k.args...)
	early := 0
	for range execKills { // while it replays
		k.ok(os.Remove(k.path(dir, "out")))
		k.kill(dir, func() bool { return len(k.temporary(dir)) > 0 })
		if exists(k.path(dir, "out")) {
			k.whole(dir)
		} else {
			early++
		}
		for _, path := range k.temporary(dir) { // it is in nobody's way
			k.ok(os.Remove(path))
		}
		if end := k.must(dir, k.args...); end.stderr != "tierce: replayed\n" {
			t.Fatalf("after a replay was killed: %q, want a replay", end.stderr)
		}
		k.whole(dir)
	}
	t.Logf("%d of %d replays were killed before the output was there", early, execKills)
}

type execKilling struct {
	*place
	random *rand.Rand
	args   []string
	want   string // content of the output
}

// kill kills the command up to two milliseconds after until holds.
func (k *execKilling) kill(dir string, until func() bool) {
	k.t.Helper()
	cmd := k.command(dir, k.args)
	k.ok(cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	for waiting := true; waiting && !until(); {
		select {
		case <-ended:
			waiting = false
		default:
		}
	}
	k.ok(pause.For(k.t.Context(), time.Duration(k.random.IntN(2000))*time.Microsecond))
	_ = cmd.Process.Kill() // it may have ended
	<-ended
}

func (k *execKilling) whole(dir string) {
	k.t.Helper()
	text, err := os.ReadFile(k.path(dir, "out"))
	k.ok(err)
	if string(text) != k.want {
		k.t.Fatalf("the output has %d bytes, and not those that were made", len(text))
	}
}

// temporary are the files on their way.
func (k *execKilling) temporary(dir string) []string {
	found, err := filepath.Glob(k.path(dir, ".tierce-*"))
	k.ok(err)
	return found
}
