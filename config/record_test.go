// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/config"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memo"
	"github.com/tiercecache/tierce/tiers"
)

const recordFile = `
tiers:
  - type: memory
  - type: filestream
  - {type: redis, name: team, options: {url: 'redis://redis.example.com'}}
record:
  mode: global
  tier: team
  lease: 20s
  prepopulate: [a.dump, /b.dump]
  dump: new.dump
`

// recordOf returns what sources say of recording.
func recordOf(t *testing.T, sources config.Sources) config.Record {
	t.Helper()
	c := load(t, sources)
	check(t, c, config.Builtin())
	return c.Record
}

func wantRecord(t *testing.T, got, want config.Record) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRecord(t *testing.T) {
	sources := fromFile(t, recordFile)
	dir := filepath.Dir(sources.Flags.Config)
	at := func(dir, name string) config.Path { return config.Path(filepath.Join(dir, name)) }
	want := config.Record{
		Mode: "global", Tier: "team", Lease: 20 * time.Second,
		Prepopulate: []config.Path{at(dir, "a.dump"), config.Path(abs(t, "/b.dump"))}, Dump: at(dir, "new.dump"),
	}
	t.Run("V2 by default no result is promised", func(t *testing.T) {
		wantRecord(t, recordOf(t, nothing(t)), config.Record{Mode: config.Fast})
	})
	t.Run("V2 the file", func(t *testing.T) { wantRecord(t, recordOf(t, sources), want) })
	t.Run("V2 the environment wins over the file", func(t *testing.T) {
		sources.Environ = []string{
			"TIERCE_DETERMINISTIC_LEASE=30s", "TIERCE_DETERMINISTIC_PREPOPULATE=c" + string(os.PathListSeparator) + "d",
			"TIERCE_DETERMINISTIC_DUMP=e", "TIERCE_DETERMINISTIC_TIER=",
		}
		want := want
		want.Lease, want.Prepopulate, want.Dump = 30*time.Second, []config.Path{at(abs(t, "."), "c"), at(abs(t, "."), "d")}, at(abs(t, "."), "e")
		wantRecord(t, recordOf(t, sources), want)
	})
	t.Run("V2 flags win over the environment, and what their mode has no use for is left out", func(t *testing.T) {
		sources.Environ = []string{"TIERCE_DETERMINISTIC_MODE=strict-cached"}
		sources.Flags.Mode, sources.Flags.Prepopulate = "strict", []string{"/f"}
		want := config.Record{Mode: "strict", Prepopulate: []config.Path{config.Path(abs(t, "/f"))}, Dump: want.Dump}
		wantRecord(t, recordOf(t, sources), want)
		sources.Flags.Mode, sources.Flags.Prepopulate = "fast", nil
		wantRecord(t, recordOf(t, sources), config.Record{Mode: config.Fast})
	})
}

// TestRecordPrints holds that what is printed has the tier that synchronizes,
// and loads to the same.
func TestRecordPrints(t *testing.T) {
	for name, want := range map[string]string{
		"local": "mode: local\n  tier: filestream\n", "global": "mode: global\n  tier: team\n", "strict-cached": "mode: strict-cached\n  tier: team\n",
	} {
		sources := fromFile(t, strings.Replace(strings.Replace(recordFile, "  tier: team\n  lease: 20s\n", "", 1), "global", name, 1))
		text := printed(t, load(t, sources), config.Builtin())
		if !strings.Contains(text, want) {
			t.Errorf("mode %s prints\n%s\nwant %q", name, text, want)
		}
		if again := printed(t, load(t, fromFile(t, text)), config.Builtin()); again != text {
			t.Errorf("printed again:\n%s\nwant\n%s", again, text)
		}
	}
}

// The tier that synchronizes is a layer of the stack.
func TestSync(t *testing.T) {
	for name, test := range map[string]struct{ flags, want string }{
		"fast": {"fast", ""}, "local": {"local", "filestream"}, "global": {"global", "team"}, "strict-cached": {"strict-cached", "team"},
	} {
		t.Run(name, func(t *testing.T) {
			sources := fromFile(t, strings.Split(recordFile, "record:")[0])
			sources.Flags.Mode = test.flags
			c := load(t, sources)
			stack := open(t, c, config.Builtin())
			layer, err := c.Sync(stack)
			if err != nil || layer.Name != test.want {
				t.Errorf("got layer %q, error %v, want %q", layer.Name, err, test.want)
			}
			if layer.Tier != nil && interfaces.ConsistencyOf(layer.Tier) != interfaces.ConsistencyStrong {
				t.Errorf("%q is not strongly consistent", layer.Name)
			}
		})
	}
	t.Run("R10 of another stack there is none", func(t *testing.T) {
		sources := nothing(t)
		sources.Flags.Mode = "local"
		stack, err := tiers.New(tiers.Options{}, tiers.Layer{Name: "x", Tier: &tier{closed: new(int)}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := load(t, sources).Sync(stack); err == nil {
			t.Error("no error")
		}
	})
}

// TestModesOfMemo holds that the file, the variables and package memo mean the
// same by each mode, with or without this package.
func TestModesOfMemo(t *testing.T) {
	for _, mode := range []memo.Mode{memo.Local, memo.Global, memo.StrictlyCached, memo.StrictlyPrepopulated} {
		t.Run(string(mode), func(t *testing.T) {
			variables := map[string]string{"TIERCE_DETERMINISTIC_MODE": string(mode), "TIERCE_DETERMINISTIC_PREPOPULATE": abs(t, "a"), "TIERCE_DETERMINISTIC_DUMP": abs(t, "b")}
			if mode != memo.StrictlyPrepopulated {
				variables["TIERCE_DETERMINISTIC_TIER"] = "team"
			}
			if mode == memo.Global {
				variables["TIERCE_DETERMINISTIC_LEASE"] = "7s"
			}
			sources := fromFile(t, strings.Split(recordFile, "record:")[0])
			for name, value := range variables {
				t.Setenv(name, value)
				sources.Environ = append(sources.Environ, name+"="+value)
			}
			c := load(t, sources)
			stack := open(t, c, config.Builtin())
			want, err := memo.DeterministicOptions{}.FromEnvironment(stack)
			if err != nil {
				t.Fatal(err)
			}
			got := memo.DeterministicOptions{Mode: memo.Mode(c.Record.Mode), Lease: c.Record.Lease, Dump: string(c.Record.Dump)}
			if got.Sync, err = c.Sync(stack); err != nil {
				t.Fatal(err)
			}
			for _, path := range c.Record.Prepopulate {
				got.Prepopulate = append(got.Prepopulate, string(path))
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}
