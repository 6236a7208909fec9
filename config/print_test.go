// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/config"
)

func printed(t *testing.T, c config.Config, registry config.Registry) string {
	t.Helper()
	var b strings.Builder
	if err := c.Print(t.Context(), &b, registry); err != nil {
		t.Fatalf("Print: %v", err)
	}
	return b.String()
}

// everything has a field of each kind that options may have.
type everything struct {
	MaxBytes   int64
	BlockSize  int64
	MaxThings  int
	Workers    int8
	Shards     uint16
	Ratio      float64
	Name       string
	Verbose    bool
	Timeout    time.Duration
	Dir        config.Path
	Password   config.Secret
	Addr       netip.Addr
	TLSConfig  tls
	Fallback   *tls
	Hosts      []string
	Labels     map[string]int
	Renamed    string `yaml:"other,omitempty"`
	Hidden     string `yaml:"-"`
	Clock      func() time.Time
	unexported int
	embedded
}

type tls struct {
	Name string
	Keys []config.Secret
}

type embedded struct{ Inner string }

const everythingFile = `
dir: /cache
queue: {size: 10, wait: true, workers: 2, drain_timeout: 1m}
tiers:
  - type: spy
    name: far-1
    read_only: true
    max_body: 3MB
    options:
      max_bytes: 1.5GiB
      block_size: 1001
      max_things: 7
      workers: -3
      shards: 9
      ratio: 0.00000025
      name: "true: 'x' \"y\" \u2028 é # \\ \t\n"
      verbose: false
      timeout: 90s
      dir: x
      password: ${PASSWORD}
      addr: 127.0.0.1
      tls_config: {name: "1", keys: ["${A}", '${B}']}
      fallback: {name: no}
      hosts: [a, "", "- b", "null"]
      labels: {b: 2, "a a": 1}
      other: x
      inner: |
        two
        lines
  - type: spy
    options: {hosts: [], timeout: 0s, max_bytes: none, name: ""}
`

func TestDecode(t *testing.T) {
	var got everything
	sources := fromFile(t, strings.SplitAfter(everythingFile, "lines\n")[0])
	sources.Environ = []string{"PASSWORD=hunter2", "A=a", "B=b"}
	open(t, load(t, sources), spy(everything{Name: "default", Verbose: true, Hidden: "kept"}, &got))
	want := everything{
		MaxBytes: 1536 * mib, BlockSize: 1001, MaxThings: 7, Workers: -3, Shards: 9, Ratio: 0.00000025,
		Name: "true: 'x' \"y\" \u2028 é # \\ \t\n", Verbose: false, Timeout: 90 * time.Second,
		Dir: got.Dir, Password: got.Password, Addr: netip.MustParseAddr("127.0.0.1"),
		TLSConfig: tls{Name: "1", Keys: got.TLSConfig.Keys}, Fallback: &tls{Name: "no"},
		Hosts: []string{"a", "", "- b", "null"}, Labels: map[string]int{"b": 2, "a a": 1},
		Renamed: "x", Hidden: "kept", embedded: embedded{Inner: "two\nlines\n"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got.Password.Reveal() != "hunter2" || len(got.TLSConfig.Keys) != 2 || got.TLSConfig.Keys[1].Reveal() != "b" {
		t.Errorf("the secrets are %q and %v, want hunter2, a and b", got.Password.Reveal(), got.TLSConfig.Keys)
	}
}

// What Print and PrintJSON print loads to the same configuration.
func TestPrintRoundTrip(t *testing.T) {
	sources := fromFile(t, everythingFile)
	sources.Environ = []string{"PASSWORD=hunter2", "A=a", "B=b"}
	defaults := everything{MaxBytes: gib, Timeout: time.Minute, Hosts: []string{"default"}, Name: "n", Fallback: &tls{Name: "f"}}
	var first, second, third everything
	c := load(t, sources)
	text := printed(t, c, spy(defaults, &first))
	if strings.Contains(text, "hunter2") {
		t.Errorf("the secret is in\n%s", text)
	}
	var b strings.Builder
	if err := c.PrintJSON(t.Context(), &b, spy(defaults, &first)); err != nil {
		t.Fatal(err)
	}
	if !json.Valid([]byte(b.String())) {
		t.Errorf("not JSON:\n%s", b.String())
	}
	for _, again := range []string{text, b.String()} {
		sources.Flags.Config = fromFile(t, again).Flags.Config
		c2 := load(t, sources)
		if got := printed(t, c2, spy(defaults, &third)); got != text {
			t.Errorf("printed again:\n%s\nwant\n%s", got, text)
		}
		open(t, c, spy(defaults, &first))
		open(t, c2, spy(defaults, &second))
		if !reflect.DeepEqual(first, second) {
			t.Errorf("the second tier's options are %+v, want %+v", second, first)
		}
		if !reflect.DeepEqual(c.Queue, c2.Queue) || c.Dir != c2.Dir || len(c.Tiers) != len(c2.Tiers) {
			t.Errorf("loaded %+v, want %+v", c2, c)
		}
	}
}

func TestPrintRedacts(t *testing.T) {
	sources := fromFile(t, `
tiers: [{type: spy, options: {password: hunter2, tls_config: {keys: ["x${A}y"]}}}]
`)
	sources.Environ = []string{"A=hunter2"}
	c := load(t, sources)
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if text := fmt.Sprintf(verb, c); strings.Contains(text, "hunter2") {
			t.Errorf("fmt prints the secret with %s: %s", verb, text)
		}
	}
	text := printed(t, c, spy(everything{}, new(everything)))
	if strings.Contains(text, "hunter2") || strings.Count(text, "[redacted]") != 2 {
		t.Errorf("printed\n%s\nwant both secrets redacted", text)
	}
	sources.Flags.Config = fromFile(t, text).Flags.Config
	err := load(t, sources).Check(t.Context(), spy(everything{}, new(everything)))
	if err == nil || !strings.Contains(err.Error(), "is a secret as it is printed") {
		t.Errorf("Check of what was printed: %v, want that a redacted secret is refused", err)
	}
}
