// SPDX-License-Identifier: Apache-2.0

//go:build unix

package execcache

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
)

// later is the clock of a machine where the files of a test are old.
func later() time.Time { return time.Now().Add(time.Hour) }

// write makes a program of a text, and returns its path.
func write(t testing.TB, path, text string) string {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o755))
	return path
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// identity returns the identity of a tool that is found from the folder dir.
func identity(t testing.TB, tools toolbox, dir, name string) string {
	t.Helper()
	found, err := findTool(dir, name)
	must(t, err)
	identity, err := tools.of(t.Context(), found)
	must(t, err)
	return identity
}

// remembered returns how many files tools has.
func remembered(t testing.TB, tools toolbox) int {
	t.Helper()
	names, err := os.ReadDir(tools.dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return len(names)
}

// fakeCompiler makes a compiler in dir, a script that runs the programs of its
// folder.
func fakeCompiler(t testing.TB, dir string) (path string) {
	write(t, filepath.Join(dir, "cc1"), "one")
	return write(t, filepath.Join(dir, "cc"), `#!/bin/sh
case $1 in -print-prog-name=cc1) echo "${0%/*}/cc1";; -print-prog-name=*) echo none;; *) echo "fake $1";; esac
`)
}

func TestFindTool(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "bin", "generate"), "#!/bin/sh\n")
	if tool, err := findTool(dir, "bin/generate"); err != nil || tool.path != path {
		t.Errorf("from the working folder: %+v, error %v, want %s", tool, err, path)
	}
	t.Setenv("PATH", filepath.Dir(path))
	if tool, err := findTool(dir, "generate"); err != nil || tool.path != path {
		t.Errorf("on PATH: %+v, error %v, want %s", tool, err, path)
	}
	t.Chdir(dir)
	write(t, "generate", "")
	if tool, err := findTool("", "./generate"); err != nil || tool.path != filepath.Join(dir, "generate") {
		t.Errorf("in the folder of this process: %+v, error %v, want the one there and not that on PATH", tool, err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "text"), nil, 0o644))
	for _, name := range []string{"none", "./none", "./text", "bin", ""} {
		if _, err := findTool(dir, name); err == nil || !strings.Contains(err.Error(), `"`+name+`"`) {
			t.Errorf("%q: error %v, want one that names it", name, err)
		}
	}
}

func TestCompilerName(t *testing.T) {
	for name, want := range map[string]bool{
		"cc": true, "gcc": true, "/usr/bin/g++": true, "c++": true, "clang": true, "clang++-19": true, "gcc-12.2": true,
		"x86_64-linux-gnu-g++-12": true, "x86_64-w64-mingw32-gcc.exe": true, "gcc-": true,
		"cc1": false, "cc1plus": false, "gcc-ar-12": false, "clang-format-19": false, "tcc": false, "ccache": false, "c++filt": false, "": false, "ld": false,
	} {
		if got := compilerName(name); got != want {
			t.Errorf("%q is a compiler's name: %v, want %v", name, got, want)
		}
	}
}

func TestIdentityIsContent(t *testing.T) {
	dir := t.TempDir()
	tools := toolbox{}
	one := identity(t, tools, dir, write(t, filepath.Join(dir, "one"), "#!/bin/sh\necho 1\n"))
	copied := identity(t, tools, dir, write(t, filepath.Join(dir, "sub", "copy"), "#!/bin/sh\necho 1\n"))
	other := identity(t, tools, dir, write(t, filepath.Join(dir, "two"), "#!/bin/sh\necho 2\n"))
	if one != copied || one == other || len(one) != 64 {
		t.Errorf("a script %s, its copy %s, another script %s", one, copied, other)
	}
	t.Run("a name of a compiler that is none", func(t *testing.T) {
		if got := identity(t, tools, dir, write(t, filepath.Join(dir, "cc"), "#!/bin/sh\nexit 3\n")); len(got) != 64 {
			t.Error(got)
		}
	})
}

// TestIdentityOfCompiler holds that a compiler is also what it runs.
func TestIdentityOfCompiler(t *testing.T) {
	dir := t.TempDir()
	driver := fakeCompiler(t, dir)
	tools := toolbox{dir: filepath.Join(dir, "state"), clock: later}
	before := identity(t, tools, "", driver)
	write(t, filepath.Join(dir, "cc1"), "two")
	after := identity(t, tools, "", driver)
	if before == after {
		t.Errorf("the same identity %s with another cc1", before)
	}
	if n := remembered(t, tools); n != 0 {
		t.Errorf("%d identities of scripts are remembered, though who knows what they run", n)
	}
}

