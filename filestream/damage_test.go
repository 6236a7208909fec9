// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/internal/vfs/faultfs"
)

// damage is something that happens to an entry's file.
type damage struct {
	name string
	do   func(testing.TB, string) // to the file at a path
	want filestream.Damage
	body bool // only of the body: what VerifyNever does not notice
}

var damages = []damage{
	{"truncated", edit(func(b []byte) []byte { return b[:len(b)-1] }), filestream.BadHead, false},
	{"emptied", edit(func([]byte) []byte { return nil }), filestream.BadHead, false},
	{"grown", edit(func(b []byte) []byte { return append(b, 0) }), filestream.BadHead, false},
	{"zero-filled at full length", edit(func(b []byte) []byte { clear(b); return b }), filestream.BadBody, true},
	{"zero-filled at its end", edit(func(b []byte) []byte { clear(b[len(b)-1:]); return b }), filestream.BadBody, true},
	{"one bit flipped", edit(func(b []byte) []byte { b[len(b)/2] ^= 1; return b }), filestream.BadBody, true},
	{"replaced by a directory", replace(func(path string) error { return os.Mkdir(path, 0o700) }), filestream.NotAFile, false},
	{"replaced by a link", replace(func(path string) error { return os.Symlink(os.DevNull, path) }), filestream.NotAFile, false},
	{"replaced by a link to its like", replace(func(path string) error {
		return errors.Join(os.WriteFile(path+".like", []byte("like"), 0o600), os.Symlink(path+".like", path))
	}), filestream.NotAFile, false},
	{"replaced by a link to nothing", replace(func(path string) error { return os.Symlink("nowhere", path) }), filestream.NotAFile, false},
}

func edit(do func([]byte) []byte) func(testing.TB, string) {
	return func(t testing.TB, path string) {
		t.Helper()
		change(t, path, do)
	}
}

func replace(by func(string) error) func(testing.TB, string) {
	return func(t testing.TB, path string) {
		t.Helper()
		mustDo(t, os.Remove(path), by(path))
	}
}

// reads are the operations that must not be taken in by a damaged entry.
var reads = map[string]func(context.Context, *filestream.Cache, interfaces.Key) error{
	"Get": func(ctx context.Context, c *filestream.Cache, key interfaces.Key) error {
		entry, err := c.Get(ctx, key)
		return errors.Join(err, entry.Close())
	},
	"Path": func(ctx context.Context, c *filestream.Cache, key interfaces.Key) error {
		_, _, err := c.Path(ctx, key)
		return err
	},
	"Path for the second time": func(ctx context.Context, c *filestream.Cache, key interfaces.Key) error {
		_, _, err := c.Path(ctx, key)
		return err
	},
}

// sizesOf bodies that are summed up at each read, read at once, and streamed.
var sizesOf = []int{2_000, 40_000, 200_000}

func TestDamage(t *testing.T) {
	for kind, fs := range eachFS {
		policies := []filestream.Verify{filestream.VerifyAlways, filestream.VerifyFirstRead, filestream.VerifyNever}
		if kind == "no attributes" {
			policies = policies[1:2] // where the head is makes no difference to the body
		}
		for _, policy := range policies {
			for _, damage := range damages {
				t.Run(damage.name+", "+string(policy)+", "+kind, func(t *testing.T) {
					c := openOn(t, t.TempDir(), filestream.Options{Verify: policy}, fs())
					for _, size := range sizesOf {
						for read, call := range reads {
							damage.check(t, c, fmt.Sprint(read, size), size, policy, call)
						}
					}
				})
			}
		}
	}
}

// check damages an entry, reads it and heals it.
func (d damage) check(t *testing.T, c *filestream.Cache, name string, size int, policy filestream.Verify,
	read func(context.Context, *filestream.Cache, interfaces.Key) error) {
	t.Helper()
	key, body := named(name), strings.Repeat("x", size)
	put(t, c, name, body)
	wantHit(t, c, name, body)
	if strings.HasPrefix(name, "Path for the second time") {
		mustDo(t, read(t.Context(), c, key))
	}
	path := entryPath(c.Dir(), key)
	d.do(t, path)
	err := read(t.Context(), c, key)
	if d.body && policy == filestream.VerifyNever {
		if err != nil {
			t.Errorf("%s: %v, but nothing asks for the body to be verified", name, err)
		}
		mustDo(t, c.Delete(t.Context(), key))
		return
	}
	var found *filestream.DamageError
	switch {
	case !errors.Is(err, cacheerr.ErrMiss) || cacheerr.MissReason(err) != cacheerr.ReasonDamaged:
		t.Errorf("%s: error %v, want a miss because of damage", name, err)
	case !errors.As(err, &found) || found.Key != key || found.Path != path || found.Damage != d.want:
		t.Errorf("%s: error %#v, want damage %q of %s", name, err, d.want, path)
	}
	if exists(path) {
		t.Errorf("%s: %s is still there", name, path)
	}
	wantMiss(t, c, name)
	put(t, c, name, body)
	wantHit(t, c, name, body)
}

