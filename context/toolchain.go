// SPDX-License-Identifier: Apache-2.0

package context

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// goVariables are what of "go env" decides what the go command builds.
var goVariables = []string{
	"CC", "CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_CXXFLAGS", "CGO_ENABLED", "CGO_FFLAGS", "CGO_LDFLAGS", "CXX", "FC",
	"GO386", "GOAMD64", "GOARCH", "GOARM", "GOARM64", "GOEXPERIMENT", "GOFIPS140", "GOFLAGS", "GOMIPS", "GOMIPS64",
	"GOOS", "GOPPC64", "GORISCV64", "GOVERSION", "GOWASM", "PKG_CONFIG",
}

// GoToolchain is the form "go", of the group [Compile]: the version of the go
// command on PATH, its target, and its settings that decide what it builds. In
// a module that asks for another toolchain it is that one.
func GoToolchain() Form {
	return Form{Name: "go", Group: Compile, Probe: func(ctx context.Context) (any, error) {
		out, err := output(ctx, "go", append([]string{"env", "-json"}, goVariables...)...)
		return json.RawMessage(out), err
	}}
}

// CCompiler is a form named as the file at path, such as "gcc", of the group
// [Compile]: the identity of a C or C++ compiler that is called as gcc and
// clang are. Path may be a name on PATH. It is what the compiler reports of
// itself, as digests, and the digests of its binary and of the programs that
// it runs; a compiler that is installed elsewhere may report so and be
// another.
func CCompiler(path string) Form {
	return Form{Name: filepath.Base(path), Group: Compile, Probe: func(ctx context.Context) (any, error) {
		path, err := exec.LookPath(path)
		if err != nil {
			return nil, err
		}
		reports := map[string]string{}
		for _, flag := range []string{"--version", "-v", "-dumpmachine"} {
			out, err := output(ctx, path, flag)
			if err != nil {
				return nil, err
			}
			reports[flag] = digestOf(out)
		}
		programs, err := digestPrograms(ctx, path)
		return struct{ Reports, Programs map[string]string }{reports, programs}, err
	}}
}

// digestPrograms returns digests of the binaries that take part in a compile.
func digestPrograms(ctx context.Context, path string) (map[string]string, error) {
	own, err := digestFile(path)
	if err != nil {
		return nil, err
	}
	names, err := CompilerPrograms(ctx, path)
	if err != nil {
		return nil, err
	}
	programs := map[string]string{"": own}
	for name, said := range names {
		program, err := exec.LookPath(said)
		if err != nil {
			continue // it has no such program
		}
		if programs[name], err = digestFile(program); err != nil {
			return nil, err
		}
	}
	return programs, nil
}

// CompilerPrograms returns which programs the C or C++ compiler at path runs to
// compile, assemble and link: by their usual names the paths that it says, or
// names that it looks for on PATH. It says a name too for a program that it does
// not have.
func CompilerPrograms(ctx context.Context, path string) (map[string]string, error) {
	programs := map[string]string{}
	for _, name := range []string{"cc1", "cc1plus", "as", "collect2", "ld", "lto-wrapper", "lto1"} {
		out, err := output(ctx, path, "-print-prog-name="+name)
		if err != nil {
			return nil, err
		}
		programs[name] = string(bytes.TrimSpace(out))
	}
	return programs, nil
}

// Target is the form "target", of the group [Compile]: the triple that code is
// made for, or the operating system and architecture of this process if it is
// empty.
func Target(triple string) Form {
	if triple == "" {
		triple = runtime.GOOS + "/" + runtime.GOARCH
	}
	return Form{Name: "target", Group: Compile, Probe: func(context.Context) (any, error) { return triple, nil }}
}

// CUDA is the form "cuda", of the group [Compile]: the version of nvcc on PATH.
// Without one it has failed as "not-found".
func CUDA() Form {
	return Form{Name: "cuda", Group: Compile, Probe: func(ctx context.Context) (any, error) {
		out, err := output(ctx, "nvcc", "--version")
		return lines(out), err
	}}
}

// output runs a program and returns what it prints to its standard output, or if
// that is nothing to the other, in no language but English. If it does not end
// with ctx, it is killed and the error is that of ctx.
func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	var out, other bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &other
	cmd.Env = append(os.Environ(), "LC_ALL=C", "LANGUAGE=")
	cmd.WaitDelay = time.Second // for what the program started and left behind
	err := cmd.Run()
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if out.Len() == 0 {
		return other.Bytes(), err
	}
	return out.Bytes(), err
}

// lines returns the lines of text without spaces at their ends and without
// empty ones.
func lines(text []byte) []string {
	var lines []string
	for line := range strings.Lines(strings.ToValidUTF8(string(text), "?")) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func digestOf(b []byte) string {
	digest := sha256.Sum256(b)
	return hex.EncodeToString(digest[:])
}
