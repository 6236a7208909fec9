// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/tiercecache/tierce/config"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

var errNoHome = errors.New("no home")

func noDir() (string, error) { return "", errNoHome }

func in(dir string) func() (string, error) { return func() (string, error) { return dir, nil } }

// nothing is sources of which none says anything.
func nothing(t *testing.T) config.Sources {
	t.Helper()
	return config.Sources{Environ: []string{}, UserConfigDir: noDir, UserCacheDir: in(t.TempDir())}
}

// fromFile is sources of which only a file says something: content.
func fromFile(t *testing.T, content string) config.Sources {
	t.Helper()
	sources := nothing(t)
	sources.Flags.Config = write(t, filepath.Join(t.TempDir(), "tierce.yaml"), content)
	return sources
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, sources config.Sources) config.Config {
	t.Helper()
	c, err := config.Load(sources)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

func check(t *testing.T, c config.Config, registry config.Registry) {
	t.Helper()
	if err := c.Check(t.Context(), registry); err != nil {
		t.Fatalf("Check: %v", err)
	}
}

// tier is a cache that keeps nothing and counts how often it is closed.
type tier struct {
	interfaces.Cache
	closed *int
}

func (c *tier) Close() error {
	*c.closed++
	return nil
}

// spy is a registry of one type, "spy", whose factory keeps the options that it
// got last.
func spy[O any](defaults O, got *O) config.Registry {
	return config.Registry{"spy": config.Typed(defaults, func(_ context.Context, o O) (*tier, error) {
		*got = o
		return &tier{closed: new(int)}, nil
	})}
}

func open(t *testing.T, c config.Config, registry config.Registry) *tiers.Stack {
	t.Helper()
	stack, err := c.Open(t.Context(), registry, tiers.Options{})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return stack
}