// TestRealCompiler holds that gcc's identity is remembered, and that this ends
// when one of its programs is another, or comes, or PATH changes.
func TestRealCompiler(t *testing.T) {
	dir := t.TempDir()
	assembler, err := exec.LookPath("as")
	must(t, err)
	tools := toolbox{dir: filepath.Join(dir, "state"), clock: later}
	gcc := func() string { return identity(t, tools, "", "gcc") }
	first := gcc()
	if again := gcc(); again != first || remembered(t, tools) != 1 {
		t.Errorf("remembered as %s, %d files, want %s in 1", again, remembered(t, tools), first)
	}
	if cxx := identity(t, tools, "", "g++"); cxx == first {
		t.Error("gcc and g++ have one identity")
	}
	must(t, os.Symlink(assembler, filepath.Join(dir, "as")))
	t.Setenv("COMPILER_PATH", dir)
	if same := gcc(); same != first {
		t.Errorf("%s with the same assembler elsewhere, want %s", same, first)
	}
	script := "#!/bin/sh\nexec " + assembler + " \"$@\"\n"
	must(t, os.Remove(filepath.Join(dir, "as")))
	write(t, filepath.Join(dir, "as"), script)
	second := gcc()
	if second == first {
		t.Error("the same identity with another assembler")
	}
	write(t, filepath.Join(dir, "as"), script+"# another\n")
	if third := gcc(); third == second {
		t.Error("the same identity with an assembler that was changed in place")
	}
	write(t, filepath.Join(dir, "cc1"), "#!/bin/sh\n")
	if fourth := gcc(); fourth == second || fourth == first {
		t.Error("the same identity with a cc1 that has come")
	}
}

// binary makes a program that is no script.
func binary(t testing.TB, path, text string) string { return write(t, path, "\x7fELF"+text) }

