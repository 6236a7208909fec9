// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// The template is a Tierce directory in which the standard library is, as far
// as the generated modules need it: compiled for build, test and vet, with cgo.
// Compiling it takes tens of seconds, so it is done once, through Tierce.
var template = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(world.dir, "template")
	sources := map[string]string{
		"go.mod":       "module example.test/template\n\ngo 1.24\n",
		"lib.go":       "// Package template needs what the tests need.\npackage template\n\nimport \"C\"\nimport (\n\t_ \"embed\"\n\t_ \"fmt\"\n\t_ \"os\"\n\t_ \"strings\"\n)\n",
		"lib_test.go":  "package template\n\nimport \"testing\"\n\nfunc TestNothing(*testing.T) {}\n",
		"main/main.go": "package main\n\nimport _ \"example.test/template\"\n\nfunc main() {}\n",
	}
	for name, text := range sources {
		if err := writeOld(filepath.Join(dir, "src", name), text); err != nil {
			return "", err
		}
	}
	for _, sub := range []string{"home", "tmp", "gocache"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o777); err != nil {
			return "", err
		}
	}
	for _, what := range []string{"test", "vet", "build"} {
		cmd := exec.Command(filepath.Join(world.bin, "tierce"+exe()), "run", "--", "go", what, "./...")
		cmd.Dir = filepath.Join(dir, "src")
		cmd.Env = world.environment(dir)
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("the template: go %s: %w\n%s", what, err, text)
		}
	}
	return filepath.Join(dir, "cache"), nil
})

// copyTemplate makes the directory to a copy of the template, attributes
// included.
func copyTemplate(to string) error {
	from, err := template()
	if err != nil {
		return err
	}
	if text, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copying the template: %w\n%s", err, text)
	}
	return os.RemoveAll(filepath.Join(to, "state")) // statistics begin anew
}
