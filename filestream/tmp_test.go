// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
)

func TestCleanedByHand(t *testing.T) {
	for kind, fs := range eachFS {
		for _, gone := range []string{"tmp", "entries", "heads", "state", "."} {
			t.Run("F4 without "+gone+", "+kind, func(t *testing.T) {
				c := openOn(t, t.TempDir(), filestream.Options{MaxBytes: 1 << 30}, fs())
				clean := func() {
					c.Wait() // for the first scan, which writes down what it found
					mustDo(t, os.RemoveAll(filepath.Join(c.Dir(), gone)))
				}
				head := interfaces.Head{Tag: "tag"}
				mustDo(t, c.Put(t.Context(), named("old"), interfaces.Text("old").WithHead(head)))
				for name, write := range map[string]func(interfaces.Key, interfaces.Entry) error{
					"Put": func(key interfaces.Key, entry interfaces.Entry) error { return c.Put(t.Context(), key, entry) },
					"Insert": func(key interfaces.Key, entry interfaces.Entry) error {
						_, err := c.Insert(t.Context(), key, entry)
						return err
					},
				} {
					clean()
					if err := write(named(name), interfaces.Text(name).WithHead(head)); err != nil {
						t.Errorf("%s: %v", name, err)
					}
					wantHit(t, c, name, name)
					if got, err := c.Stat(t.Context(), named(name)); err != nil || got.Tag != head.Tag {
						t.Errorf("Stat after %s: %+v and error %v, want the tag", name, got, err)
					}
				}
			})
		}
	}
}

// sweeps are what removes old temporary files of a cache that is open.
var sweeps = map[string]func(*testing.T, *filestream.Cache, filestream.Options) error{
	"Open": func(t *testing.T, c *filestream.Cache, opts filestream.Options) error {
		openIn(t, c.Dir(), opts)
		return nil
	},
	"Evict": func(t *testing.T, c *filestream.Cache, _ filestream.Options) error {
		_, err := c.Evict(t.Context(), nil)
		return err
	},
	"Clear": func(t *testing.T, c *filestream.Cache, _ filestream.Options) error { return c.Clear(t.Context()) },
}

func TestSweep(t *testing.T) {
	for name, sweep := range sweeps {
		t.Run("F5 by "+name, func(t *testing.T) {
			now := time.Unix(1_800_000_000, 0)
			opts := filestream.Options{Clock: func() time.Time { return now }}
			c := openIn(t, t.TempDir(), opts)
			tmp := filepath.Join(c.Dir(), "tmp")
			for age, name := range map[time.Duration]string{
				24 * time.Hour: "a-day", time.Hour + time.Second: "over-an-hour",
				time.Hour: "an-hour", 59 * time.Minute: "under-an-hour", 0: "new", -time.Hour: "of-the-future",
			} {
				path := filepath.Join(tmp, name)
				writeFile(t, path, "part of a body")
				mustDo(t, os.Chtimes(path, now, now.Add(-age)))
			}
			dir := filepath.Join(tmp, "directory")
			mustDo(t, os.Mkdir(dir, 0o700), os.Chtimes(dir, now, now.Add(-24*time.Hour)))
			mustDo(t, sweep(t, c, opts))
			want := []string{"an-hour", "directory", "new", "of-the-future", "under-an-hour"}
			if got := names(t, tmp); !slices.Equal(got, want) {
				t.Errorf("tmp has %v, want %v", got, want)
			}
		})
	}
}
