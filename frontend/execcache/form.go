// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	cachectx "github.com/tiercecache/tierce/context"
)

// FormNames says for people what [Forms] takes.
const FormNames = "go, target, target=TRIPLE, cpu, os, gpu, cuda, compiler=PROGRAM, env=NAME, file=PATH"

// Forms returns the forms of isolation that texts name: NAME or NAME=ARGUMENT, as
// [FormNames] lists them. Paths start from dir. All variables are one form, and
// all files and folders another, sorted; so neither the order of texts nor saying
// something twice counts.
func Forms(dir string, texts []string) ([]cachectx.Form, error) {
	var forms []cachectx.Form
	var variables, paths []string
	for _, text := range slices.Compact(slices.Sorted(slices.Values(texts))) {
		switch name, argument, given := strings.Cut(text, "="); {
		case name == "env" && argument != "":
			variables = append(variables, argument)
		case name == "file" && argument != "":
			paths = append(paths, from(dir, argument))
		default:
			form, ok := formOf(dir, name, argument, given)
			if !ok {
				return nil, fmt.Errorf("there is no form %q; the forms are %s", text, FormNames)
			}
			forms = append(forms, form)
		}
	}
	if variables != nil {
		forms = append(forms, cachectx.Env(variables...))
	}
	if paths != nil {
		forms = append(forms, cachectx.Files(paths...))
	}
	return forms, nil
}

// formOf returns the form of a name that stands for one each, unless it lacks an
// argument or takes none.
func formOf(dir, name, argument string, given bool) (cachectx.Form, bool) {
	switch name {
	case "go":
		return cachectx.GoToolchain(), !given
	case "cpu":
		return cachectx.CPU(), !given
	case "os":
		return cachectx.OS(), !given
	case "gpu":
		return cachectx.GPU(), !given
	case "cuda":
		return cachectx.CUDA(), !given
	case "target":
		return cachectx.Target(argument), given == (argument != "")
	case "compiler":
		if strings.ContainsRune(filepath.ToSlash(argument), '/') { // no name on PATH
			argument = from(dir, argument)
		}
		return cachectx.CCompiler(argument), argument != ""
	}
	return cachectx.Form{}, false
}

// from returns path as it is seen from dir.
func from(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
