// SPDX-License-Identifier: Apache-2.0

package command

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

// buildVariable names the build to helpers that cannot see the command that
// started them. "none" keeps no manifest and fetches nothing ahead.
const buildVariable = "TIERCE_BUILD"

// shaping are the variables that decide what a build asks for: the go command
// sets most of them for its children, also when nobody else did.
var shaping = [...]string{
	"GOVERSION", "GOOS", "GOARCH", "GOFLAGS", "GOEXPERIMENT", "CGO_ENABLED",
	"GO386", "GOAMD64", "GOARM", "GOARM64", "GOMIPS", "GOMIPS64", "GOPPC64", "GORISCV64", "GOWASM",
}

// buildName returns what the build is called whose go command started this
// helper: the same on every machine for the same command in the same folder of
// the same module, with the same toolchain. It is "" if there is to be none.
func buildName() string {
	given := os.Getenv(buildVariable)
	if given == "none" {
		return ""
	}
	root, module, folder := moduleHere()
	parts := []string{module, folder}
	for _, name := range shaping {
		parts = append(parts, name+"="+os.Getenv(name))
	}
	if args := parentArgs(); len(args) > 0 {
		parts = append(parts, portable(args, root)...)
	} else {
		parts = append(parts, given)
	}
	return strings.Join(parts, "\x00")
}

// moduleHere returns the module of the working directory, which is the go
// command's: its directory, its path, and the folder in it. Outside of a module
// all are "".
func moduleHere() (root, module, folder string) {
	here, err := os.Getwd()
	if err != nil {
		return "", "", ""
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		if text, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil {
			folder, _ = filepath.Rel(dir, here) // it is below
			return dir, modfile.ModulePath(text), filepath.ToSlash(folder)
		}
		if filepath.Dir(dir) == dir {
			return "", "", ""
		}
	}
}

// portable returns the arguments of a go command without what another machine
// calls otherwise: where the go command is, where the module is, where the
// result goes, and temporary files.
func portable(args []string, root string) []string {
	var kept []string
	for i := 1; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "-o" || arg == "--o":
			i++
			continue
		case strings.HasPrefix(arg, "-o=") || strings.HasPrefix(arg, "--o=") || strings.Contains(arg, os.TempDir()):
			continue
		case root != "":
			arg = strings.ReplaceAll(arg, root, ".")
		}
		kept = append(kept, arg)
	}
	return kept
}
