// SPDX-License-Identifier: Apache-2.0

package context_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	cachectx "github.com/tiercecache/tierce/context"
)

// ask returns what one form answers, asked anew.
func ask(t testing.TB, form cachectx.Form) string {
	t.Helper()
	isolation, err := newForms(t, form).Isolation(t.Context(), cachectx.Schema{})
	if err != nil {
		t.Fatal(err)
	}
	answer, ok := isolation.Compile[form.Name]
	if !ok {
		answer, ok = isolation.Runtime[form.Name]
	}
	if !ok || (answer.Failed == "") == (answer.Value == nil) {
		t.Fatalf("%s answered %+v", form.Name, isolation)
	}
	if answer.Failed != "" {
		return "failed " + answer.Failed
	}
	return string(answer.Value)
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o777); err != nil {
		t.Fatal(err)
	}
}

// changes fails the test unless change makes the form answer something else,
// which it then answers twice.
func changes(t testing.TB, form cachectx.Form, change func()) {
	t.Helper()
	before := ask(t, form)
	change()
	after := ask(t, form)
	if before == after {
		t.Errorf("%s answers %s before and after", form.Name, after)
	}
	if again := ask(t, form); again != after {
		t.Errorf("%s answers %s, then %s", form.Name, after, again)
	}
}

// script makes an executable file in a directory of PATH.
func script(t *testing.T, name, text string) (path string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Fatal("this test needs a system with sh")
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	path = filepath.Join(dir, name)
	write(t, path, "#!/bin/sh\n"+text)
	return path
}

func TestGoToolchain(t *testing.T) {
	got := ask(t, cachectx.GoToolchain())
	for _, want := range []string{`"GOVERSION":"` + runtime.Version(), `"GOARCH":"` + runtime.GOARCH + `"`} {
		if !strings.Contains(got, want) {
			t.Errorf("C5 %s is not in %s", want, got)
		}
	}
	changes(t, cachectx.GoToolchain(), func() { t.Setenv("GOARCH", "mips64le") })
	changes(t, cachectx.GoToolchain(), func() { t.Setenv("GOFLAGS", "-trimpath") })
	t.Setenv("PATH", t.TempDir())
	if got := ask(t, cachectx.GoToolchain()); got != "failed not-found" {
		t.Errorf("C4 without go: %s", got)
	}
}

func TestCCompiler(t *testing.T) {
	gcc := cachectx.CCompiler("gcc")
	if got := ask(t, gcc); gcc.Name != "gcc" || !strings.Contains(got, `"cc1":"`) || !strings.Contains(got, `"-dumpmachine":"`) {
		t.Errorf("C5 %s answers %s", gcc.Name, got)
	}
	for _, program := range []string{"as", "collect2", "ld"} {
		if got := ask(t, gcc); !strings.Contains(got, `"`+program+`":"`) {
			t.Errorf("C5 gcc's %s is not in %s", program, got)
		}
	}
	if ask(t, gcc) == ask(t, cachectx.CCompiler("g++")) {
		t.Error("C5 gcc and g++ answer the same")
	}
	t.Run("C5 what it reports counts, and its bytes", func(t *testing.T) {
		const text = "case $1 in --version) cat \"$0.version\";; -print-prog-name=*) echo no-such-program;; *) echo $1;; esac\n"
		path := script(t, "mycc", text)
		write(t, path+".version", "mycc 1")
		changes(t, cachectx.CCompiler("mycc"), func() { write(t, path+".version", "mycc 2") })
		changes(t, cachectx.CCompiler("mycc"), func() { write(t, path, "#!/bin/sh\n# another\n"+text) })
	})
	t.Run("C4 one that fails", func(t *testing.T) {
		script(t, "badcc", "exit 7\n")
		if got := ask(t, cachectx.CCompiler("badcc")); got != "failed exit 7" {
			t.Error(got)
		}
		if got := ask(t, cachectx.CCompiler(filepath.Join(t.TempDir(), "none"))); got != "failed not-found" {
			t.Error(got)
		}
	})
}

