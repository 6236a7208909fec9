// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/config"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

var (
	noOptions tiers.Options
	errFull   = errors.New("full")
)

func TestBuiltinTiers(t *testing.T) {
	sources := fromFile(t, "dir: cache\ntiers: [{type: memory}, {type: filestream}, {type: filestream, name: far, behind: true, options: {dir: far}}]")
	stack := open(t, load(t, sources), config.Builtin())
	key := interfaces.Key{1}
	if err := stack.Put(t.Context(), key, interfaces.Text("body")); err != nil {
		t.Fatal(err)
	}
	entry, err := stack.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := entry.Text(); body != "body" {
		t.Errorf("the memory tier has %q, want body", body)
	}
	path, _, err := interfaces.Path(t.Context(), stack, key)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(filepath.Dir(sources.Flags.Config), "cache"); !strings.HasPrefix(path, want) {
		t.Errorf("the entry is in %s, want below %s", path, want)
	}
}

func TestOpenClosesWhatWasOpen(t *testing.T) {
	closed := 0
	openTier := func(context.Context, struct{}) (*tier, error) { return &tier{closed: &closed}, nil }
	registry := config.Registry{
		"good": config.Typed(struct{}{}, openTier),
		"bad":  config.Typed(struct{}{}, func(context.Context, struct{}) (*tier, error) { return nil, errFull }),
		"nil":  config.Typed(struct{}{}, func(context.Context, struct{}) (*tier, error) { return nil, nil }),
	}
	for last, want := range map[string]string{"bad": "cannot open the tier last: full", "nil": "cannot open the tier last: its factory returned neither a cache nor an error"} {
		closed = 0
		c := load(t, fromFile(t, "tiers: [{type: good}, {type: good, name: b}, {name: last, type: "+last+"}]"))
		check(t, c, registry)
		stack, err := c.Open(t.Context(), registry, noOptions)
		if err == nil || err.Error() != want || stack != nil {
			t.Errorf("Open: %v, %v, want the error %s", stack, err, want)
		}
		if closed != 2 {
			t.Errorf("%d tiers were closed, want 2", closed)
		}
	}
	if !errors.Is(func() error { // the cause is kept
		_, err := load(t, fromFile(t, "tiers: [{type: bad}]")).Open(t.Context(), registry, noOptions)
		return err
	}(), errFull) {
		t.Error("Open's error is not its cause")
	}
}

// A nil pointer of a failed open must not be a cache that is not nil.
func TestTypedNil(t *testing.T) {
	factory := config.Typed(struct{}{}, func(context.Context, struct{}) (*tier, error) { return nil, errFull })
	cache, err := factory(t.Context(), config.Raw{})
	if cache != nil || !errors.Is(err, errFull) {
		t.Errorf("factory returned %v, %v, want nil and the error", cache, err)
	}
}

func TestCheckOpensNothing(t *testing.T) {
	opened := 0
	registry := config.Registry{"spy": config.Typed(everything{}, func(context.Context, everything) (*tier, error) {
		opened++
		return &tier{closed: new(int)}, nil
	})}
	check(t, load(t, fromFile(t, "tiers: [{type: spy}, {type: spy, name: b, options: {name: x}}]")), registry)
	if opened != 0 {
		t.Errorf("Check opened %d tiers", opened)
	}
	c := load(t, fromFile(t, "tiers: [{type: spy}, {type: spy, name: b, options: {nmae: x}}]"))
	if _, err := c.Open(t.Context(), registry, noOptions); err == nil || opened != 0 {
		t.Errorf("Open of a wrong configuration: %v, %d tiers opened, want an error and 0", err, opened)
	}
}

func TestFactoryWithoutOptions(t *testing.T) {
	closed := 0
	registry := config.Registry{"plain": func(context.Context, config.Raw) (interfaces.Cache, error) {
		return &tier{closed: &closed}, nil
	}}
	check(t, load(t, fromFile(t, "tiers: [{type: plain}]")), registry)
	if closed != 1 {
		t.Errorf("Check closed %d tiers, want the one that the factory opened", closed)
	}
	err := load(t, fromFile(t, "tiers: [{type: plain, options: {x: 1}}]")).Check(t.Context(), registry)
	if err == nil || !strings.Contains(err.Error(), "takes no options") {
		t.Errorf("Check: %v, want that the tier takes no options", err)
	}
}

type validated struct{ Bucket string }

func (v validated) Validate() error {
	if v.Bucket == "" {
		return errors.New("has no bucket; write one")
	}
	return nil
}

func TestValidate(t *testing.T) {
	registry := spy(validated{}, new(validated))
	check(t, load(t, fromFile(t, "tiers: [{type: spy, options: {bucket: b}}]")), registry)
	err := load(t, fromFile(t, "tiers: [{type: spy, options: {}}]")).Check(t.Context(), registry)
	if want := ":1:30: tiers[0].options: has no bucket; write one"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("Check: %v, want %s", err, want)
	}
}

func TestDecodeNeedsAStruct(t *testing.T) {
	for _, into := range []any{nil, 5, new(int), everything{}, (*everything)(nil)} {
		if err := (config.Raw{}).Decode(into); err == nil {
			t.Errorf("Decode into a %T: no error", into)
		}
	}
}

// Defaults are shared by all who use a factory: decoding must not change what
// they point to.
func TestDefaultsStay(t *testing.T) {
	defaults := everything{Fallback: &tls{Name: "f"}, Hosts: []string{"a", "b"}, Labels: map[string]int{"a": 1}}
	var got everything
	registry := spy(defaults, &got)
	open(t, load(t, fromFile(t, "tiers: [{type: spy, options: {fallback: {name: x}, hosts: [c], labels: {a: 2}}}]")), registry)
	if got.Fallback.Name != "x" || got.Hosts[0] != "c" || got.Labels["a"] != 2 {
		t.Errorf("got %+v", got)
	}
	if defaults.Fallback.Name != "f" || defaults.Hosts[0] != "a" || defaults.Labels["a"] != 1 {
		t.Errorf("the defaults became %+v", defaults)
	}
}

func TestMain(m *testing.M) {
	// A variable of the machine's own must not decide.
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "TIERCE_") {
			_ = os.Unsetenv(name) // it was there
		}
	}
	os.Exit(m.Run())
}
