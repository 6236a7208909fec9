// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/config"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

func TestLoadDefaults(t *testing.T) {
	sources := nothing(t)
	cacheDir := t.TempDir()
	sources.UserCacheDir = in(cacheDir)
	c := load(t, sources)
	check(t, c, config.Builtin())
	if want := filepath.Join(cacheDir, "tierce"); c.Dir != want {
		t.Errorf("Dir is %q, want %q", c.Dir, want)
	}
	if c.File != "" {
		t.Errorf("File is %q, want none", c.File)
	}
	got := printed(t, c, config.Builtin())
	want := "dir: " + c.Dir + `
tiers:
  - type: memory
    name: memory
    max_body: 64KiB
    options:
      max_bytes: 256MiB
      max_entries: none
  - type: filestream
    name: filestream
    max_body: none
    options:
      max_bytes: 20GiB
      max_files: none
      low_water: 90
      index: bolt
      verify: first-read
      durability: none
      grace: 1h
record:
  mode: fast
`
	if got != want {
		t.Errorf("the defaults are\n%s\nwant\n%s", got, want)
	}
	if entries, err := os.ReadDir(cacheDir); err != nil || len(entries) > 0 {
		t.Errorf("Load and Check made %v in the cache directory (%v), want nothing", entries, err)
	}
}

// TestDefaultDir is F11: where each system has caches.
func TestDefaultDir(t *testing.T) {
	home, named := t.TempDir(), t.TempDir()
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData"} {
		t.Setenv(name, home)
	}
	sources := nothing(t)
	sources.UserCacheDir = nil
	want := map[string]string{"darwin": filepath.Join(home, "Library", "Caches", "tierce")}[runtime.GOOS]
	if want == "" {
		want = filepath.Join(home, "tierce")
	}
	if got := load(t, sources).Dir; got != want {
		t.Errorf("F11 Dir is %q, want %q", got, want)
	}
	if runtime.GOOS == "linux" {
		t.Setenv("XDG_CACHE_HOME", "")
		t.Setenv("HOME", named)
		if got, want := load(t, sources).Dir, filepath.Join(named, ".cache", "tierce"); got != want {
			t.Errorf("F11 Dir is %q, want %q", got, want)
		}
	}
}

func TestNothingInTheFile(t *testing.T) {
	for _, content := range []string{"", "\n", "# only a comment\n", "---\n", "\uFEFF", "{}\n", "null\n"} {
		sources := fromFile(t, content)
		defaults := nothing(t)
		defaults.UserCacheDir = sources.UserCacheDir
		got, want := printed(t, load(t, sources), config.Builtin()), printed(t, load(t, defaults), config.Builtin())
		if got != want {
			t.Errorf("the file %q gives\n%s\nwant the defaults\n%s", content, got, want)
		}
	}
}

func TestSources(t *testing.T) {
	const file = `
dir: /from/file
tiers:
  - type: memory
    options: {max_bytes: 1MiB}
  - type: filestream
    options: {max_bytes: 1GiB}
`
	variables := []string{"HOME=/x", "TIERCE_DIR=/from/env", "TIERCE_MAX_BYTES=2GiB", "TIERCE_MEMORY_MAX_BYTES=2MiB", "TIERCE_REPORT=x"}
	flags := config.Flags{Dir: "/from/flag", MaxBytes: "3GiB", MemoryMaxBytes: "none"}

	sources := fromFile(t, file)
	t.Run("V2 the file wins over the defaults", func(t *testing.T) {
		wantPrinted(t, load(t, sources), "dir: "+abs(t, "/from/file"), "max_bytes: 1MiB", "max_bytes: 1GiB")
	})
	sources.Environ = variables
	t.Run("V2 the environment wins over the file", func(t *testing.T) {
		wantPrinted(t, load(t, sources), "dir: "+abs(t, "/from/env"), "max_bytes: 2MiB", "max_bytes: 2GiB")
	})
	flags.Config = sources.Flags.Config
	sources.Flags = flags
	t.Run("V2 flags win over the environment", func(t *testing.T) {
		wantPrinted(t, load(t, sources), "dir: "+abs(t, "/from/flag"), "max_bytes: none", "max_bytes: 3GiB")
	})
	t.Run("V2 an empty variable says nothing", func(t *testing.T) {
		sources := fromFile(t, file)
		sources.Environ = []string{"TIERCE_DIR=", "TIERCE_MAX_BYTES="}
		wantPrinted(t, load(t, sources), "dir: "+abs(t, "/from/file"), "max_bytes: 1GiB")
	})
}

// abs returns an absolute path as this system writes it.
func abs(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func wantPrinted(t *testing.T, c config.Config, want ...string) {
	t.Helper()
	got := printed(t, c, config.Builtin())
	for _, line := range want {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no line %q in\n%s", line, got)
		}
	}
}

