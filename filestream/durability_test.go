// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/internal/vfs/faultfs"
)

// recorded is a file system that notes what changes names and what is synced,
// with paths relative to dir.
func recorded(fs vfs.FS, dir string, calls *[]string) vfs.FS {
	return faultfs.New(fs, func(call faultfs.Call) error {
		switch call.Op {
		case "create", "write", "setattr", "sync", "rename", "move", "syncdir":
			name, err := filepath.Rel(dir, call.Path)
			if err != nil {
				return err
			}
			if strings.HasPrefix(name, "tmp") {
				name = "tmp" + filepath.Ext(name)
			}
			if !strings.HasPrefix(name, "state") && !strings.HasPrefix(name, "..") {
				*calls = append(*calls, call.Op+" "+filepath.ToSlash(name))
			}
		}
		return nil
	})
}

func TestDurability(t *testing.T) {
	name := named("key").String()
	entry, shard := "entries/"+name[:2]+"/"+name[2:], "entries/"+name[:2]
	head := strings.Replace(entry, "entries", "heads", 1)
	for durability, want := range map[filestream.Durability][]string{
		filestream.DurabilityNone: {"create tmp", "write tmp", "setattr tmp", "rename " + entry},
		filestream.DurabilityFile: {"create tmp", "write tmp", "setattr tmp", "sync tmp", "rename " + entry},
		filestream.DurabilityFull: {"create tmp", "write tmp", "setattr tmp", "sync tmp", "rename " + entry, "syncdir " + shard, "syncdir entries", "syncdir ."},
	} {
		for op, write := range map[string]func(*filestream.Cache) error{
			"Put": func(c *filestream.Cache) error { return c.Put(t.Context(), named("key"), interfaces.Text("body")) },
			"Insert": func(c *filestream.Cache) error {
				_, err := c.Insert(t.Context(), named("key"), interfaces.Text("body"))
				return err
			},
		} {
			t.Run("F3 "+op+", "+string(durability), func(t *testing.T) {
				dir := t.TempDir()
				put(t, openIn(t, dir, filestream.Options{}), "key", "old") // the shard is there
				mustDo(t, openIn(t, dir, filestream.Options{}).Clear(t.Context()))
				var calls []string
				c := openOn(t, dir, filestream.Options{Durability: durability}, recorded(vfs.OS{}, dir, &calls))
				mustDo(t, write(c))
				want := slices.Clone(want)
				for i, call := range want {
					if op == "Insert" {
						want[i] = strings.Replace(call, "rename ", "move ", 1)
					}
				}
				if !slices.Equal(calls, want) {
					t.Errorf("did %v, want %v", calls, want)
				}
			})
		}
	}
	t.Run("F3 full makes a new directory's name durable too", func(t *testing.T) {
		dir := t.TempDir()
		var calls []string
		c := openOn(t, dir, filestream.Options{Durability: filestream.DurabilityFull}, recorded(vfs.OS{}, dir, &calls))
		put(t, c, "key", "body")
		for _, want := range []string{"syncdir entries", "syncdir " + shard} {
			if !slices.Contains(calls, want) {
				t.Errorf("did %v, want %s among them", calls, want)
			}
		}
	})
	t.Run("F3 a head that is a file is as durable as its body", func(t *testing.T) {
		dir := t.TempDir()
		var calls []string
		c := openOn(t, dir, filestream.Options{Durability: filestream.DurabilityFull}, recorded(plain(), dir, &calls))
		put(t, c, "key", "body")
		synced, renamed := slices.Index(calls, "sync tmp.head"), slices.Index(calls, "rename "+head)
		if synced < 0 || renamed < synced || !slices.Contains(calls, "syncdir "+filepath.ToSlash(filepath.Dir(head))) {
			t.Errorf("did %v, want the head synced, renamed, and its directory synced", calls)
		}
	})
}