func TestDamageInsert(t *testing.T) {
	for kind, fs := range eachFS {
		for _, damage := range damages {
			t.Run("T2 Insert where one is "+damage.name+", "+kind, func(t *testing.T) {
				c := openOn(t, t.TempDir(), filestream.Options{}, fs())
				put(t, c, "key", oldBody)
				damage.do(t, entryPath(c.Dir(), named("key")))
				inserted, err := c.Insert(t.Context(), named("key"), interfaces.Text("healed"))
				if !inserted || err != nil {
					t.Fatalf("Insert says %t and error %v, want true", inserted, err)
				}
				wantHit(t, c, "key", "healed")
			})
		}
	}
	t.Run("T3 Insert beside which a directory comes says so", func(t *testing.T) {
		dir := t.TempDir()
		path := entryPath(dir, named("key"))
		c := openOn(t, dir, filestream.Options{}, faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
			if call.Op == "move" {
				return os.MkdirAll(path, 0o700)
			}
			return nil
		}))
		inserted, err := c.Insert(t.Context(), named("key"), interfaces.Text("body"))
		if inserted || err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Insert: %t and error %v, want one that names %s", inserted, err, path)
		}
	})
	t.Run("T3 Insert where a full directory is says so", func(t *testing.T) {
		c := openIn(t, t.TempDir(), filestream.Options{})
		path := entryPath(c.Dir(), named("key"))
		writeFile(t, filepath.Join(path, "file"), "not ours")
		for name, write := range map[string]func() error{
			"Insert": func() error { _, err := c.Insert(t.Context(), named("key"), interfaces.Text("body")); return err },
			"Put":    func() error { return c.Put(t.Context(), named("key"), interfaces.Text("body")) },
		} {
			if err := write(); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: error %v, want one that names %s", name, err, path)
			}
		}
		wantMiss(t, c, "key")
		if !exists(filepath.Join(path, "file")) {
			t.Error("somebody's file is gone")
		}
	})
}

func TestDamageStat(t *testing.T) {
	c := openIn(t, t.TempDir(), filestream.Options{})
	for _, damage := range damages {
		t.Run("Stat of one that is "+damage.name, func(t *testing.T) {
			put(t, c, "key", oldBody)
			damage.do(t, entryPath(c.Dir(), named("key")))
			head, err := c.Stat(t.Context(), named("key"))
			if damage.body {
				if err != nil || head.Size != int64(len(oldBody)) {
					t.Errorf("size %d and error %v; Stat does not look at the body", head.Size, err)
				}
				return
			}
			if !errors.Is(err, cacheerr.ErrDamaged) || head != (interfaces.Head{}) {
				t.Errorf("head %+v and error %v, want damage", head, err)
			}
		})
	}
}

// TestHeadFiles is about heads that are files of their own.
func TestHeadFiles(t *testing.T) {
	for name, do := range map[string]func(testing.TB, string){
		"truncated": edit(func(b []byte) []byte { return b[:10] }),
		"emptied":   edit(func([]byte) []byte { return nil }),
		"grown":     edit(func(b []byte) []byte { return append(b, 'x') }),
		"huge":      edit(func(b []byte) []byte { return append(b, strings.Repeat("x", 9000)...) }),
		"noise":     edit(func(b []byte) []byte { b[3] ^= 1; return b }),
		"another's": edit(func(b []byte) []byte { copy(b, strings.Repeat("h", len(b))); return b }),
	} {
		t.Run("head "+name, func(t *testing.T) {
			c := openOn(t, t.TempDir(), filestream.Options{Verify: filestream.VerifyNever}, plain())
			put(t, c, "key", oldBody)
			file := named("key").String()
			do(t, filepath.Join(c.Dir(), "heads", file[:2], file[2:]))
			if _, err := get(t, c, "key"); !errors.Is(err, cacheerr.ErrDamaged) {
				t.Errorf("Get: %v, want damage", err)
			}
			put(t, c, "key", oldBody)
			wantHit(t, c, "key", oldBody)
		})
	}
	for name, remove := range map[string]func(context.Context, *filestream.Cache) error{
		"Delete": func(ctx context.Context, c *filestream.Cache) error { return c.Delete(ctx, named("key")) },
		"Clear":  func(ctx context.Context, c *filestream.Cache) error { return c.Clear(ctx) },
		"VerifyAll": func(ctx context.Context, c *filestream.Cache) error {
			flipBit(t, entryPath(c.Dir(), named("key")))
			_, err := c.VerifyAll(ctx, true, nil)
			return err
		},
		"Evict": func(ctx context.Context, c *filestream.Cache) error {
			_, err := openOn(t, c.Dir(), filestream.Options{MaxBytes: 1}, plain()).Evict(ctx, nil)
			return err
		},
	} {
		t.Run("the head goes with "+name, func(t *testing.T) {
			c := openOn(t, t.TempDir(), filestream.Options{}, plain())
			put(t, c, "key", oldBody)
			mustDo(t, remove(t.Context(), c))
			wantMiss(t, c, "key")
			if file := named("key").String(); exists(filepath.Join(c.Dir(), "heads", file[:2], file[2:])) {
				t.Error("the head is still there")
			}
		})
	}
}

// TestFailingBody is about a file that shrinks or breaks while it is read.
func TestFailingBody(t *testing.T) {
	c := openIn(t, t.TempDir(), filestream.Options{})
	put(t, c, "key", strings.Repeat("x", 200_000))
	entry, err := c.Get(t.Context(), named("key"))
	mustDo(t, err, os.Truncate(entryPath(c.Dir(), named("key")), 100_000))
	if body, err := io.ReadAll(entry.Reader()); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a body that shrank while it was read: %d bytes and error %v, want %v", len(body), err, io.ErrUnexpectedEOF)
	}
	mustDo(t, entry.Close())
}
