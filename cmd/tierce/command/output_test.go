// SPDX-License-Identifier: Apache-2.0

package command_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/ledger"
	"github.com/tiercecache/tierce/tiers"
)

// filled makes a cache with three entries of 1000 bytes and what a build said of
// it, and returns its directory.
func filled(t *testing.T) string {
	t.Helper()
	alone(t)
	dir := t.TempDir()
	cache, err := filestream.Open(t.Context(), dir, filestream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range byte(3) {
		if err := cache.Put(t.Context(), interfaces.Key{i}, interfaces.Text(strings.Repeat("b", 1000))); err != nil {
			t.Fatal(err)
		}
	}
	if err := cache.Close(); err != nil {
		t.Fatal(err)
	}
	err = ledger.Append(t.Context(), filepath.Join(dir, "state", "ledger.jsonl"), ledger.Line{
		Snapshot: tiers.Snapshot{
			Gets: 3, Hits: 2, Misses: 1, Puts: 1, HitBytes: 2048, SecondsSaved: 90,
			Tiers:       []tiers.TierSnapshot{{Name: "filestream", Hits: 2, Misses: 1, Puts: 1}},
			MissReasons: tiers.MissReasons{Damaged: 1},
		},
		Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Damaged: []ledger.Damaged{{What: "entry 12345: truncated"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// object runs the command, which must succeed, and returns the one JSON object
// that it prints.
func object(t *testing.T, args ...string) map[string]any {
	t.Helper()
	code, stdout, stderr := tierce(t, args...)
	var object map[string]any
	if err := json.Unmarshal([]byte(stdout), &object); err != nil || code != 0 || stderr != "" {
		t.Fatalf("tierce %q: exit code %d, %q and %q (%v), want a JSON object", args, code, stdout, stderr, err)
	}
	return object
}

// wantFields fails the test unless the object has these numbers and texts.
func wantFields(t *testing.T, object, want map[string]any) {
	t.Helper()
	for name, value := range want {
		if got := object[name]; got != value {
			t.Errorf("%s is %v, want %v", name, got, value)
		}
	}
}

// wantLines fails the test unless the command succeeds and prints each of these
// somewhere.
func wantLines(t *testing.T, args []string, want ...string) {
	t.Helper()
	code, stdout, stderr := tierce(t, args...)
	if code != 0 || stderr != "" {
		t.Errorf("tierce %q: exit code %d and %q", args, code, stderr)
	}
	for _, line := range want {
		if !strings.Contains(stdout, line) {
			t.Errorf("tierce %q printed\n%s\nwant %q in it", args, stdout, line)
		}
	}
}

func TestStats(t *testing.T) {
	dir := filled(t)
	got := object(t, "--dir", dir, "stats", "--json")
	wantFields(t, got, map[string]any{
		"gets": 3.0, "hits": 2.0, "misses": 1.0, "puts": 1.0, "errors": 0.0, "hit_bytes": 2048.0, "put_bytes": 0.0,
		"seconds_saved": 90.0, "since": "2026-01-02T03:04:05Z", "dir": dir, "entries": 3.0,
	})
	if bytes, _ := got["disk_bytes"].(float64); bytes < 3000 {
		t.Errorf("disk_bytes is %v, want at least those of the bodies", got["disk_bytes"])
	}
	if tiers, _ := got["tiers"].([]any); len(tiers) != 1 {
		t.Errorf("tiers are %v, want one", got["tiers"])
	}
	if overhead, _ := got["overhead_bytes"].(float64); overhead < 4096 {
		t.Errorf("overhead_bytes is %v, want at least that of a directory", got["overhead_bytes"])
	}
	indexes, _ := got["indexes"].([]any)
	if len(indexes) != 1 {
		t.Fatalf("indexes are %v, want one", got["indexes"])
	}
	wantFields(t, indexes[0].(map[string]any), map[string]any{"used": true, "why": "there was none", "dir": dir})
	if err := os.Truncate(filepath.Join(dir, "state", "index"), 100); err != nil {
		t.Fatal(err)
	}
	wantLines(t, []string{"--dir", dir, "stats"}, "\nindex ", "since index: it is cut off", "\nbesides ")
	wantLines(t, []string{"--dir", dir, "stats"}, dir, "2 of 3, 2 KiB", "1: 0 absent, 1 damaged", "1m30s of compiling",
		"tier filestream", "2 hits, 1 miss, 1 put, 0 errors", "entry 12345: truncated")
}

func TestGC(t *testing.T) {
	dir := filled(t)
	wantFields(t, object(t, "--dir", dir, "gc", "--json"), map[string]any{"removed": 0.0, "removed_bytes": 0.0})
	wantLines(t, []string{"--dir", dir, "gc"}, "removed 0 entries, 0 B;")
	plan := object(t, "--dir", dir, "--max-bytes", "5000B", "gc", "--dry-run", "--json")
	wantLines(t, []string{"--dir", dir, "--max-bytes", "5000B", "gc", "--dry-run"}, "would remove ")
	wantFields(t, object(t, "--dir", dir, "stats", "--json"), map[string]any{"entries": 3.0})
	got := object(t, "--dir", dir, "--max-bytes", "5000B", "gc", "--json")
	if plan["removed"] != got["removed"] || plan["removed_bytes"] != got["removed_bytes"] || plan["dry_run"] != true {
		t.Errorf("the plan was %v, and done was %v", plan, got)
	}
	if removed, _ := got["removed"].(float64); removed == 0 {
		t.Errorf("with a cap below what is there: %v, want entries removed", got)
	}
}

func TestClear(t *testing.T) {
	dir := filled(t)
	wantFields(t, object(t, "--dir", dir, "clear", "--json"), map[string]any{"removed": 3.0})
	wantLines(t, []string{"--dir", dir, "clear"}, "removed 0 entries, 0 B\n")
	wantFields(t, object(t, "--dir", dir, "stats", "--json"), map[string]any{"entries": 0.0, "gets": 3.0}) // statistics stay
}

func TestVerify(t *testing.T) {
	dir := filled(t)
	wantFields(t, object(t, "--dir", dir, "verify", "--json"), map[string]any{"entries": 3.0, "removed": 0.0, "unverified": 0.0})
	wantLines(t, []string{"--dir", dir, "verify"}, "3 entries are whole, ", "0 damaged, 0 of them removed\n")
	damaged := filepath.Join(dir, "entries", "01", strings.Repeat("0", 62))
	if err := os.WriteFile(damaged, []byte(strings.Repeat("x", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"verify", "--keep"}, 1, "2 entries are whole, 1.95 KiB; 1 damaged, 0 of them removed\n"},
		{[]string{"verify", "--keep", "--json"}, 1, `"damage":"checksum","path":"` + damaged + `","done":"kept","why":"--keep"}]`},
		{[]string{"verify"}, 1, "1 damaged, 1 of them removed\n"},
		{[]string{"verify"}, 0, "2 entries are whole, 1.95 KiB; 0 damaged, 0 of them removed\n"},
	} {
		code, stdout, stderr := tierce(t, append([]string{"--dir", dir}, step.args...)...)
		if code != step.code || !strings.Contains(stdout, step.want) || stderr != "" {
			t.Errorf("%q: exit code %d, %q and %q; want %d and %q", step.args, code, stdout, stderr, step.code, step.want)
		}
		if (step.code == 1) != strings.Contains(stdout, damaged) {
			t.Errorf("%q printed %q, want the path of what is damaged, if something is", step.args, stdout)
		}
	}
}

// TestVerifyTellsWhatWasDone: of each damaged entry.
func TestVerifyTellsWhatWasDone(t *testing.T) {
	dir := filled(t)
	path := filepath.Join(dir, "entries", "01", strings.Repeat("0", 62))
	if err := os.Truncate(path, 10); err != nil {
		t.Fatal(err)
	}
	key := "01" + strings.Repeat("0", 62)
	want := `"damaged":[{"key":"` + key + `","damage":"length or head","path":"` + path + `","done":"removed"}]`
	if code, stdout, stderr := tierce(t, "--dir", dir, "verify", "--json"); code != 1 || !strings.Contains(stdout, want) || stderr != "" {
		t.Errorf("exit code %d, %q and %q, want %s", code, stdout, stderr, want)
	}
}

func TestConfig(t *testing.T) {
	home := alone(t)
	wantLines(t, []string{"config", "check"}, "the configuration is well (no file, the defaults)\n")
	path := file(t, "tiers:\n  - type: filestream\n    options: {max_bytes: 3GiB}\n")
	wantLines(t, []string{"--config", path, "config", "check"}, "the configuration is well ("+path+")\n")
	wantLines(t, []string{"--config", path, "config", "print"}, "max_bytes: 3GiB")
	wantLines(t, []string{"--config", path, "--max-bytes", "4GiB", "config", "print"}, "max_bytes: 4GiB")
	if dir, _ := object(t, "config", "print", "--json")["dir"].(string); !strings.HasPrefix(dir, home) {
		t.Errorf("dir is %q, want it below the user's %q", dir, home)
	}
}

func TestVersion(t *testing.T) {
	alone(t)
	wantFields(t, object(t, "version", "--json"), map[string]any{"go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
	wantLines(t, []string{"version"}, "tierce ", runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH+"\n")
}
