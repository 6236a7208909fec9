// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"sync"
	"testing"
)

// TestFourModulesAtOnce: issue 2, "Four go build of different modules at once on
// one cache directory". All are cold, so that they also write the same entries,
// those of the standard library.
func TestFourModulesAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var modules []module
	for i := range 4 {
		modules = append(modules, p.module(fmt.Sprintf("m%d", i), module{packages: 20 + i}))
	}
	ends := make([]outcome, len(modules))
	var builds sync.WaitGroup
	for i := range modules {
		cmd := p.command(fmt.Sprintf("m%d", i), []string{"tierce", "run", "--summary", "json", "--", "go", "build", "-o", "app", "./cmd/app"})
		builds.Go(func() { ends[i] = p.end(cmd) })
	}
	builds.Wait()
	for i, m := range modules {
		p.built(fmt.Sprintf("m%d", i), m, ends[i])
	}
	p.verify()
	for i := range modules {
		dir := fmt.Sprintf("m%d", i)
		end := p.must(dir, "tierce", "run", "--summary", "json", "--", "go", "build", "-x", "-o", "warm", "./cmd/app")
		p.holds(end.stderr, "compiles=0", "misses=links", "put_bytes=0", "errors=0")
		p.same(dir+"/warm", dir+"/app")
	}
}

// TestOneModuleTwiceAtOnce: issue 2, "the same module twice at once".
func TestOneModuleTwiceAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	m := p.module("m", module{packages: 40})
	ends := make([]outcome, 2)
	var builds sync.WaitGroup
	for i, name := range []string{"app", "second"} {
		cmd := p.command("m", []string{"tierce", "run", "--summary", "json", "--", "go", "build", "-o", name, "./cmd/app"})
		builds.Go(func() { ends[i] = p.end(cmd) })
	}
	builds.Wait()
	p.built("m", m, ends[0])
	p.built("m", m, ends[1])
	p.same("m/second", "m/app")
	p.verify()
	end := p.must("m", "tierce", "run", "--summary", "json", "--", "go", "build", "-x", "-o", "warm", "./cmd/app")
	p.holds(end.stderr, "compiles=0", "misses=links", "put_bytes=0", "errors=0")
}

// built fails the test unless a build of the module in dir went well and made the
// app that is made without Tierce.
func (p *place) built(dir string, m module, end outcome) {
	p.t.Helper()
	if end.code != 0 {
		p.t.Fatalf("go build in %s: exit code %d\n%s", dir, end.code, end.stderr)
	}
	p.holds(end.stderr, "errors=0", "puts>20")
	p.prints(dir+"/app", m)
	p.native(dir, "build", "-o", "reference", "./cmd/app")
	p.same(dir+"/app", dir+"/reference")
}

// holds fails the test unless the conditions hold for a trace that ends with a
// summary in JSON.
func (p *place) holds(trace string, conditions ...string) {
	p.t.Helper()
	numbers, err := summaryOf(trace)
	p.ok(err)
	for _, condition := range conditions {
		p.ok(holds(condition, numbers))
	}
}
