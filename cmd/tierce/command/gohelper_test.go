// SPDX-License-Identifier: Apache-2.0

package command_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/internal/ledger"
)

// build is what a go command writes that misses, and puts "hello".
const build = `{"ID":1,"Command":"get","ActionID":"YWN0aW9u"}

{"ID":2,"Command":"put","ActionID":"YWN0aW9u","OutputID":"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=","BodySize":5}

"aGVsbG8="
{"ID":3,"Command":"close"}
`

// helper runs "tierce go", the only process of it, in dir, and returns the path
// of what it put and what it said.
func helper(t *testing.T, dir string) (path, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), self(t), "go")
	cmd.Env = append(os.Environ(), mainVariable+"=1", "TIERCE_DIR="+dir)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(build), &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("tierce go: %v: %s", err, errs.String())
	}
	for line := range strings.Lines(out.String()) {
		var answer struct {
			ID       int64
			DiskPath string
		}
		if err := json.Unmarshal([]byte(line), &answer); err != nil {
			t.Errorf("answered %q: %v", line, err)
		}
		if answer.ID == 2 {
			path = answer.DiskPath
		}
	}
	return path, errs.String()
}

// wantHello fails the test unless the file is there when the helper has gone.
func wantHello(t *testing.T, path string) {
	t.Helper()
	if body, err := os.ReadFile(path); err != nil || string(body) != "hello" {
		t.Errorf("at %q: %q and %v, want hello", path, body, err)
	}
}

// TestHelperReports: what a helper did is written down for the directory and for
// the run above it.
func TestHelperReports(t *testing.T) {
	alone(t)
	dir, report := t.TempDir(), filepath.Join(t.TempDir(), "report")
	t.Setenv("TIERCE_REPORT", report)
	path, stderr := helper(t, dir)
	wantHello(t, path)
	if stderr != "" || !strings.HasPrefix(path, dir) {
		t.Errorf("said %q and put at %s, want nothing and in %s", stderr, path, dir)
	}
	for _, path := range []string{report, filepath.Join(dir, "state", "ledger.jsonl")} {
		sum, err := ledger.Sum(t.Context(), path)
		if err != nil || sum.Gets != 1 || sum.Misses != 1 || sum.Puts != 1 || sum.PutBytes != 5 || sum.Since.IsZero() {
			t.Errorf("%s: %+v and %v, want a miss and a put of 5 bytes", path, sum, err)
		}
	}
}

// TestHelperPrivate: where no cache can be, the build gets a directory of its
// own, which is said once; those that earlier builds were given go after a day,
// since somebody may read them until then.
func TestHelperPrivate(t *testing.T) {
	alone(t)
	tmp := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, tmp)
	}
	old, recent := filepath.Join(tmp, "tierce-private-old"), filepath.Join(tmp, "tierce-private-recent")
	for _, dir := range []string{old, recent} {
		if err := os.MkdirAll(filepath.Join(dir, "entries"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	yesterday := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(old, yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	path, stderr := helper(t, file(t, "not a directory"))
	wantHello(t, path)
	if !strings.HasPrefix(path, filepath.Join(tmp, "tierce-private-")) {
		t.Errorf("put at %s, want it in a private directory below %s", path, tmp)
	}
	if !strings.HasPrefix(stderr, "tierce: ") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("said %q, want one line", stderr)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("the private directory of yesterday is left")
	}
	if _, err := os.Stat(recent); err != nil {
		t.Errorf("a recent private directory is gone: %v", err)
	}
}
