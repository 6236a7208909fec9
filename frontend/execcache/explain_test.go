// SPDX-License-Identifier: Apache-2.0

package execcache_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	cachectx "github.com/tiercecache/tierce/context"
	"github.com/tiercecache/tierce/frontend/execcache"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memo"
	"github.com/tiercecache/tierce/tiers"
)

// noon is when everything is recorded.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// explainer returns a place that notes what is recorded in cache. Forms isolate
// what it records.
func explainer(t testing.TB, cache interfaces.Cache, forms ...cachectx.Form) *place {
	t.Helper()
	all, err := cachectx.New(cachectx.Options{}, forms...)
	check(t, err)
	fast, err := memo.NewFast(cache, memo.Options{Forms: all})
	check(t, err)
	return noting(t, fast, cache, cache)
}

// noting returns a place that records in files, if that is not nil, and notes in
// notes.
func noting(t testing.TB, recorder *memo.Recorder, files, notes interfaces.Cache) *place {
	t.Helper()
	p := placeWith(t, recorder, files)
	var err error
	p.recorder, err = execcache.New(recorder, execcache.Options{Files: files, Notes: notes, Clock: func() time.Time { return noon }})
	check(t, err)
	return p
}

// furnish makes what compile needs.
func (p *place) furnish() *place {
	p.write("a.h", "a")
	p.write("sub/b.h", "b")
	p.tool("tool", "1")
	return p
}

// compile is a command with parts of all kinds.
func (p *place) compile(args ...string) execcache.Command {
	c := p.shell("cat *.h sub/*.h >out; exit 0")
	c.Args = append(append(c.Args, "compiler"), args...)
	c.Inputs, c.Outputs = []string{"**/*.h"}, []string{"out"}
	c.Env, c.Tools = []string{"EXPLAIN_SECRET", "EXPLAIN_UNSET"}, []string{"./bin/tool"}
	return c
}

func (p *place) explain(c execcache.Command) execcache.Explanation {
	p.t.Helper()
	e, err := p.recorder.Explain(p.t.Context(), c, strings.NewReader("typed"))
	check(p.t, err)
	return e
}

// wantDifferences fails the test unless a call is a miss with these differences,
// each "kind name change".
func (p *place) wantDifferences(c execcache.Command, want ...string) {
	p.t.Helper()
	e := p.explain(c)
	var got []string
	for _, d := range e.Differences {
		text := fmt.Sprintf("%s %s %s", d.Kind, d.Name, d.Change)
		if d.Was != "" {
			text += " was " + d.Was
		}
		got = append(got, text)
	}
	if e.Hit || !reflect.DeepEqual(got, want) || !e.Recorded.Equal(noon) {
		p.t.Errorf("%+v: %q, want a miss and %q", e, got, want)
	}
	if text := fmt.Sprintf("%+v", e); strings.Contains(text, "hunter2") {
		p.t.Errorf("a secret is told: %s", text)
	}
}

// explained returns a place in which a command was recorded.
func explained(t testing.TB) (*place, interfaces.Cache) {
	t.Helper()
	setenv(t, "EXPLAIN_SECRET", "hunter2")
	cache := directory(t)
	p := explainer(t, cache).furnish()
	if e := p.explain(p.compile("-O1", "-DX")); !reflect.DeepEqual(e, execcache.Explanation{}) {
		t.Errorf("before anything is recorded: %+v", e)
	}
	p.records(p.compile("-O1", "-DX"))
	return p, cache
}

func TestExplain(t *testing.T) {
	p, cache := explained(t)
	t.Run("a hit", func(t *testing.T) {
		e := p.explain(p.compile("-O1", "-DX"))
		if !reflect.DeepEqual(e, execcache.Explanation{Hit: true, Recordings: 1, Recorded: noon}) {
			t.Errorf("%+v, want a hit", e)
		}
	})
	t.Run("arguments", func(t *testing.T) {
		p.wantDifferences(p.compile("-O2", "-DX"), "argument -O2 changed was -O1")
		p.wantDifferences(p.compile("-O1", "-g", "-DX"), "argument -g added")
		p.wantDifferences(p.compile("-DX"), "argument -O1 removed")
		p.wantDifferences(p.compile("-DX", "-O1"), "argument -DX moved")
		p.wantDifferences(p.compile("-O1", "--token=hunter2"), "argument --token=[redacted] changed was -DX")
	})
	t.Run("what is declared", func(t *testing.T) {
		c := p.compile("-O1", "-DX")
		c.Env = []string{"EXPLAIN_SECRET", "PATH"}
		p.wantDifferences(c, "variable EXPLAIN_UNSET removed", "variable PATH added")
		c = p.compile("-O1", "-DX")
		c.Tools, c.Stdin = nil, true
		p.wantDifferences(c, "tool ./bin/tool removed", "standard input  added")
	})
	t.Run("inputs", func(t *testing.T) {
		p.write("sub/b.h", "another")
		p.write("c.h", "new")
		p.wantDifferences(p.compile("-O1", "-DX"), "input c.h added", "input sub/b.h changed")
		c := p.compile("-O1", "-DX")
		c.Inputs = []string{"a.h"}
		p.wantDifferences(c, "input sub/b.h removed")
		p.write("sub/b.h", "b")
		c.Inputs = []string{"a.h", "sub"}
		if e := p.explain(c); !e.Hit {
			t.Errorf("%+v, want a hit", e)
		}
	})
	t.Run("variables and tools", func(t *testing.T) {
		t.Setenv("EXPLAIN_SECRET", "hunter22")
		t.Setenv("EXPLAIN_UNSET", "hunter2")
		p.tool("tool", "2")
		c := p.compile("-O1", "-DX")
		c.Inputs = []string{"a.h", "sub"}
		p.wantDifferences(c, "variable EXPLAIN_SECRET changed", "variable EXPLAIN_UNSET set", "tool ./bin/tool changed")
		p.tool("tool", "1")
	})
	t.Run("nothing of a secret is stored", func(t *testing.T) {
		c := p.compile("--password=hunter2", "--token", "hunter2", "https://user:hunter2@host/")
		p.records(c)
		for key, err := range interfaces.List(t.Context(), cache) {
			check(t, err)
			entry, err := cache.Get(t.Context(), key)
			check(t, err)
			body, err := entry.Bytes()
			check(t, err)
			check(t, entry.Close())
			if strings.Contains(string(body), "hunter2") {
				t.Errorf("%s", body)
			}
		}
	})
}

