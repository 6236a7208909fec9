// SPDX-License-Identifier: Apache-2.0

package execcache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/frontend/execcache"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memo"
)

// TestNoteIsBounded: of many inputs folders stand for what is in them, and a
// change is told all the same.
func TestNoteIsBounded(t *testing.T) {
	for name, test := range map[string]struct {
		n    int
		path func(i int) string
		want string // that changed with the last
	}{
		"few":             {200, func(i int) string { return fmt.Sprintf("src/%d.h", i) }, "src/199.h"},
		"deep":            {4000, func(i int) string { return fmt.Sprintf("src/%d/deep/%d.h", i%4, i) }, "src/3/deep/"},
		"in one":          {4000, func(i int) string { return fmt.Sprintf("%d.h", i) }, "./"},
		"in many folders": {4000, func(i int) string { return fmt.Sprintf("src/%d/%d.h", i, i) }, "src/"},
		"some are higher": {1500, func(i int) string { return strings.Repeat("d/", i%2*3) + fmt.Sprintf("%d.h", i) }, "d/d/d/"},
		"with long names": {200, func(i int) string { return fmt.Sprintf("src/%0200d.h", i) }, "src/"},
		"one of them":     {1, func(int) string { return strings.Repeat("x", 40000) }, "./"},
	} {
		t.Run(name, func(t *testing.T) {
			was := make(map[string]string)
			for i := range test.n {
				was[test.path(i)] = "1"
			}
			is := maps.Clone(was)
			is[test.path(test.n-1)] = "2"
			size, got := execcache.DifferFolded(was, is)
			want := []execcache.Difference{{Kind: execcache.KindInput, Name: test.want, Change: execcache.Changed}}
			if size == 0 || size > 32<<10 || !reflect.DeepEqual(got, want) {
				t.Errorf("%d bytes and %+v, want %q", size, got, test.want)
			}
			if _, got := execcache.DifferFolded(was, was); got != nil {
				t.Errorf("the same differs in %+v", got)
			}
		})
	}
}

// wrong is a cache that answers everything with the same.
type wrong struct {
	interfaces.Cache
	entry interfaces.Entry
	err   error
}

func (w wrong) Get(context.Context, interfaces.Key) (interfaces.Entry, error) { return w.entry, w.err }

func (w wrong) Put(context.Context, interfaces.Key, interfaces.Entry) error { return w.err }

// TestWrongNotes: what is damaged, hostile or ill is no note, and nobody's error.
func TestWrongNotes(t *testing.T) {
	for name, notes := range map[string]wrong{
		"ill":               {err: errors.New("ill")},
		"empty":             {},
		"no JSON":           {entry: interfaces.Text("{")},
		"of a later time":   {entry: interfaces.Text(`{"note":2,"recordings":[{}]}`)},
		"of another form":   {entry: interfaces.Text(`{"note":1,"recordings":{"time":1}}`)},
		"large":             {entry: interfaces.Text(`{"note":1,"recordings":[` + strings.Repeat("{},", execcache.MaxNote) + "{}]}")},
		"shorter than told": {entry: interfaces.Stream(strings.NewReader("{"), 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			cache := directory(t)
			fast, err := memo.NewFast(cache, memo.Options{})
			check(t, err)
			p := noting(t, fast, cache, notes)
			p.records(p.shell(":"))
			p.replays(p.shell(":"))
			if e := p.explain(p.shell("true")); !reflect.DeepEqual(e, execcache.Explanation{}) {
				t.Errorf("%+v, want nothing", e)
			}
		})
	}
}

func TestShownArgs(t *testing.T) {
	got := execcache.ShownArgs("curl", "--token", "abc", "-H", "Authorization: Bearer abc", "TOKEN=abc", "--password", "--verbose", "-DSECRET_KEY=", "https://u:abc@h/?token=abc",
		strings.Repeat("x", 1000), "a\xffb", "plain")
	for i, want := range []string{"curl", "--token", "[redacted]", "-H", "Authorization:[redacted]", "TOKEN=[redacted]", "--password", "--verbose", "-DSECRET_KEY=", "https://u:xxxxx@h/?token=xxxxx"} {
		if got[i] != want {
			t.Errorf("shown is %q, want %q", got[i], want)
		}
	}
	for _, text := range got {
		if len(text) > 200 || strings.Contains(text, "abc") || strings.Contains(text, "\xff") {
			t.Errorf("shown is %q", text)
		}
	}
	if many := execcache.ShownArgs(make([]string, 1000)...); len(many) != 101 || many[100] != "… and 900 more" {
		t.Errorf("%d of 1000 are shown, the last %q", len(many), many[len(many)-1])
	}
}

// FuzzNote reads any note: a bounded number of recordings, the same when they
// are written and read again.
func FuzzNote(f *testing.F) {
	for _, text := range []string{
		"", "{", `{"note":1}`, `{"note":1,"recordings":[{"time":"2026-11-22T12:00:00Z","args":[{"text":"gcc"},{"text":"x","digest":"00"}],"inputs":{"a":"1","d/":"2"},"env":{"A":""}},{}]}`,
		`{"note":1,"recordings":[` + strings.Repeat("{},", 20) + `{"stdin":"1"}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		again, n := execcache.Notes(text)
		third, m := execcache.Notes(again)
		if n > 8 || m != n || !bytes.Equal(again, third) {
			t.Errorf("%q is %d recordings %q, and then %d %q", text, n, again, m, third)
		}
	})
}
