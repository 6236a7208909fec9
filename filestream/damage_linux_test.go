// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

func TestAttribute(t *testing.T) {
	attr := func(value string) func(string) error {
		return func(path string) error { return unix.Setxattr(path, vfs.AttrName, []byte(value), 0) }
	}
	for name, do := range map[string]func(string) error{
		"lost":               func(path string) error { return unix.Removexattr(path, vfs.AttrName) },
		"emptied":            attr(""),
		"too short":          attr("short"),
		"noise":              attr(strings.Repeat("noise ", 10)),
		"longer than a head": attr(strings.Repeat("x", 2000)),
		"another entry's": func(path string) error {
			value := make([]byte, 2000)
			n, err := unix.Getxattr(strings.Replace(path, "entries", "entries", 1), vfs.AttrName, value)
			if err != nil {
				return err
			}
			value[n-1] ^= 1 // of the tag
			return unix.Setxattr(path, vfs.AttrName, value[:n], 0)
		},
	} {
		for read, call := range reads {
			t.Run("attribute "+name+", "+read, func(t *testing.T) {
				c := openIn(t, t.TempDir(), filestream.Options{Verify: filestream.VerifyNever})
				key := named("key")
				mustDo(t, c.Put(t.Context(), key, interfaces.Text(oldBody).WithHead(interfaces.Head{Tag: "tag"})))
				mustDo(t, call(t.Context(), c, key), do(entryPath(c.Dir(), key)))
				if err := call(t.Context(), c, key); !errors.Is(err, cacheerr.ErrDamaged) {
					t.Errorf("error %v, want damage", err)
				}
				if exists(entryPath(c.Dir(), key)) {
					t.Error("the file is still there")
				}
				put(t, c, "key", oldBody)
				wantHit(t, c, "key", oldBody)
			})
		}
	}
	t.Run("without attribute it is another tool's file, which nobody can verify", func(t *testing.T) {
		c := openIn(t, t.TempDir(), filestream.Options{Verify: filestream.VerifyAlways})
		key := named("key")
		mustDo(t, c.Put(t.Context(), key, interfaces.Text("ours").WithHead(interfaces.Head{Tag: "tag"})))
		mustDo(t, os.Remove(entryPath(c.Dir(), key)))
		writeFile(t, entryPath(c.Dir(), key), "body")
		wantHit(t, c, "key", "body")
		head, err := c.Stat(t.Context(), key)
		if err != nil || head.Tag != "" || head.Checksum != (interfaces.Checksum{}) {
			t.Errorf("Stat: %+v and error %v, want neither tag nor checksum", head, err)
		}
	})
}

// TestPipe would wait for ever if an entry's file were opened as if it were
// one.
func TestPipe(t *testing.T) {
	c := openIn(t, t.TempDir(), filestream.Options{})
	for read, call := range reads {
		t.Run("a pipe in place of the file, "+read, func(t *testing.T) {
			put(t, c, "key", oldBody)
			path := entryPath(c.Dir(), named("key"))
			replace(func(path string) error { return unix.Mkfifo(path, 0o600) })(t, path)
			done := make(chan error)
			go func() { done <- call(context.Background(), c, named("key")) }()
			if err := <-done; !errors.Is(err, cacheerr.ErrDamaged) {
				t.Errorf("error %v, want damage", err)
			}
			put(t, c, "key", "healed")
			wantHit(t, c, "key", "healed")
		})
	}
}
