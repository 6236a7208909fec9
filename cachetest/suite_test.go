// SPDX-License-Identifier: Apache-2.0

package cachetest_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/cachetest"
	"github.com/tiercecache/tierce/interfaces"
)

// childFault names the fault that a child process of this test is to run the
// suite on.
const childFault = "TIERCE_CACHETEST_FAULT"

// TestSuiteNotices runs each sub-test of the suite alone, in a process of its
// own, on a cache with a fault that it is there for: it must fail, and say why.
func TestSuiteNotices(t *testing.T) {
	var noticing []string
	for _, fault := range faults() {
		noticing = append(noticing, fault.subTest)
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			output, err := runChild(t, fault)
			if err == nil {
				t.Fatalf("sub-test %q passes on a cache with this fault:\n%s", fault.subTest, output)
			}
			failed := "--- FAIL: TestChild/" + underscored(fault.subTest)
			if fault.subTest != "" && !strings.Contains(output, failed) || !strings.Contains(output, fault.says) {
				t.Errorf("want %q and %q in the output:\n%s", failed, fault.says, output)
			}
		})
	}
	for _, name := range cachetest.SubTests() {
		if !slices.Contains(noticing, name) {
			t.Errorf("sub-test %q has no fault that it notices: it could go", name)
		}
	}
}

func runChild(t *testing.T, f fault) (string, error) {
	t.Helper()
	pattern := "^TestChild$"
	if f.subTest != "" {
		pattern += "/^" + regexp.QuoteMeta(underscored(f.subTest)) + "$"
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+pattern, "-test.timeout=1m")
	// The race detector would wait for a second at the end of each process.
	child.Env = append(os.Environ(), childFault+"="+f.name, "GORACE=atexit_sleep_ms=0")
	output, err := child.CombinedOutput()
	return string(output), err
}

// underscored returns the name of a sub-test as package testing writes it.
func underscored(name string) string { return strings.ReplaceAll(name, " ", "_") }

// TestChild runs the suite on the fault that the environment names; there is
// none but in a process that TestSuiteNotices started.
func TestChild(t *testing.T) {
	for _, fault := range faults() {
		if fault.name == os.Getenv(childFault) {
			cachetest.Run(t, withHooks(fault.config))
		}
	}
}

// withHooks returns cfg with what is needed for all sub-tests to do something.
func withHooks(cfg cachetest.Config) cachetest.Config {
	if cfg.Damage == nil {
		cfg.Damage = func(_ *testing.T, c interfaces.Cache, k key) {
			c.(interface{ Damage(interfaces.Key) }).Damage(k)
		}
	}
	cfg.Require = every
	cfg.MayForget = cfg.MayForget || os.Getenv(childFault) == "forgets all"
	return cfg
}
