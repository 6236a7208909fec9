// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/frontend/gocacheprog"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/faulttier"
	"github.com/tiercecache/tierce/memory"
	"github.com/tiercecache/tierce/tiers"
)

// pathless returns a cache whose bodies are not files.
func pathless(t testing.TB) interfaces.Cache {
	t.Helper()
	c, err := memory.New(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestPrivate is PROTOCOLS 1, Errors: a put is never an error while any local
// directory works.
func TestPrivate(t *testing.T) {
	on := func(op faulttier.Op) func(t *testing.T) interfaces.Cache {
		return func(t *testing.T) interfaces.Cache {
			return faulttier.New(disk(t, t.TempDir(), filestream.Options{}), faulttier.Rule{On: []faulttier.Op{op}, Fault: faulttier.Fail(nil)})
		}
	}
	for name, open := range map[string]func(t *testing.T) interfaces.Cache{
		"put fails":  on(faulttier.Put),
		"path fails": on(faulttier.Path),
		"no paths":   func(t *testing.T) interfaces.Cache { return pathless(t) },
		"a stack of such": func(t *testing.T) interfaces.Cache {
			return stackOf(t, nil, tiers.Layer{Name: "disk", Tier: on(faulttier.Put)(t)}, tiers.Layer{Name: "memory", Tier: pathless(t)})
		},
	} {
		for _, local := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/local=%t", name, local), func(t *testing.T) { privately(t, open(t), local) })
		}
	}
}

// privately builds with a cache that takes nothing.
func privately(t *testing.T, ill interfaces.Cache, local bool) {
	var told warnings
	opens, dir := 0, t.TempDir()
	private := disk(t, dir, filestream.Options{})
	c := start(t, gocacheprog.Options{
		Open: opened(ill), Local: local, Warn: told.warn,
		Private: func(context.Context) (interfaces.Cache, error) { opens++; return private, nil },
	})
	wantMiss(t, c.get("0"))
	bodies := [][]byte{nil, pattern(1), pattern(1000), pattern(large)}
	var answers []<-chan answer
	for i, body := range bodies {
		answers = append(answers, c.sendPut(fmt.Sprint(i), body), c.sendGet("absent"))
	}
	for i, body := range bodies {
		a := c.wait(answers[2*i])
		if a.Err != "" {
			t.Fatalf("the answer to put %d is %s, want a path", i, a.text)
		}
		if !strings.HasPrefix(a.DiskPath, dir) {
			t.Errorf("put %d is at %s, want it in the private cache's %s", i, a.DiskPath, dir)
		}
		wantFile(t, a.DiskPath, body)
		wantMiss(t, c.wait(answers[2*i+1]))
	}
	for i, body := range bodies { // this build uses what it made
		wantHit(t, c.get(fmt.Sprint(i)), body)
	}
	c.close()
	if got := told.all(); len(got) != 1 || opens != 1 {
		t.Errorf("the user was told %q and the private cache opened %d times, want each once", got, opens)
	}
}

// TestTransient: a cache that fails one put is asked again.
func TestTransient(t *testing.T) {
	dir := t.TempDir()
	ill := faulttier.New(disk(t, dir, filestream.Options{}),
		faulttier.Rule{On: []faulttier.Op{faulttier.Put}, When: faulttier.Nth(1), Fault: faulttier.Fail(nil)})
	var told warnings
	c := start(t, gocacheprog.Options{
		Open: opened(ill), Local: true, Private: opened(disk(t, t.TempDir(), filestream.Options{})), Warn: told.warn,
	})
	c.stored("a", pattern(10))
	if path := c.stored("b", pattern(11)); !strings.HasPrefix(path, dir) {
		t.Errorf("the put after the one that failed is at %s, want %s", path, dir)
	}
	wantHit(t, c.get("a"), pattern(10))
	wantHit(t, c.get("b"), pattern(11))
	c.close()
}

// TestRecordLost: a record that cannot be stored costs the next build a hit,
// and this one nothing.
func TestRecordLost(t *testing.T) {
	ill := faulttier.New(disk(t, t.TempDir(), filestream.Options{}),
		faulttier.Rule{On: []faulttier.Op{faulttier.Put}, When: faulttier.Nth(2), Fault: faulttier.Fail(nil)})
	c := start(t, gocacheprog.Options{Open: opened(ill), Local: true})
	c.stored("a", pattern(10))
	wantMiss(t, c.get("a"))
	c.close()
}

// TestNothingWorks: the one case in which a put is an error, whose text says
// what to do.
func TestNothingWorks(t *testing.T) {
	broken := func(t *testing.T) interfaces.Cache {
		return faulttier.New(disk(t, t.TempDir(), filestream.Options{}),
			faulttier.Rule{On: []faulttier.Op{faulttier.Put}, Fault: faulttier.Fail(errors.New("the disk is full"))})
	}
	for name, opts := range map[string]gocacheprog.Options{
		"no cache and no private one": {Open: failing(errors.New("the disk is full")), Private: failing(errors.New("so is that"))},
		"both fail":                   {Open: opened(broken(t)), Private: opened(broken(t))},
		"no private one":              {Open: opened(broken(t)), Private: failing(errors.New("so is that"))},
	} {
		t.Run(name, func(t *testing.T) {
			var told warnings
			opts.Local, opts.Warn = true, told.warn
			c := start(t, opts)
			for range 2 {
				a := c.put("a", pattern(10))
				for _, want := range []string{"the disk is full", "TIERCE_DIR", "TMPDIR"} {
					if !strings.Contains(a.Err, want) {
						t.Errorf("the answer is %s, want an Err with %q", a.text, want)
					}
				}
				if strings.Contains(a.Err, "\n") || a.DiskPath != "" {
					t.Errorf("the answer is %s, want one sentence and no path", a.text)
				}
			}
			wantMiss(t, c.get("a"))
			c.close()
			if got := told.all(); len(got) != 1 {
				t.Errorf("the user was told %q, want one text", got)
			}
		})
	}
}

// TestNoSpool: a large body needs no temporary directory while the cache's own
// works.
func TestNoSpool(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "absent"))
	dir := t.TempDir()
	for _, local := range []bool{true, false} {
		c := start(t, gocacheprog.Options{Open: opened(disk(t, dir, filestream.Options{})), Local: local})
		body := pattern(large)
		c.stored("a", body)
		wantHit(t, c.get("a"), body)
		c.close()
	}
	if _, err := os.Stat(os.TempDir()); err == nil {
		t.Error("the temporary directory is there now")
	}
}
