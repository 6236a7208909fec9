// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kills is how many helpers are killed in the middle of a build.
const kills = 100

// TestHelperKilled: issue 2, "kill -9 of a helper in the middle of a build, a
// hundred times at random moments: the next build is right, no entry is damaged
// (verify finds nothing)".
//
// E2E_SEED repeats a run, as far as the machine does.
func TestHelperKilled(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("E2E_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("E2E_SEED=%d", seed)
	for half := range uint64(2) { // side by side: a build of few packages does not keep two processors busy
		t.Run(fmt.Sprint("half ", half), func(t *testing.T) {
			t.Parallel()
			k := &killing{place: newPlace(t), random: rand.New(rand.NewPCG(seed, half)), m: module{packages: 15, salt: make([]int, 15)}, size: 500_000}
			k.killAll(kills / 2)
		})
	}
}

// killAll kills so many helpers, and builds after each.
func (k *killing) killAll(kills int) {
	k.t.Helper()
	k.change()
	k.build(1 << 40) // the runtime; the helper is killed when all is done
	rounds := 0
	for ; k.killed < kills; rounds++ {
		if rounds == 3*kills {
			k.t.Fatalf("%d of %d helpers were killed in the middle, want %d", k.killed, rounds, kills)
		}
		k.change()
		k.killedBuild()
		k.rightBuild(rounds)
	}
	k.t.Logf("%d helpers were killed in the middle and %d at the end; %d builds failed", k.killed, rounds-k.killed, k.failed)
	k.sweep()
}

// killing is one half of TestHelperKilled.
type killing struct {
	*place
	random *rand.Rand
	m      module
	size   int64 // of what the go command sends in a whole build, by estimate
	killed int   // helpers, before they had all of it
	failed int   // builds
}

// change changes some packages, so that there is something to compile.
func (k *killing) change() {
	for range 1 + k.random.IntN(4) {
		k.m.salt[k.random.IntN(len(k.m.salt))] = k.random.IntN(modulus)
	}
	k.m = k.module("m", k.m)
	// One body that takes long enough to be cut.
	blob := fmt.Sprintf("package p014\n\n// Blob is large.\nvar Blob = %q\n", strings.Repeat(fmt.Sprint(k.m.salt), 4000))
	k.ok(writeOld(k.path("m", "p014", "blob.go"), blob))
}

// build compiles, and now and then links, with a helper that is killed when it has
// been sent so many bytes, or all. It returns how many those were, and how the build ended.
func (k *killing) build(after int64) (int64, outcome) {
	k.t.Helper()
	packages := "./p..."
	if k.killed%10 == 0 {
		packages = "./..." // what is killed while the linker reads; that stores nothing
	}
	cmd := k.command("m", []string{"go", "build", packages},
		"GOCACHEPROG=killer", fmt.Sprintf("KILLER_AFTER=%d", after),
		fmt.Sprintf("KILLER_DELAY=%dus", k.random.IntN(2000)), "KILLER_COUNT="+k.path("count"))
	end := k.end(cmd)
	text, err := os.ReadFile(k.path("count"))
	k.ok(err)
	count, err := strconv.ParseInt(string(text), 10, 64)
	k.ok(err)
	return count, end
}

func (k *killing) killedBuild() {
	k.t.Helper()
	after := k.random.Int64N(k.size)
	sent, end := k.build(after)
	if end.code != 0 {
		k.failed++
	}
	if sent == after {
		k.killed++
		k.size += k.size / 20
	} else {
		k.size = sent
	}
}

func (k *killing) rightBuild(round int) {
	k.t.Helper()
	k.must("m", "tierce", "run", "--", "go", "build", "-o", "app", "./cmd/app")
	k.prints("m/app", k.m)
	k.verify()
	if round%20 == 0 {
		k.native("m", "build", "-o", "reference", "./cmd/app")
		k.same("m/app", "m/reference")
	}
}

// sweep holds that what killed helpers left goes when it is an hour old.
func (k *killing) sweep() {
	k.t.Helper()
	left, err := filepath.Glob(k.path("cache", "tmp", "*"))
	k.ok(err)
	old := time.Now().Add(-2 * time.Hour)
	for _, path := range left {
		k.ok(os.Chtimes(path, old, old))
	}
	k.must(".", "tierce", "gc")
	if rest, _ := filepath.Glob(k.path("cache", "tmp", "*")); len(rest) > 0 {
		k.t.Errorf("of %d temporary files that killed helpers left, %d are there two hours later", len(left), len(rest))
	}
	k.t.Logf("killed helpers left %d temporary files", len(left))
}

// killer is a program between the go command and a helper, which it kills.
func killer() {
	after, _ := strconv.ParseInt(os.Getenv("KILLER_AFTER"), 10, 64)
	delay, _ := time.ParseDuration(os.Getenv("KILLER_DELAY"))
	helper := exec.Command("tierce", "go")
	helper.Stdout, helper.Stderr = os.Stdout, os.Stderr
	in, err := helper.StdinPipe()
	if err == nil {
		err = helper.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "killer:", err)
		os.Exit(1)
	}
	n, _ := io.CopyN(in, os.Stdin, after) // ends early when the build does
	<-time.After(delay)                   // a moment that no byte decides
	_ = helper.Process.Kill()
	_ = helper.Wait()
	if err := os.WriteFile(os.Getenv("KILLER_COUNT"), fmt.Append(nil, n), 0o666); err != nil {
		fmt.Fprintln(os.Stderr, "killer:", err)
	}
	os.Exit(1)
}
