// SPDX-License-Identifier: Apache-2.0

package strace_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/internal/strace"
)

// calls parses a trace.
func calls(t testing.TB, lines ...string) []strace.Call {
	t.Helper()
	var all []strace.Call
	for call, err := range strace.Calls(strings.NewReader(strings.Join(lines, "\n"))) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, call)
	}
	return all
}

func TestCalls(t *testing.T) {
	open := strace.Call{PID: 7, Name: "openat", Args: []strace.Arg{"AT_FDCWD</w>", `"a.h"`, "O_RDONLY|O_CLOEXEC"}, Result: "3</w/a.h>"}
	fork := strace.Call{PID: 6, Name: "vfork", Result: "7"}
	for name, test := range map[string]struct {
		lines []string
		want  []strace.Call
	}{
		"nothing":  {nil, nil},
		"in one":   {[]string{`7  openat(AT_FDCWD</w>, "a.h", O_RDONLY|O_CLOEXEC) = 3</w/a.h>`}, []strace.Call{open}},
		"in parts": {[]string{`7 openat(AT_FDCWD</w>, "a.h", O_RDONLY|O_CLOEXEC <unfinished ...>`, `7     <... openat resumed>)   = 3</w/a.h>`}, []strace.Call{open}},
		"in turn": {[]string{
			`6 vfork( <unfinished ...>`, `7 openat(AT_FDCWD</w>, "a.h" <unfinished ...>`, `6 <... vfork resumed>) = 7`, `7 <... openat resumed>, O_RDONLY|O_CLOEXEC) = 3</w/a.h>`,
		}, []strace.Call{fork, open}},
		"ends and signals": {[]string{`7 +++ exited with 0 +++`, `7 --- SIGCHLD {si_signo=SIGCHLD} ---`, `8 +++ killed by SIGKILL (core dumped) +++`}, nil},
		"never returned":   {[]string{`7 openat(AT_FDCWD</w>, "a.h" <unfinished ...>`, `7 +++ killed by SIGKILL +++`}, nil},
		"killed in it":     {[]string{`7 chdir("/w") = ?`}, []strace.Call{{PID: 7, Name: "chdir", Args: []strace.Arg{`"/w"`}, Result: "?"}}},
		"executed by a thread": {
			[]string{`9 execve("/bin/x", ["x"], 0x7ffd /* 3 vars */ <unfinished ...>`, `7 +++ superseded by execve in pid 9 +++`, `7 <... execve resumed>) = 0`},
			[]strace.Call{{PID: 7, Name: "execve", Args: []strace.Arg{`"/bin/x"`, `["x"]`, "0x7ffd /* 3 vars */"}, Result: "0"}},
		},
		"brackets in names": {
			[]string{`7 openat(AT_FDCWD</a\74b\76),>, "x\",)<", O_RDONLY) = 3</a\74b\76),/x\",)<>`},
			[]strace.Call{{PID: 7, Name: "openat", Args: []strace.Arg{`AT_FDCWD</a\74b\76),>`, `"x\",)<"`, "O_RDONLY"}, Result: `3</a\74b\76),/x\",)<>`}},
		},
		"structs": {
			[]string{`7 openat2(3</w>, "f", {flags=O_RDONLY|O_CLOEXEC, resolve=0}, 24) = 4</w/f>`},
			[]strace.Call{{PID: 7, Name: "openat2", Args: []strace.Arg{"3</w>", `"f"`, "{flags=O_RDONLY|O_CLOEXEC, resolve=0}", "24"}, Result: "4</w/f>"}},
		},
	} {
		if got := calls(t, test.lines...); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestNonsense(t *testing.T) {
	for _, line := range []string{
		"", "x", "openat(AT_FDCWD, \"a\") = 3", "7", "7 openat", "7 openat(", `7 openat("a`, `7 openat("a") 3`, `7 openat("a") = `, "7 (1) = 2", "7 f(1] = 2",
		"7 <... openat resumed>) = 3", "7 <... openat) = 3", "7 f(a</w) = 3", "7 +++ superseded by execve in pid x +++",
	} {
		var got error
		for _, err := range strace.Calls(strings.NewReader("6 chdir(\"/\") = 0\n" + line + "\n")) {
			got = err
		}
		var syntax *strace.SyntaxError
		if !errors.As(got, &syntax) || syntax.Line != 2 || syntax.Text != line {
			t.Errorf("%q: error %v, want one for line 2", line, got)
		}
	}
	for _, err := range strace.Calls(strings.NewReader("7 chdir(\"" + strings.Repeat("x", 2<<20))) {
		if err == nil {
			t.Error("a line of 2 MiB is no error")
		}
	}
}

func TestArg(t *testing.T) {
	for arg, want := range map[strace.Arg]string{
		`"a b"`: "a b", `"\"\\\n\t\r\v\f"`: "\"\\\n\t\r\v\f", `"\303\244\0\0011"`: "ä\x00\x011", `""`: "",
		`"cut"...`: "-", `"\`: "-", `"\8"`: "-", `"\777"`: "-", `NULL`: "-", ``: "-", `"`: "-",
	} {
		got, ok := arg.Text()
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("text of %s: %q, want %q", arg, got, want)
		}
	}
	for arg, want := range map[strace.Arg]string{
		"3</w/a>": "/w/a", `3</w/\74a\76>`: "/w/<a>", "AT_FDCWD</w>": "/w", "3</w/a (deleted)>": "/w/a", "3</w/a>(deleted)": "/w/a",
		"3<pipe:[12]>": "pipe:[12]", "3": "-", "3</w": "-", "-1 ENOENT (No such file or directory)": "-",
	} {
		got, ok := arg.File()
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("file of %s: %q, want %q", arg, got, want)
		}
	}
}

