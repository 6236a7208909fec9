// SPDX-License-Identifier: Apache-2.0

package command_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/cmd/tierce/command"
)

// TestBuildName: the same build is called the same wherever the module is, and
// what builds something else is called something else.
func TestBuildName(t *testing.T) {
	alone(t)
	module := func(path, folder string) string {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module "+path+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, folder)
	}
	name := func(dir string) string {
		t.Chdir(dir)
		return command.BuildName()
	}
	t.Setenv("GOVERSION", "go1.26.8")
	here := name(module("example.com/a", "sub"))
	if there := name(module("example.com/a", "sub")); here != there || !strings.Contains(here, "example.com/a") {
		t.Errorf("%q here and %q there, want one name with the module in it", here, there)
	}
	for what, other := range map[string]string{
		"another module":       name(module("example.com/b", "sub")),
		"another folder of it": name(module("example.com/a", "other")),
		"no module":            name(t.TempDir()),
	} {
		if other == here {
			t.Errorf("%s has the same name", what)
		}
	}
	t.Setenv("GOVERSION", "go1.27.0")
	if other := name(module("example.com/a", "sub")); other == here {
		t.Error("another toolchain has the same name")
	}
	t.Setenv("TIERCE_BUILD", "none")
	if none := name(module("example.com/a", "sub")); none != "" {
		t.Errorf("TIERCE_BUILD=none: %q, want no name", none)
	}
}

// TestPortable: what differs between machines is not in a name.
func TestPortable(t *testing.T) {
	tmp := filepath.Join(os.TempDir(), "overlay.json")
	for text, want := range map[string]string{
		"/usr/bin/go build ./...":                "build ./...",
		"go build -o /x/bin/x -v ./cmd":          "build -v ./cmd",
		"go build -o=x --o=y ./cmd":              "build ./cmd",
		"go build -modfile=/src/m/alt.mod ./...": "build -modfile=./alt.mod ./...",
		"go list -overlay=" + tmp + " ./...":     "list ./...",
		"go build -o":                            "build",
		"go":                                     "",
	} {
		got := command.Portable(strings.Fields(text), "/src/m")
		if !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := command.Portable([]string{"go", "test", "/a/b"}, ""); !slices.Equal(got, []string{"test", "/a/b"}) {
		t.Errorf("outside of a module: %q", got)
	}
}
