// SPDX-License-Identifier: Apache-2.0

package main // registry is what there is to test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/config"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// A configuration can have the tier of our own: its options are checked as the
// built-in ones' are, and it keeps entries.
func TestCustomTier(t *testing.T) {
	c := load(t, "tiers:\n  - type: map\n    options: {max_body: 1MiB}\n  - type: filestream\n")
	stack, err := c.Open(t.Context(), registry(), tiers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	key := interfaces.Key{1}
	if err := stack.Put(t.Context(), key, interfaces.Text("body")); err != nil {
		t.Fatal(err)
	}
	entry, err := stack.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if text, inMemory := entry.Text(); !inMemory || text != "body" {
		t.Errorf("got %q, in memory %t, want body of the nearest tier, which is the map", text, inMemory)
	}
}

func TestCustomOptionsAreChecked(t *testing.T) {
	err := load(t, "tiers: [{type: map, options: {max_bodies: 1}}]\n").Check(t.Context(), registry())
	if want := `unknown field "max_bodies"; did you mean max_body?`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Check: %v, want %s", err, want)
	}
}

func load(t *testing.T, content string) config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tierce.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.Sources{Environ: []string{}, Flags: config.Flags{Config: path, Dir: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
