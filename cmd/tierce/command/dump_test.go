// SPDX-License-Identifier: Apache-2.0

package command_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorded makes a cache in which two commands were recorded in a mode, and
// returns the flags for it.
func recorded(t *testing.T, flags ...string) []string {
	t.Helper()
	alone(t)
	t.Chdir(t.TempDir())
	global := append([]string{"--dir", filepath.Join(t.TempDir(), "cache")}, flags...)
	for _, script := range []string{"echo one", "echo two"} {
		if code, _, stderr := tierce(t, append(global, shell("exec", script)...)...); code != 0 {
			t.Fatal(stderr)
		}
	}
	return global
}

func TestDump(t *testing.T) {
	t.Setenv("TIERCE_DETERMINISTIC_MODE", "")
	global := recorded(t)
	dump := filepath.Join(t.TempDir(), "dump")
	wantLines(t, append(global, "dump", dump), "nothing was recorded in a deterministic mode")
	for _, script := range []string{"echo one", "echo two"} {
		if code, _, stderr := tierce(t, append(global, shell("exec", script, "--mode", "local")...)...); code != 0 {
			t.Fatal(stderr)
		}
	}
	wantLines(t, append(global, "dump", dump), "2 results are recorded, 2 of them new in "+dump+"\n")
	wantFields(t, object(t, append(global, "dump", "--json", "--mode", "local", dump)...), map[string]any{"results": 2.0, "added": 0.0, "path": dump})
	wantLines(t, []string{"dump", "--show", dump}, "tierce.exec", `"echo one"`, "\n2 results are whole, ")
	wantLines(t, []string{"dump", "--verify", dump}, "2 results are whole, ")
	wantFields(t, object(t, "dump", "--verify", "--json", dump), map[string]any{"results": 2.0, "path": dump})
	list, _ := object(t, "dump", "--show", "--json", dump)["results"].([]any)
	if len(list) != 2 {
		t.Fatalf("%v, want two results", list)
	}
	wantFields(t, list[0].(map[string]any), map[string]any{"function": "tierce.exec"})
	t.Run("R11 strict from it", func(t *testing.T) {
		nowhere := filepath.Join(t.TempDir(), "none")
		strict := func(script string) []string {
			return append([]string{"--dir", nowhere}, shell("exec", script, "--mode", "strict", "--prepopulate", dump)...)
		}
		wantLines(t, strict("echo one"), "one\n")
		if code, stdout, stderr := tierce(t, strict("echo three")...); code != 1 || stdout != "" || !strings.Contains(stderr, "strict") {
			t.Errorf("exit code %d, %q and %q, want an error", code, stdout, stderr)
		}
		if _, err := os.Stat(nowhere); err == nil {
			t.Error("the directory was made")
		}
	})
	t.Run("R13 a changed byte is an error that names the key", func(t *testing.T) {
		text, err := os.ReadFile(dump)
		if err != nil {
			t.Fatal(err)
		}
		at := strings.Index(string(text), `\n`) - 1
		text[at] ^= 1
		changed := filepath.Join(t.TempDir(), "changed")
		if err := os.WriteFile(changed, text, 0o600); err != nil {
			t.Fatal(err)
		}
		key := string(text[strings.LastIndex(string(text[:at]), "entry ")+len("entry "):][:12])
		for _, args := range [][]string{{"--verify", changed}, {"--show", changed}, {changed}} {
			code, stdout, stderr := tierce(t, append(append(global, "dump"), args...)...)
			if code != 1 || stdout != "" || !strings.Contains(stderr, key) {
				t.Errorf("dump %q: exit code %d, %q and %q; want 1 and %s", args, code, stdout, stderr, key)
			}
		}
	})
}

func TestDumpOfRemote(t *testing.T) {
	dump := filepath.Join(t.TempDir(), "dump")
	config := file(t, "tiers:\n  - type: filestream\n  - type: far\n    options: {dir: "+t.TempDir()+"}\nrecord:\n  mode: global\n")
	global := recorded(t, "--config", config)
	wantLines(t, append(global, "dump", dump), "2 results are recorded, 2 of them new")
	wantLines(t, append(global, "dump", "--mode", "fast", dump), "nothing was recorded")
}

// TestDeterminismPage runs the commands of docs/determinism.md.
func TestDeterminismPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "determinism.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```sh\n")
	block, _, _ := strings.Cut(rest, "```\n")
	lines := strings.Split(strings.TrimSpace(block), "\n")
	alone(t)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("tune", []byte("#!/bin/sh\nhead -c 20 /dev/urandom | cksum >tuned.json\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	var first string
	for i, line := range lines {
		words := strings.Fields(line)
		if code, _, stderr := tierce(t, words[1:]...); code != 0 || words[0] != "tierce" {
			t.Fatalf("%q: exit code %d and %q", line, code, stderr)
		}
		tuned, err := os.ReadFile("tuned.json")
		if i == 0 {
			first = string(tuned)
		}
		if err != nil || string(tuned) != first || first == "" {
			t.Errorf("after %q: %q and %v, want %q", line, tuned, err, first)
		}
		_ = os.Remove("tuned.json")
		if i+1 < len(lines) && !strings.Contains(lines[i+1], "--out") {
			if err := os.WriteFile("tuned.json", []byte(first), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(lines) != 5 {
		t.Errorf("the page has %d commands, want 5", len(lines))
	}
}
