// SPDX-License-Identifier: Apache-2.0

// Package e2e_test runs the real command with the real go command. Each line of
// "What must be shown" of issue 2 has a script in testdata or a test here that
// names it.
//
// Nothing of the machine gets in: each test has a home, a native GOCACHE and a
// Tierce directory of its own. Only references, the same builds without Tierce,
// share the native cache of the go command that runs the tests.
package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){
		"inside":   inside,
		"killer":   killer,
		"listener": listener,
		"waiter":   waiter,
	})
}

// suite is a testing.M that has the command built first.
type suite struct{ m *testing.M }

// Run implements [testscript.TestingM].
func (s suite) Run() int {
	if err := world.prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer fleet.Stop()
	defer os.RemoveAll(world.dir) //nolint:errcheck // in the system's temporary directory
	return s.m.Run()
}

// host is what all tests share and only read.
type host struct {
	dir     string // temporary, of this run
	bin     string // directory with the command, dir/bin
	sources string // a copy of this repository, dir/tierce
	env     struct{ GOROOT, GOCACHE, GOMODCACHE, CC string }
}

var world host

const gccMissing = "the builds under test use cgo and find no C compiler; install gcc: apt-get install gcc"

// prepare copies the sources, by which the go command knows that a change of
// them changes the outcome of these tests, and builds the command.
func (h *host) prepare() error {
	text, err := exec.Command("go", "env", "-json", "GOROOT", "GOCACHE", "GOMODCACHE", "CC").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	if err := json.Unmarshal(text, &h.env); err != nil {
		return err
	}
	if _, err := exec.LookPath(strings.Fields(h.env.CC + " gcc")[0]); err != nil {
		return fmt.Errorf("%s (%w)", gccMissing, err)
	}
	if h.dir, err = os.MkdirTemp("", "tierce-e2e-"); err != nil {
		return err
	}
	h.bin, h.sources = filepath.Join(h.dir, "bin"), filepath.Join(h.dir, "tierce")
	if err := copySources(h.sources, ".."); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", filepath.Join(h.bin, "tierce"+exe()), "./cmd/tierce")
	build.Dir = h.sources
	build.Env = append(os.Environ(), "GOCACHEPROG=", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the command: %w\n%s", err, text)
	}
	return nil
}

func exe() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// copySources copies the repository at from, without these tests, to the
// directory to.
func copySources(to, from string) error {
	return filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir() && (name == ".git" || name == "bin" || name == "e2e"):
			return filepath.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return writeOld(filepath.Join(to, name), string(text))
	})
}

// environment returns what a test in dir runs everything with.
func (h *host) environment(dir string) []string {
	path := strings.Join([]string{h.bin, filepath.Join(h.env.GOROOT, "bin"), os.Getenv("PATH")}, string(os.PathListSeparator))
	env := []string{
		"PATH=" + path,
		"HOME=" + filepath.Join(dir, "home"),
		"TMPDIR=" + filepath.Join(dir, "tmp"),
		"GOCACHE=" + filepath.Join(dir, "gocache"),
		"TIERCE_DIR=" + filepath.Join(dir, "cache"),
		"GOMODCACHE=" + h.env.GOMODCACHE,
		"CC=" + h.env.CC,
		"GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOENV=off", "GOWORK=off", "GOFLAGS=",
		"LC_ALL=C",
	}
	if runtime.GOOS == "windows" {
		for _, name := range []string{"SystemRoot", "USERPROFILE", "LocalAppData", "AppData", "TEMP", "TMP"} {
			env = append(env, name+"="+os.Getenv(name))
		}
	}
	return env
}

// place is a test's own directory with its own environment.
type place struct {
	t   testing.TB
	dir string
	env []string
}

func newPlace(t testing.TB) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir()}
	p.env = world.environment(p.dir)
	for _, dir := range []string{"home", "tmp", "gocache"} {
		p.ok(os.MkdirAll(p.path(dir), 0o777))
	}
	return p
}

func (p *place) ok(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) path(elem ...string) string {
	return filepath.Join(append([]string{p.dir}, elem...)...)
}

// outcome is how a process ended.
type outcome struct {
	stdout, stderr string
	code           int
}

// module writes m to the directory name, under a path of its own, and returns it.
func (p *place) module(name string, m module) module {
	p.t.Helper()
	m.path = "example.test/" + name
	p.ok(m.write(p.path(name)))
	return m
}

// prints fails the test unless the program at path prints what m's cmd/app does.
func (p *place) prints(path string, m module) {
	p.t.Helper()
	end := p.must(".", p.path(path))
	if got := end.stdout + end.stderr; got != m.output() {
		p.t.Fatalf("%s prints %q, want %q", path, got, m.output())
	}
}

// same fails the test unless two files are equal.
func (p *place) same(a, b string) {
	p.t.Helper()
	p.ok(sameFiles(p.path(a), p.path(b)))
}

// verify fails the test if the cache has damage.
func (p *place) verify() {
	p.t.Helper()
	p.must(".", "tierce", "verify")
}

// command returns a command in dir, a directory of p, with more environment.
func (p *place) command(dir string, args []string, env ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	for _, dir := range []string{world.bin, filepath.Join(world.env.GOROOT, "bin")} {
		if path := filepath.Join(dir, args[0]+exe()); args[0] == filepath.Base(args[0]) && exists(path) {
			cmd = exec.Command(path, args[1:]...)
		}
	}
	cmd.Dir = p.path(dir)
	cmd.Env = append(append([]string{}, p.env...), env...)
	return cmd
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// run runs a command to its end, however that is.
func (p *place) run(dir string, args ...string) outcome {
	p.t.Helper()
	return p.end(p.command(dir, args))
}

// end runs cmd to its end.
func (p *place) end(cmd *exec.Cmd) outcome {
	p.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// must runs a command that has to succeed.
func (p *place) must(dir string, args ...string) outcome {
	p.t.Helper()
	return p.mustEnd(p.command(dir, args))
}

func (p *place) mustEnd(cmd *exec.Cmd) outcome {
	p.t.Helper()
	end := p.end(cmd)
	if end.code != 0 {
		p.t.Fatalf("%s: exit code %d\nstdout: %s\nstderr: %s", strings.Join(cmd.Args, " "), end.code, end.stdout, end.stderr)
	}
	return end
}

// native runs the go command without Tierce: the reference.
func (p *place) native(dir string, args ...string) outcome {
	p.t.Helper()
	return p.mustEnd(p.command(dir, append([]string{"go"}, args...), "GOCACHE="+world.env.GOCACHE))
}
