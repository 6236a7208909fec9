// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// functions is C of 3,800 functions, which compile to about 1 MiB.
const functions = `#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "functions.h"
B(1) B(2) B(3) C(40) C(41) C(42) C(43) C(44) C(45) C(46) C(47)
`

const functionsHeader = `#define F(n) int f##n(int *a, int b) { for (int i = 0; i < b; i++) a[i] = a[i] * n + (b ^ i) / (n % 7 + 2); return b > n ? a[0] : a[b % 5] + n; }
#define D(n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
#define C(n) D(n##0) D(n##1) D(n##2) D(n##3) D(n##4) D(n##5) D(n##6) D(n##7) D(n##8) D(n##9)
#define B(n) C(n##0) C(n##1) C(n##2) C(n##3) C(n##4) C(n##5) C(n##6) C(n##7) C(n##8) C(n##9)
`

// compile is the command that is answered from caches.
var compile = []string{"gcc", "-c", "functions.c", "-o", "functions.o"}

// compareExec compares a hit of tierce exec with one of ccache on the same
// compile, as whole processes.
func compareExec(ctx context.Context, rounds int) error {
	if _, err := exec.LookPath("ccache"); err != nil {
		return errors.New("ccache is not on PATH; install it, with Debian's packages by: apt-get install ccache")
	}
	dir, err := os.MkdirTemp("", "tierce-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the system's temporary directory
	s := &site{dir: dir, tierce: filepath.Join(dir, "tierce")}
	if err := errors.Join(
		binary(ctx, "..", "./cmd/tierce", s.tierce),
		os.WriteFile(filepath.Join(dir, "functions.c"), []byte(functions), 0o644),
		os.WriteFile(filepath.Join(dir, "functions.h"), []byte(functionsHeader), 0o644),
	); err != nil {
		return err
	}
	tierce := []string{s.tierce, "exec", "--summary", "json", "--in", "functions.[ch]", "--out", "functions.o", "--"}
	var competitors []competitor
	for name, args := range map[string][]string{"ccache": append([]string{"ccache"}, compile...), "tierce exec": append(tierce, compile...)} {
		if err := s.fill(ctx, args); err != nil {
			return err
		}
		competitors = append(competitors, competitor{name, func() (float64, error) {
			took, said, err := s.run(ctx, args)
			if err == nil && args[0] == s.tierce && !strings.Contains(said, `"replayed"`) {
				err = fmt.Errorf("no replay: %s", said)
			}
			return milliseconds(took), err
		}})
	}
	if err := table("Hit on a compile, as a whole process", "ms", 5*rounds, []string{"ccache"}, competitors...); err != nil {
		return err
	}
	if err := s.onlyHits(ctx, 5*rounds); err != nil {
		return err
	}
	return table("The compile itself", "ms", 3, nil, competitor{"gcc", func() (float64, error) {
		took, _, err := s.run(ctx, compile)
		return milliseconds(took), err
	}})
}

// fill has a cache record the compile, and sees that it then answers with the
// bytes of the compiler.
func (s *site) fill(ctx context.Context, args []string) error {
	var made [][]byte
	for _, args := range [][]string{compile, args, args} {
		if _, _, err := s.run(ctx, args); err != nil {
			return err
		}
		content, err := os.ReadFile(filepath.Join(s.dir, "functions.o"))
		if err != nil {
			return err
		}
		if made = append(made, content); !bytes.Equal(content, made[0]) {
			return fmt.Errorf("%v: other bytes than the compiler's", args)
		}
	}
	return nil
}

// onlyHits returns an error if ccache has fewer hits than it had to have.
func (s *site) onlyHits(ctx context.Context, hits int) error {
	out, err := s.execCommand(ctx, []string{"ccache", "--print-stats"}).Output()
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(out)) {
		var n int
		if _, err := fmt.Sscanf(line, "direct_cache_hit %d", &n); err == nil && n > hits {
			return nil
		}
	}
	return fmt.Errorf("ccache did not hit %d times:\n%s", hits, out)
}

// run runs a command that has to make its output anew, and returns how long it
// took and what it said.
func (s *site) run(ctx context.Context, args []string) (took time.Duration, said string, err error) {
	output := filepath.Join(s.dir, "functions.o")
	if err := os.RemoveAll(output); err != nil {
		return 0, "", err
	}
	var text bytes.Buffer
	cmd := s.execCommand(ctx, args)
	cmd.Stderr = &text
	if took, err = timed(cmd.Run); err != nil {
		return 0, "", fmt.Errorf("%v: %w\n%s", args, err, &text)
	}
	_, err = os.Stat(output)
	return took, text.String(), err
}

func (s *site) execCommand(ctx context.Context, args []string) *exec.Cmd {
	cmd := command(ctx, s.dir, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "TIERCE_CONFIG=none", "TIERCE_DIR="+filepath.Join(s.dir, "tierce-cache"), "CCACHE_DIR="+filepath.Join(s.dir, "ccache-cache"))
	return cmd
}
