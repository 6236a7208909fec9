// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	cachectx "github.com/tiercecache/tierce/context"
)

// tool is a program that a command needs.
type tool struct {
	name string // as it was given
	path string // where it was found, absolute
	file string // the same without symbolic links
}

// findTool finds a program by its path, which may start from dir, or by its name
// on PATH.
func findTool(dir, name string) (tool, error) {
	path, err := name, error(nil)
	if strings.ContainsRune(filepath.ToSlash(name), '/') {
		path, err = filepath.Abs(from(dir, name))
	}
	if err == nil {
		path, err = exec.LookPath(path)
	}
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return tool{}, fmt.Errorf("there is no program %q that can be run: %w", name, err)
	}
	file, err := filepath.EvalSymlinks(path)
	return tool{name, path, file}, err
}

// identify returns the identity of the tool: the SHA-256 of its content, and for
// a C or C++ compiler of what it says of itself and of the programs that it
// runs. A script is its content; what it runs is not in it.
func (t tool) identify(ctx context.Context) (string, error) {
	if t.compiler() {
		if value, err := cachectx.CCompiler(t.path).Probe(ctx); err == nil {
			text, err := json.Marshal(value)
			return digestText(text), err
		}
		if err := ctx.Err(); err != nil {
			return "", err
		}
		// It is no compiler after all.
	}
	file, err := os.Open(t.file)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // only read
	return digestOf(file)
}

func digestText(text []byte) string {
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:])
}

// compilers are the names of C and C++ compilers, without target and version.
var compilers = []string{"cc", "gcc", "g++", "c++", "clang", "clang++"}

// compiler reports whether the tool has the name of a C or C++ compiler, such as
// gcc, x86_64-linux-gnu-g++-14 or clang-19, or is a link to one.
func (t tool) compiler() bool { return compilerName(t.path) || compilerName(t.file) }

func compilerName(path string) bool {
	name := strings.TrimSuffix(filepath.Base(path), ".exe")
	if at := strings.LastIndexByte(name, '-'); at >= 0 && strings.Trim(name[at:], "-0123456789.") == "" {
		name = name[:at] // without the version
	}
	return slices.Contains(compilers, name[strings.LastIndexByte(name, '-')+1:])
}

// asksOthers reports whether the tool may be one that finds out only when it is
// called which compiler it calls: a script, a program of another name behind the
// name of a compiler (ccache), Apple's /usr/bin. What stat says of it then says
// nothing of that compiler.
func (t tool) asksOthers() bool {
	if !compilerName(t.file) || runtime.GOOS == "darwin" && filepath.Dir(t.file) == "/usr/bin" {
		return true
	}
	file, err := os.Open(t.file)
	if err != nil {
		return true
	}
	defer func() { _ = file.Close() }() // only read
	var begin [2]byte
	_, err = io.ReadFull(file, begin[:])
	return err != nil || bytes.Equal(begin[:], []byte("#!"))
}

// programs returns the paths of the programs that the tool is or runs, as far as
// it says so: itself, and what a compiler runs.
func (t tool) programs(ctx context.Context) []string {
	paths := []string{t.path}
	if !t.compiler() {
		return paths
	}
	said, _ := cachectx.CompilerPrograms(ctx, t.path) // none if it is no compiler after all
	for _, name := range said {
		if found, err := findTool("", name); err == nil {
			paths = append(paths, found.path)
		}
	}
	return paths
}

// witnesses returns the files and folders that the identity depends on, by path
// or, if they are looked for there, by name on PATH. Folders tell that a program
// has come or gone. None means that nothing short of asking tells it.
func (t tool) witnesses(ctx context.Context) []string {
	if !t.compiler() {
		return []string{t.file}
	}
	if t.asksOthers() {
		return nil
	}
	programs, err := cachectx.CompilerPrograms(ctx, t.path)
	if err != nil {
		return nil
	}
	names := []string{t.file, filepath.Dir(t.file)}
	for _, said := range programs {
		names = append(names, said)
		if filepath.IsAbs(said) {
			names = append(names, filepath.Dir(said))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