func TestExplainForms(t *testing.T) {
	cache := directory(t)
	setenv(t, "EXPLAIN_FORM", "hunter2")
	p := explainer(t, cache, cachectx.Env("EXPLAIN_FORM"), cachectx.Target(""))
	p.records(p.shell(":"))
	t.Setenv("EXPLAIN_FORM", "hunter3")
	q := explainer(t, cache, cachectx.Env("EXPLAIN_FORM"), cachectx.Target(""))
	q.wantDifferences(q.shell(":"), "form compile env changed")
	explainer(t, cache).wantDifferences(q.shell(":"), "form compile env removed", "form compile target removed")
}

// TestExplainNearest: of several recordings the one counts from which least
// differs, also if others came later.
func TestExplainNearest(t *testing.T) {
	p, _ := explained(t)
	p.records(p.compile("-O3", "-g", "-DY"))
	p.wantDifferences(p.compile("-O2", "-DX"), "argument -O2 changed was -O1")
	t.Run("there is a limit", func(t *testing.T) {
		for i := range 9 {
			p.records(p.compile(fmt.Sprint("-f", i), "-g", "-DY"))
		}
		if e := p.explain(p.compile("-O2", "-DX")); e.Recordings != 8 {
			t.Errorf("%+v, want 8 recordings", e)
		}
		if e := p.explain(p.compile("-O1", "-DX")); !reflect.DeepEqual(e, execcache.Explanation{Hit: true, Recordings: 8}) {
			t.Errorf("%+v, want a hit of unknown time", e)
		}
	})
	t.Run("another site knows nothing", func(t *testing.T) {
		c := p.compile("-O2")
		c.Outputs = []string{"other"}
		if e := p.explain(c); e.Recordings != 0 || e.Hit {
			t.Errorf("%+v, want nothing", e)
		}
	})
}

// TestExplainGone: the same was recorded, and its result was evicted.
func TestExplainGone(t *testing.T) {
	p, cache := explained(t)
	for key, err := range interfaces.List(t.Context(), cache) {
		check(t, err)
		entry, err := cache.Get(t.Context(), key)
		check(t, err)
		body, err := entry.Bytes()
		check(t, err)
		check(t, entry.Close())
		if !strings.HasPrefix(string(body), `{"note":`) {
			check(t, interfaces.Delete(t.Context(), cache, key))
		}
	}
	p.wantDifferences(p.compile("-O1", "-DX"))
}

// TestExplainTeam: what another machine recorded is known through the remote,
// also by one that recorded the like itself.
func TestExplainTeam(t *testing.T) {
	remote := directory(t)
	machine := func() *place {
		stack, err := tiers.New(tiers.Options{}, tiers.Layer{Name: "disk", Tier: directory(t)}, tiers.Layer{Name: "remote", Tier: struct{ interfaces.Cache }{remote}})
		check(t, err)
		return explainer(t, stack).furnish()
	}
	one, two := machine(), machine()
	two.records(two.compile("-O3", "-g"))
	one.records(one.compile("-O1", "-DX"))
	two.wantDifferences(two.compile("-O2", "-DX"), "argument -O2 changed was -O1")
	one.wantDifferences(one.compile("-O4", "-g"), "argument -O4 changed was -O3")
}

// TestExplainDeterministic: what is recorded for all is noted apart from what is
// not.
func TestExplainDeterministic(t *testing.T) {
	_, cache := explained(t)
	recorder, err := memo.OpenDeterministic(t.Context(), memo.DeterministicOptions{
		Options: memo.Options{LockDir: t.TempDir()}, Mode: memo.Local, Sync: tiers.Layer{Name: "disk", Tier: cache},
	})
	check(t, err)
	p := noting(t, recorder, nil, cache).furnish()
	if e := p.explain(p.compile("-O1", "-DX")); !reflect.DeepEqual(e, execcache.Explanation{}) {
		t.Errorf("%+v, want nothing", e)
	}
	p.records(p.compile("-O1", "-DX"))
	if e := p.explain(p.compile("-O1", "-DX")); !e.Hit || !e.Recorded.Equal(noon) {
		t.Errorf("%+v, want a hit", e)
	}
	p.wantDifferences(p.compile("-O2", "-DX"), "argument -O2 changed was -O1")
	t.Run("strict", func(t *testing.T) {
		frozen, err := memo.OpenDeterministic(t.Context(), memo.DeterministicOptions{
			Mode: memo.StrictlyCached, Sync: tiers.Layer{Name: "disk", Tier: cache},
		})
		check(t, err)
		p.recorder = noting(t, frozen, nil, cache).recorder
		p.wantDifferences(p.compile("-O2", "-DX"), "argument -O2 changed was -O1")
	})
}
