// SPDX-License-Identifier: Apache-2.0

//go:build unix

package execcache

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestWatcher holds where names start from: whoever of a process changed the
// folder, whichever line of a new process comes first.
func TestWatcher(t *testing.T) {
	for name, test := range map[string]struct {
		trace string // with @ for the working folder, and ; between lines
		want  []string
	}{
		"a name alone":      {`1 execve("./x", ["x"], 0x1 /* 2 vars */) = 0`, []string{"x"}},
		"another folder":    {`1 chdir("d") = 0 ; 1 execve("./x", ["x"], 0x1) = 0`, []string{"d/x"}},
		"by a descriptor":   {`1 fchdir(3<@/d>) = 0 ; 1 chdir("e") = 0 ; 1 execve("x", [], 0x1) = 0`, []string{"d/e/x"}},
		"that failed":       {`1 chdir("d") = -1 EACCES (Permission denied) ; 1 execve("x", [], 0x1) = 0`, []string{"x"}},
		"told by a call":    {`1 openat(AT_FDCWD<@/d>, "x", O_RDONLY) = -1 EACCES (Permission denied) ; 1 execve("x", [], 0x1) = 0`, []string{"d/x"}},
		"of the parent":     {`1 chdir("d") = 0 ; 1 vfork() = 2 ; 2 execve("x", [], 0x1) = 0`, []string{"d/x"}},
		"before it returns": {`1 chdir("d") = 0 ; 1 vfork( <unfinished ...> ; 2 execve("x", [], 0x1) = 0 ; 1 <... vfork resumed>) = 2`, []string{"d/x"}},
		"of a child only":   {`1 fork() = 2 ; 2 chdir("d") = 0 ; 1 execve("x", [], 0x1) = 0`, []string{"x"}},
		"of all threads":    {`1 clone(flags=CLONE_VM|CLONE_FS|CLONE_THREAD) = 2 ; 2 chdir("d") = 0 ; 1 execve("x", [], 0x1) = 0`, []string{"d/x"}},
		"a child of a thread": {
			`1 clone3({flags=CLONE_VM|CLONE_FS} => {parent_tid=[2]}, 88) = 2 ; 2 chdir("d") = 0 ; 2 fork() = 3 ; 1 chdir("e") = 0 ; 3 execve("x", [], 0x1) = 0`, []string{"d/x"},
		},
		"in a moved folder":     {`1 creat("@/d/x", 0666) = 3<@/d/x> ; 1 rename("d", "e") = 0 ; 1 open("e/x", O_RDONLY) = 3<@/e/x>`, []string{"d"}},
		"appended to":           {`1 open("x", O_WRONLY|O_APPEND) = 3<@/x> ; 1 open("x", O_RDONLY) = 3<@/x>`, []string{"x"}},
		"made by appending":     {`1 openat(AT_FDCWD<@>, "x", O_RDONLY) = -1 ENOENT (x) ; 1 open("x", O_WRONLY|O_CREAT) = 3<@/x> ; 1 open("x", O_RDONLY) = 3<@/x>`, nil},
		"made by updating":      {`1 openat(AT_FDCWD<@>, "x", O_RDONLY) = -1 ENOENT (x) ; 1 open("x", O_RDWR|O_CREAT) = 3<@/x>`, nil},
		"perhaps made":          {`1 open("x", O_RDWR|O_CREAT, 0666) = 3<@/x>`, []string{"x"}},
		"only its name":         {`1 open("x", O_RDONLY|O_PATH) = 3<@/x>`, nil},
		"a pipe":                {`1 open("x", O_RDONLY) = 3<pipe:[7]>`, nil},
		"what it ran and made":  {`1 creat("x", 0777) = 3<@/x> ; 1 execve("@/x", [], 0x1) = 0`, nil},
		"a part of a name only": {`1 chdir("d"...) = 0 ; 1 execve("x", [], 0x1) = 0`, []string{"x"}},
		"declared":              {`1 open("in", O_RDONLY) = 3<@/in> ; 1 execve("@/in", [], 0x1) = 0`, nil},
	} {
		root := real(t.TempDir())
		text := strings.NewReplacer("@", root, " ; ", "\n").Replace(test.trace)
		trace, err := readTrace(strings.NewReader(text), root, []string{filepath.Join(root, "in")})
		if err != nil || !slices.Equal(trace.Undeclared, test.want) {
			t.Errorf("%s: %+v, error %v; want %q\n%s", name, trace, err, test.want, text)
		}
	}
}

func TestReal(t *testing.T) {
	dir := real(t.TempDir())
	must(t, os.Mkdir(filepath.Join(dir, "folder"), 0o755))
	must(t, os.Symlink("folder", filepath.Join(dir, "link")))
	for path, want := range map[string]string{"link": "folder", "link/none/x": "folder/none/x", "none": "none", ".": ""} {
		if got := real(filepath.Join(dir, path)); got != filepath.Join(dir, want) {
			t.Errorf("%s leads to %s, want %s", path, got, want)
		}
	}
	if got := named(filepath.Join(dir, "link")); got != filepath.Join(dir, "link") {
		t.Errorf("the link itself is %s", got)
	}
}
