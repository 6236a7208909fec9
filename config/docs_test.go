// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/config"
)

// What docs/configuration.md says is the default is the default.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	content, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the page has no file in it")
	}
	sources := fromFile(t, content)
	sources.Flags.Dir = t.TempDir()
	defaults := sources
	defaults.Flags.Config = "none"
	got, want := printed(t, load(t, sources), config.Builtin()), printed(t, load(t, defaults), config.Builtin())
	if got != want {
		t.Errorf("the file in the page is\n%s\nthe defaults are\n%s", got, want)
	}
	for line := range strings.Lines(want) {
		name, _, _ := strings.Cut(strings.TrimLeft(line, " -"), ":")
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("the page has nothing of %s", name)
		}
	}
}

// The code of docs/determinism.md is that of an example.
func TestDeterminismPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "determinism.md"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```go\n")[1:]
	for _, block := range blocks {
		if code, _, _ := strings.Cut(block, "```\n"); !strings.Contains(string(source), code) {
			t.Errorf("the page shows code that no example has:\n%s", code)
		}
	}
	if len(blocks) != 1 {
		t.Errorf("the page has %d blocks of code, want 1", len(blocks))
	}
}