func TestCapsOfTheFirst(t *testing.T) {
	sources := fromFile(t, `
tiers:
  - {type: filestream}
  - {type: filestream, name: share, options: {dir: share}}
`)
	sources.Environ = []string{"TIERCE_MAX_BYTES=1GiB"}
	wantPrinted(t, load(t, sources), "max_bytes: 1GiB", "max_bytes: 20GiB",
		"dir: "+filepath.Join(filepath.Dir(sources.Flags.Config), "share"))

	sources.Environ = []string{"TIERCE_MEMORY_MAX_BYTES=1GiB"}
	_, err := config.Load(sources)
	if want := "TIERCE_MEMORY_MAX_BYTES: caps the memory tier, and there is none; add one, or leave the cap out"; err == nil || err.Error() != want {
		t.Errorf("Load: %v, want %s", err, want)
	}
}

func TestWhichFile(t *testing.T) {
	sources := nothing(t)
	userDir, project := t.TempDir(), t.TempDir()
	sources.UserConfigDir = in(userDir)
	inProject := write(t, filepath.Join(project, "tierce.yaml"), "dir: cache\n")
	named := write(t, filepath.Join(t.TempDir(), "my.yaml"), "dir: ~/mine\n")
	deep := filepath.Join(project, "a", "b")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(deep)
	wantFile := func(name, choice, want string) {
		t.Run(name, func(t *testing.T) {
			sources := sources
			sources.Environ = []string{"TIERCE_CONFIG=" + choice}
			if got := load(t, sources).File; got != want {
				t.Errorf("the file is %q, want %q", got, want)
			}
		})
	}
	wantFile("none by default, whatever the project has", "", "")
	user := write(t, filepath.Join(userDir, "tierce", "tierce.yaml"), "dir: /from/user\n")
	wantFile("the user's own by default", "", user)
	wantFile("the project's when asked for", "auto", inProject)
	wantFile("none when asked for", "none", "")
	wantFile("the one that is named", named, named)
	if err := os.Remove(inProject); err != nil {
		t.Fatal(err)
	}
	wantFile("the user's when the project has none", "auto", user)
}

func TestRelativePaths(t *testing.T) {
	home, work := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Chdir(work)
	wantDir := func(name string, sources config.Sources, want string) {
		t.Run(name, func(t *testing.T) {
			if got := load(t, sources).Dir; got != want {
				t.Errorf("Dir is %q, want %q", got, want)
			}
		})
	}
	sources := fromFile(t, "dir: a/../b\n")
	fileDir := filepath.Dir(sources.Flags.Config)
	wantDir("in a file, from its directory", sources, filepath.Join(fileDir, "b"))
	sources.Environ = []string{"TIERCE_DIR=b"}
	wantDir("in a variable, from the working directory", sources, abs(t, "b"))
	sources.Flags.Dir = "~/b"
	wantDir("in a flag, from home", sources, filepath.Join(home, "b"))
	wantDir("from home in a file", fromFile(t, "dir: ~/c\n"), filepath.Join(home, "c"))
}

func TestUnreachableUserFile(t *testing.T) {
	sources := nothing(t)
	sources.UserConfigDir = in(write(t, filepath.Join(t.TempDir(), "file"), "")) // a file in place of a directory
	if got := load(t, sources).File; got != "" {
		t.Errorf("the file is %q, want none", got)
	}
}

func TestNoDirectory(t *testing.T) {
	sources := nothing(t)
	sources.UserCacheDir = noDir
	_, err := config.Load(sources)
	if !errors.Is(err, config.ErrNoDirectory) || !errors.Is(err, errNoHome) {
		t.Errorf("Load: %v, want ErrNoDirectory and its cause", err)
	}
	sources.Environ = []string{"TIERCE_DIR=/x"}
	if got := load(t, sources).Dir; got != abs(t, "/x") {
		t.Errorf("Dir is %q, want /x", got)
	}
}

func TestMaxBodyFitsTheCap(t *testing.T) {
	t.Run("the default is lowered", func(t *testing.T) {
		sources := nothing(t)
		sources.Flags.MemoryMaxBytes = "32KiB"
		wantPrinted(t, load(t, sources), "max_body: 32KiB")
	})
	t.Run("none is any", func(t *testing.T) {
		c := load(t, fromFile(t, "tiers: [{type: memory, max_body: none}]"))
		if got := c.Tiers[0].MaxBody; got != 0 {
			t.Errorf("MaxBody is %d, want 0", got)
		}
	})
	t.Run("none fits any cap", func(t *testing.T) {
		check(t, load(t, fromFile(t, "tiers: [{type: memory, options: {max_bytes: none}, max_body: 1TiB}]")), config.Builtin())
	})
}

// The start of every compiler's helper pays for this: no file, no variables.
func BenchmarkLoadDefaults(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		c, err := config.Load(config.Sources{})
		if err == nil {
			err = c.Check(b.Context(), config.Builtin())
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
