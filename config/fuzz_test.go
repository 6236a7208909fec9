// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/config"
)

// FuzzFile loads any file: an [config.Error] with a place, or a configuration
// that prints, and loads again to the same.
func FuzzFile(f *testing.F) {
	f.Add("")
	f.Add(everythingFile)
	for _, content := range mistakes {
		f.Add(content[:min(len(content), 1000)]) // long ones take the engine a minute each
	}
	path := filepath.Join(f.TempDir(), "tierce.yaml")
	sources := config.Sources{
		Flags: config.Flags{Config: path}, Environ: []string{"A=a", "B=b", "PASSWORD=p"},
		UserConfigDir: noDir, UserCacheDir: in(f.TempDir()),
	}
	registry := config.Builtin()
	registry["spy"] = spy(everything{}, new(everything))["spy"]
	f.Fuzz(func(t *testing.T, content string) {
		write(t, path, content)
		c, err := config.Load(sources)
		if err == nil {
			err = c.Check(t.Context(), registry)
		}
		if err != nil {
			if e, ok := errors.AsType[*config.Error](err); !ok || e.Source == "" || e.Problem == "" {
				t.Fatalf("%#v is not an Error with a place", err)
			}
			return
		}
		text := printed(t, c, registry)
		if strings.Contains(text, "[redacted]") {
			return // not to be loaded again
		}
		write(t, path, text)
		again := load(t, sources)
		if got := printed(t, again, registry); got != text {
			t.Fatalf("printed again:\n%s\nwant\n%s", got, text)
		}
		if !reflect.DeepEqual(again.Queue, c.Queue) || again.Dir != c.Dir {
			t.Fatalf("loaded again: %+v, want %+v", again, c)
		}
	})
}