// TestPaths holds what each call is given, and whether what it started has a
// working folder of its own.
func TestPaths(t *testing.T) {
	for line, want := range map[string]string{
		`open("a", O_RDONLY) = 3</w/a>`:                                     "[a]",
		`creat("/a", 0666) = 3</a>`:                                         "[/a]",
		`openat(AT_FDCWD</w>, "a", O_RDONLY) = 3</w/a>`:                     "[(/w)/w/a]",
		`openat(5</d>, "a", O_RDONLY) = 3</d/a>`:                            "[/d/a]",
		`openat2(5</d>, "/e/../a", {flags=O_RDONLY}, 24) = 3</a>`:           "[/a]",
		`execveat(5</d>, "x", ["x"], 0x1 /* 2 vars */, 0) = 0`:              "[/d/x]",
		`execveat(5</d/x>, "", ["x"], 0x1 /* 2 vars */, AT_EMPTY_PATH) = 0`: "[/d/x]",
		`renameat2(5</d>, "a", AT_FDCWD</w>, "b", RENAME_NOREPLACE) = 0`:    "[/d/a (/w)/w/b]",
		`rename("a", "b") = 0`:                                              "[a b]",
		`linkat(5</d>, "a", 6</e>, "b", 0) = 0`:                             "[/d/a /e/b]",
		`symlink("to", "link") = 0`:                                         "[link]",
		`symlinkat("to", 5</d>, "link") = 0`:                                "[/d/link]",
		`mkdirat(5</d>, "a", 0777) = 0`:                                     "[/d/a]",
		`fchdir(5</d>) = 0`:                                                 "[/d]",
		`chdir("d") = 0`:                                                    "[d]",
		`chdir(NULL) = -1 EFAULT (Bad address)`:                             "[]",
		`rename("a") = ?`:                                                   "[]",
		`vfork() = 9`:                                                       "[]",
	} {
		call := calls(t, "7 "+line)[0]
		var got []string
		for _, p := range call.Paths() {
			text := p.Join()
			if p.Current {
				text = "(" + p.Dir + ")" + text
			}
			got = append(got, text)
		}
		if text := fmt.Sprint(got); text != want {
			t.Errorf("%s: %s, want %s", line, text, want)
		}
	}
}

func TestCall(t *testing.T) {
	for line, want := range map[string]string{
		`vfork() = 9`: "9 false", `clone(child_stack=NULL, flags=CLONE_VM|CLONE_FS|SIGCHLD) = 9`: "9 true",
		`clone3({flags=CLONE_VM|CLONE_FS, x=1} => {parent_tid=[9]}, 88) = 9`: "9 true",
		`clone(flags=CLONE_FSX|SIGCHLD) = 9`:                                 "9 false", `fork() = -1 EAGAIN (Resource)`: "0 false",
	} {
		call := calls(t, "7 "+line)[0]
		if got := fmt.Sprint(call.Child(), call.SharesFolder()); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	for flags, want := range map[string]strace.Opening{
		"O_RDONLY": strace.Read, "O_RDWR": strace.Read, "O_RDWR|O_CREAT|O_TRUNC, 0666": strace.Made, "O_RDWR|O_CREAT|O_EXCL, 0600": strace.Made,
		"O_RDONLY|O_PATH": strace.Named, "O_RDONLY|O_DIRECTORY": strace.Listed, "O_WRONLY|O_APPEND": strace.Written,
		"O_WRONLY|O_CREAT|O_APPEND, 0666": strace.Created, "O_RDWR|O_TMPFILE": strace.Made, "O_RDWR|O_CREAT, 0666": strace.Updated,
	} {
		if got := calls(t, `7 openat(AT_FDCWD</w>, "a", `+flags+`) = 3</w/a>`)[0].Opened(); got != want {
			t.Errorf("%s: %v, want %v", flags, got, want)
		}
	}
	if got := calls(t, `7 chdir("a") = -1 ENOENT (No such file or directory)`)[0].Failed(); got != "ENOENT" {
		t.Errorf("failed with %q", got)
	}
}

func FuzzCalls(f *testing.F) {
	for _, seed := range []string{
		"7 openat(AT_FDCWD</w>, \"a\\303\\\"\", O_RDONLY) = 3</w/a\\76>\n", "6 vfork( <unfinished ...>\n7 execve(\"x\", [\"x\"], 0x1 /* 2 vars */) = 0\n6 <... vfork resumed>) = 7\n",
		"9 execve(\"x\" <unfinished ...>\n7 +++ superseded by execve in pid 9 +++\n7 <... execve resumed>) = 0\n", "7 f(1 << 2, {a=[1,2]}) = -1 E (x)\n", "\n", "7 --- x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for call, err := range strace.Calls(strings.NewReader(text)) {
			if err != nil {
				return
			}
			for _, p := range call.Paths() {
				_ = p.Join()
			}
			_, _ = call.Result.File()
			_, _, _, _ = call.Child(), call.SharesFolder(), call.Opened(), call.Failed()
		}
	})
}
