// SPDX-License-Identifier: Apache-2.0

// Package strace has the program strace write down what a command and all that
// it starts do with names of files, and reads that.
package strace

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
)

// watched are the system calls that say which files are read, made, moved or
// executed, and what names without a folder start from. A question mark means
// that not every system has it.
const watched = "?open,openat,?openat2,?creat,execve,execveat,?rename,?renameat,?renameat2,?link,linkat,?symlink,symlinkat," +
	"?mkdir,mkdirat,?chdir,fchdir,?fork,?vfork,clone,?clone3"

// Args returns the arguments, with strace as the first, that run args and write
// the trace to a file. What args print and how they end stays as it is.
func Args(file string, args []string) []string {
	return append([]string{
		"strace", "-f", "-y", "-qq", "-I2", "--seccomp-bpf", "-e", "signal=none", "-e", "trace=" + watched, "-o", file, "--",
	}, args...)
}

// Call is a system call that has returned.
type Call struct {
	PID    int // of the thread
	Name   string
	Args   []Arg
	Result Arg // a number, and what else is told of it
}

// Failed returns the name of the error that the call ended with, such as ENOENT,
// or "".
func (c Call) Failed() string {
	fault, failed := strings.CutPrefix(string(c.Result), "-1 ")
	if !failed {
		return ""
	}
	fault, _, _ = strings.Cut(fault, " ")
	return fault
}

// Arg is an argument or a result as strace writes it.
type Arg string

// Text returns the text that the argument is, such as a path.
func (a Arg) Text() (text string, ok bool) {
	inner, quoted := strings.CutPrefix(string(a), `"`)
	if !quoted || !strings.HasSuffix(inner, `"`) { // "..." follows a part of a text
		return "", false
	}
	return unescape(inner[:len(inner)-1])
}

// File returns the path of the file that the argument is a descriptor of; what
// is no file, such as a pipe, has a path that does not begin with a slash.
func (a Arg) File() (path string, ok bool) {
	_, inner, open := strings.Cut(string(a), "<")
	inner = strings.TrimSuffix(inner, "(deleted)")
	if !open || !strings.HasSuffix(inner, ">") {
		return "", false
	}
	path, ok = unescape(inner[:len(inner)-1])
	return strings.TrimSuffix(path, " (deleted)"), ok
}

// Has reports whether a flag is among those of the argument.
func (a Arg) Has(flag string) bool {
	for rest := string(a); ; {
		_, after, found := strings.Cut(rest, flag)
		if !found {
			return false
		}
		if rest = after; rest == "" || !isWord(rest[0]) {
			return true
		}
	}
}

func isWord(c byte) bool { return c == '_' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' }

// unescape returns what strace wrote with backslashes.
func unescape(s string) (string, bool) {
	if !strings.Contains(s, `\`) {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		if i++; i == len(s) {
			return "", false
		}
		if at := strings.IndexByte(`"\ntrvf`, s[i]); at >= 0 {
			out = append(out, "\"\\\n\t\r\v\f"[at])
			continue
		}
		end := i
		for end < min(i+3, len(s)) && s[end] >= '0' && s[end] <= '7' {
			end++
		}
		code, err := strconv.ParseUint(s[i:end], 8, 8)
		if err != nil {
			return "", false
		}
		out = append(out, byte(code))
		i = end - 1
	}
	return string(out), true
}

// longest is the longest line of a trace in bytes: three paths of which each
// byte is written as four.
const longest = 1 << 20

// SyntaxError is a line of a trace that makes no sense. What it would have told
// is not known, so neither is what the command did.
type SyntaxError struct {
	Line int
	Text string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d of the trace makes no sense: %.80q", e.Line, e.Text)
}

// Calls returns the calls of a trace in the order in which they returned. An
// error is the last thing; it may be a [*SyntaxError].
func Calls(trace io.Reader) iter.Seq2[Call, error] {
	return func(yield func(Call, error) bool) {
		p := parser{begun: map[int]string{}}
		lines := bufio.NewScanner(trace)
		lines.Buffer(nil, longest)
		for n := 1; lines.Scan(); n++ {
			call, whole, ok := p.line(lines.Text())
			if !ok {
				yield(Call{}, &SyntaxError{n, lines.Text()})
				return
			}
			if whole && !yield(call, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Call{}, fmt.Errorf("reading the trace: %w", err))
		}
	}
}