func TestMachine(t *testing.T) {
	if got := ask(t, cachectx.Target("")); got != `"`+runtime.GOOS+"/"+runtime.GOARCH+`"` {
		t.Errorf("C5 target %s", got)
	}
	if got := ask(t, cachectx.OS()); !strings.Contains(got, `"name":"`+runtime.GOOS+`"`) || !strings.Contains(got, `"release":["`) {
		t.Errorf("C5 os %s", got)
	}
	if got := ask(t, cachectx.CPU()); len(got) < 10 || got != ask(t, cachectx.CPU()) {
		t.Errorf("C5 cpu %s", got)
	}
}

func TestKinds(t *testing.T) {
	const one, two = "processor\t: 0\nvendor_id\t: X\nflags\t\t: sse avx\ncpu MHz\t: 1234\n", "processor\t: 1\nvendor_id\t: X\nflags\t\t: avx sse\ncpu MHz\t: 99\n"
	if got := cachectx.Kinds(one + "\n" + two + "\n"); len(got) != 1 || got[0] != "vendor_id: X\nflags: avx sse" {
		t.Errorf("C5 two of one kind: %q", got)
	}
	if got := cachectx.Kinds(one + "\n" + strings.Replace(two, "sse", "sse2", 1)); len(got) != 2 {
		t.Errorf("C5 two kinds: %q", got)
	}
}

func TestGPU(t *testing.T) {
	if _, err := exec.LookPath("nvidia-smi"); err != nil {
		if got := ask(t, cachectx.GPU()); got != "failed not-found" {
			t.Errorf("C5 without nvidia-smi: %s", got)
		}
	}
	t.Run("C5 two devices of one kind, and another driver", func(t *testing.T) {
		path := script(t, "nvidia-smi", "echo 'T4, 7.5, 550.1, 15360 MiB'; echo 'T4, 7.5, 550.1, 15360 MiB'\n")
		if got := ask(t, cachectx.GPU()); got != `["T4, 7.5, 550.1, 15360 MiB"]` {
			t.Error(got)
		}
		changes(t, cachectx.GPU(), func() { write(t, path, "#!/bin/sh\necho 'T4, 7.5, 560.0, 15360 MiB'\n") })
	})
	t.Run("C5 nvcc", func(t *testing.T) {
		path := script(t, "nvcc", "echo 'release 12.4, V12.4.131'\n")
		changes(t, cachectx.CUDA(), func() { write(t, path, "#!/bin/sh\necho 'release 12.5, V12.5.1'\n") })
	})
}

func TestEnv(t *testing.T) {
	t.Setenv("TIERCE_TEST_A", "secret")
	if got := ask(t, cachectx.Env("TIERCE_TEST_A")); strings.Contains(got, "secret") {
		t.Errorf("E2 the value is shown: %s", got)
	}
	form := cachectx.Env("TIERCE_TEST_A", "TIERCE_TEST_B")
	changes(t, form, func() { t.Setenv("TIERCE_TEST_A", "\xff not UTF-8") })
	changes(t, form, func() { t.Setenv("TIERCE_TEST_B", "") }) // C5 empty is not absent
	before := ask(t, form)
	t.Setenv("TIERCE_TEST_C", "x")
	if ask(t, form) != before {
		t.Error("C5 a variable that is not named counts")
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	file, folder := filepath.Join(dir, "file"), filepath.Join(dir, "folder")
	write(t, file, "1")
	write(t, filepath.Join(folder, "sub", "x"), "x")
	form := cachectx.Files(file, folder)
	changes(t, form, func() { write(t, file, "2") })
	changes(t, form, func() { write(t, filepath.Join(folder, "sub", "x"), "y") })
	changes(t, form, func() { write(t, filepath.Join(folder, "sub", "z"), "") })
	changes(t, form, func() { must(t, os.Rename(filepath.Join(folder, "sub"), filepath.Join(folder, "bus"))) })
	changes(t, form, func() { must(t, os.Symlink("target", filepath.Join(folder, "link"))) })
	t.Run("C5 where it is does not count", func(t *testing.T) {
		before, moved := ask(t, form), filepath.Join(t.TempDir(), "moved")
		must(t, os.Rename(dir, moved))
		if after := ask(t, cachectx.Files(filepath.Join(moved, "file"), filepath.Join(moved, "folder"))); after != before {
			t.Errorf("%s, and elsewhere %s", before, after)
		}
		if got := ask(t, form); got != "failed not-found" {
			t.Errorf("C4 where it was: %s", got)
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
