// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// site is a folder in which builds are compared.
type site struct {
	dir      string   // of everything
	module   string   // folder of the module that is built
	packages []string // its packages with nothing to link
	tierce   string   // the binaries
	bare     string
	seconds  int // directories of second machines so far
}

// client is a way to build: the go command with a cache.
type client struct {
	name string
	env  []string // what it needs of the environment
	keep string   // directory that a cold build begins without
}

func (s *site) clients() []client {
	path := func(name string) string { return filepath.Join(s.dir, name) }
	return []client{
		{"native", []string{"GOCACHE=" + path("native")}, path("native")},
		{"bare helper", []string{"GOCACHE=" + path("unused"), "GOCACHEPROG=" + s.bare + " " + path("bare-cache")}, path("bare-cache")},
		{"tierce", []string{
			"GOCACHE=" + path("unused"), "GOCACHEPROG=" + s.tierce + " go",
			"TIERCE_DIR=" + path("tierce-cache"), "TIERCE_CONFIG=none",
		}, path("tierce-cache")},
	}
}

// compareBuilds compares whole builds of a real module.
func compareBuilds(ctx context.Context, rounds int, module, trips string, wanted func(string) bool) error {
	dir, err := os.MkdirTemp("", "tierce-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the system's temporary directory
	s := &site{dir: dir}
	if err := s.prepare(ctx, module); err != nil {
		return err
	}
	builds := []struct {
		name, title string
		args        []string
		base        []string
	}{
		{"warm", "Warm, nothing to link: go build of the library packages of " + module, append([]string{"build"}, s.packages...), []string{"native", "bare helper"}},
		{"vet", "Warm, nothing to link: go vet of the library packages of " + module, append([]string{"vet"}, s.packages...), []string{"native", "bare helper"}},
		{"link", "Warm with a link step: go build ./... of " + module, []string{"build", "./..."}, []string{"native", "bare helper"}},
	}
	if wanted("start") {
		if err := s.compareStart(ctx, 5*rounds); err != nil {
			return err
		}
	}
	if wanted("remote") {
		if err := s.compareRemote(ctx, rounds, module, trips); err != nil {
			return err
		}
	}
	if wanted("puts") {
		if err := s.comparePuts(ctx, rounds); err != nil {
			return err
		}
	}
	for _, b := range builds {
		if !wanted(b.name) {
			continue
		}
		for _, c := range s.clients() { // fill the caches
			if _, err := s.build(ctx, c, b.args); err != nil {
				return err
			}
		}
		n := rounds
		if b.name == "link" {
			n = (rounds + 1) / 2
		}
		if err := s.compare(ctx, b.title, n, b.base, b.args, false); err != nil {
			return err
		}
	}
	if wanted("cold") {
		return s.compare(ctx, "Cold: go build ./... of "+module, max(3, rounds/3), []string{"native", "bare helper"}, []string{"build", "./..."}, true)
	}
	return nil
}

func (s *site) compare(ctx context.Context, title string, rounds int, base, args []string, cold bool) error {
	var competitors []competitor
	for _, c := range s.clients() {
		competitors = append(competitors, competitor{c.name, func() (float64, error) {
			if cold {
				if err := os.RemoveAll(c.keep); err != nil {
					return 0, err
				}
			}
			took, err := s.build(ctx, c, args)
			return milliseconds(took), err
		}})
	}
	return table(title, "ms", rounds, base, competitors...)
}

// build runs the go command and returns how long it took.
func (s *site) build(ctx context.Context, c client, args []string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = s.module
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stderr = os.Stderr
	return timed(cmd.Run)
}

// timed returns how long do took.
func timed(do func() error) (time.Duration, error) {
	begin := time.Now()
	err := do()
	return time.Since(begin), err
}

// compareStart measures from the start of a helper to its first message, and
// its memory then.
func (s *site) compareStart(ctx context.Context, rounds int) error {
	var competitors, sizes []competitor
	for _, c := range s.clients()[1:] {
		competitors = append(competitors, competitor{c.name, func() (float64, error) {
			took, _, err := s.start(ctx, c)
			return milliseconds(took), err
		}})
		sizes = append(sizes, competitor{c.name, func() (float64, error) {
			_, bytes, err := s.start(ctx, c)
			return bytes / (1 << 20), err
		}})
	}
	if err := table("From start to the answer of a get", "ms", rounds, []string{"bare helper"}, competitors...); err != nil {
		return err
	}
	return table("Resident memory after the answer", "MiB", 5, []string{"bare helper"}, sizes...)
}

const oneGet = `{"ID":1,"Command":"get","ActionID":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}` + "\n\n"

// start starts a helper and asks it once; it returns how long that took and how
// much memory the helper has then.
func (s *site) start(ctx context.Context, c client) (took time.Duration, bytes float64, err error) {
	args := c.helper()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), c.env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	lines := bufio.NewReader(out)
	_, _ = io.WriteString(in, oneGet) // what it does not read it does not answer
	for range 2 {                     // the first message, and the answer
		if _, err := lines.ReadString('\n'); err != nil {
			return 0, 0, fmt.Errorf("no answer: %w", err)
		}
	}
	took = time.Since(begin)
	bytes = resident(cmd.Process.Pid)
	_ = in.Close()
	return took, bytes, cmd.Wait()
}

// resident returns the resident memory of a process in bytes, 0 where the
// system does not tell.
func resident(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, text2, _ := strings.Cut(string(text), "VmRSS:")
	var kib float64
	_, _ = fmt.Sscan(text2, &kib) // 0 if it is not there
	return kib * 1024
}

// prepare downloads the module, builds the binaries and lists the packages.
func (s *site) prepare(ctx context.Context, module string) error {
	s.tierce, s.bare = filepath.Join(s.dir, "tierce"), filepath.Join(s.dir, "bare")
	for _, b := range []struct{ dir, source, binary string }{{"..", "./cmd/tierce", s.tierce}, {".", "./bare", s.bare}} {
		if err := binary(ctx, b.dir, b.source, b.binary); err != nil {
			return err
		}
	}
	text, err := command(ctx, s.dir, "go", "mod", "download", "-json", module).Output()
	if err != nil {
		return fmt.Errorf("downloading %s: %w", module, err)
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal(text, &downloaded); err != nil {
		return err
	}
	s.module = filepath.Join(s.dir, "module")
	if err := os.CopyFS(s.module, os.DirFS(downloaded.Dir)); err != nil {
		return err
	}
	const libraries = `{{if and (ne .Name "main") .GoFiles}}{{.ImportPath}}{{end}}`
	list, err := command(ctx, s.module, "go", "list", "-f", libraries, "./...").Output()
	s.packages = strings.Fields(string(list))
	return err
}

// binary builds a program.
func binary(ctx context.Context, dir, source, path string) error {
	if out, err := command(ctx, dir, "go", "build", "-o", path, source).CombinedOutput(); err != nil {
		return fmt.Errorf("building %s in %s: %w\n%s", source, dir, err, out)
	}
	return nil
}

// command is a command that is not measured.
func command(ctx context.Context, dir string, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if name == "go" && args[0] == "mod" {
		cmd.Env = append(os.Environ(), "GO111MODULE=on")
	}
	return cmd
}