func TestRemembered(t *testing.T) {
	dir := t.TempDir()
	path := binary(t, filepath.Join(dir, "tool"), "one")
	tools := toolbox{dir: filepath.Join(dir, "state"), clock: later}
	one := identity(t, tools, "", path)
	info, err := os.Stat(path)
	must(t, err)

	t.Run("what is remembered is what is returned", func(t *testing.T) {
		plant(t, tools, path, "planted")
		if got := identity(t, tools, "", path); got != "planted" {
			t.Errorf("%s, want what the file says", got)
		}
	})
	t.Run("replaced, with the same length and time", func(t *testing.T) {
		binary(t, path+".new", "two")
		must(t, os.Chtimes(path+".new", info.ModTime(), info.ModTime()))
		must(t, os.Rename(path+".new", path))
		if got := identity(t, tools, "", path); got == one || got == "planted" {
			t.Error("it has the identity of the one before")
		}
	})
	t.Run("changed in place, with the same length and time", func(t *testing.T) {
		plant(t, tools, path, "planted")
		binary(t, path, "six")
		must(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
		if got := identity(t, tools, "", path); got == "planted" {
			t.Error("it has the identity of the one before")
		}
	})
	t.Run("a link to another", func(t *testing.T) {
		link := filepath.Join(dir, "link")
		must(t, os.Symlink(path, link))
		before := identity(t, tools, "", link)
		must(t, os.Remove(link))
		must(t, os.Symlink(binary(t, filepath.Join(dir, "other"), "other"), link))
		if after := identity(t, tools, "", link); after == before {
			t.Error("it has the identity of where it led before")
		}
	})
	t.Run("another on PATH", func(t *testing.T) {
		t.Setenv("PATH", dir)
		before := identity(t, tools, "", "tool")
		t.Setenv("PATH", filepath.Dir(binary(t, filepath.Join(dir, "first", "tool"), "first"))+":"+dir)
		if after := identity(t, tools, "", "tool"); after == before {
			t.Error("it has the identity of the one that comes second")
		}
	})
}

// plant makes tools remember an identity that is not the tool's, to tell what is
// remembered from what is found out.
func plant(t testing.TB, tools toolbox, path, identity string) (file string) {
	t.Helper()
	found, err := findTool("", path)
	must(t, err)
	witnesses, sure := look(found.witnesses(t.Context()), later())
	if !sure {
		t.Fatalf("%s cannot be remembered on %s", path, runtime.GOOS)
	}
	file = filepath.Join(tools.dir, found.key().String()[:32])
	tools.remember(file, memory{identity, witnesses}.encode(found.key()))
	return file
}

// TestRacyWindow holds that what has just changed is not remembered: it may
// change again without showing.
func TestRacyWindow(t *testing.T) {
	dir := t.TempDir()
	path := binary(t, filepath.Join(dir, "tool"), "")
	info, err := os.Stat(path)
	must(t, err)
	for age, want := range map[time.Duration]int{-time.Hour: 0, 0: 0, racy - time.Millisecond: 0, racy + time.Hour: 1} {
		tools := toolbox{dir: filepath.Join(dir, age.String()), clock: func() time.Time { return info.ModTime().Add(age) }}
		identity(t, tools, "", path)
		if got := remembered(t, tools); got != want {
			t.Errorf("%v after its last change: %d remembered, want %d", age, got, want)
		}
	}
}

func TestDamagedMemory(t *testing.T) {
	dir := t.TempDir()
	path := binary(t, filepath.Join(dir, "tool"), "")
	tools := toolbox{dir: filepath.Join(dir, "state"), clock: later}
	want := identity(t, tools, "", path)
	file := plant(t, tools, path, "planted")
	whole, err := os.ReadFile(file)
	must(t, err)
	for i := range whole {
		bytes := append([]byte(nil), whole...)
		bytes[i] ^= 1
		must(t, os.WriteFile(file, bytes, 0o600))
		if got := identity(t, tools, "", path); got != want {
			t.Fatalf("byte %d flipped: %s, want %s", i, got, want)
		}
	}
	for name, content := range map[string]string{"empty": "", "cut": string(whole[:len(whole)/2]), "long": string(whole) + " ", "huge": strings.Repeat("x", maxMemory+1)} {
		must(t, os.WriteFile(file, []byte(content), 0o600))
		if got := identity(t, tools, "", path); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if again, ok := readMemory(file, interfaces.Key{}); ok {
			t.Errorf("%s: read as another tool's: %+v", name, again)
		}
	}
	must(t, os.Remove(file))
	must(t, os.Mkdir(file, 0o755)) // cannot be replaced
	if got := identity(t, tools, "", path); got != want {
		t.Errorf("with a folder in its place: %s, want %s", got, want)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	dir := t.TempDir()
	tools := toolbox{dir: filepath.Join(dir, "state"), clock: later}
	write(t, filepath.Join(tools.dir, "left.tmp"), "by a process that was killed")
	must(t, os.Chtimes(filepath.Join(tools.dir, "left.tmp"), time.Time{}, time.Unix(0, 0)))
	for i := range maxRemembered + 10 {
		tools.remember(filepath.Join(tools.dir, encoding.RawKey([]byte{byte(i), byte(i >> 8)}).String()), []byte("x"))
	}
	if n := remembered(t, tools); n != maxRemembered {
		t.Errorf("%d files, want %d", n, maxRemembered)
	}
	if _, err := os.Stat(filepath.Join(tools.dir, "left.tmp")); err == nil {
		t.Error("what a killed process left stays")
	}
}

func TestConcurrently(t *testing.T) {
	dir := t.TempDir()
	tools := toolbox{dir: filepath.Join(dir, "state"), clock: later}
	path := binary(t, filepath.Join(dir, "tool"), "")
	want := identity(t, toolbox{}, "", path)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 20 {
				found, err := findTool("", path)
				if got, err2 := tools.of(t.Context(), found); err != nil || err2 != nil || got != want {
					t.Errorf("%s, errors %v, %v; want %s", got, err, err2, want)
				}
			}
		})
	}
	all.Wait()
	if n := remembered(t, tools); n != 1 {
		t.Errorf("%d files, want 1", n)
	}
}

func FuzzMemory(f *testing.F) {
	key := encoding.RawKey([]byte("tool"))
	f.Add([]byte(nil))
	f.Add(memory{"id", []witness{{Name: "/usr/bin/gcc"}}}.encode(key))
	f.Add(memory{}.encode(key))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, ok := decodeMemory(data, key)
		if !ok {
			return
		}
		if again, ok := decodeMemory(m.encode(key), key); !ok || again.Identity != m.Identity || len(again.Witnesses) != len(m.Witnesses) {
			t.Errorf("%+v comes back as %+v", m, again)
		}
	})
}
