// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
)

func TestFileIsTheBody(t *testing.T) {
	for kind, fs := range eachFS {
		t.Run("F1 the file is exactly the body, "+kind, func(t *testing.T) {
			c := openOn(t, t.TempDir(), filestream.Options{}, fs())
			head := interfaces.Head{Tag: strings.Repeat("tag", 100), Cost: time.Hour}
			for name, body := range map[string]string{
				"empty": "", "elf": "\x7fELF\x02\x01\x01\x00", "large": strings.Repeat("0123456789", 50_000),
			} {
				mustDo(t, c.Put(t.Context(), named(name), interfaces.Text(body).WithHead(head)))
				inserted := named(name + " inserted")
				_, err := c.Insert(t.Context(), inserted, interfaces.Stream(strings.NewReader(body), interfaces.SizeUnknown))
				mustDo(t, err)
				for _, key := range []interfaces.Key{named(name), inserted} {
					if got, err := os.ReadFile(entryPath(c.Dir(), key)); err != nil || string(got) != body {
						t.Errorf("the file of %s is %s and error %v, want %s", name, brief(string(got)), err, brief(body))
					}
				}
			}
		})
	}
}

func TestLayout(t *testing.T) {
	t.Run("F2 named by the SHA-256 of the key's bytes, of any length and content", func(t *testing.T) {
		c := openIn(t, t.TempDir(), filestream.Options{})
		for _, key := range []string{"", "key", "../../../etc/passwd", "\x00\xff/\\:*?\n", strings.Repeat("long", 1<<18)} {
			mustDo(t, c.Put(t.Context(), encoding.RawKey([]byte(key)), interfaces.Text("body of "+brief(key))))
			digest := sha256.Sum256([]byte(key))
			name := hex.EncodeToString(digest[:])
			got, err := os.ReadFile(filepath.Join(c.Dir(), "entries", name[:2], name[2:]))
			if err != nil || string(got) != "body of "+brief(key) {
				t.Errorf("the file of key %q: %q and error %v", brief(key), got, err)
			}
		}
		for _, dir := range []string{"entries", "tmp"} {
			if info, err := os.Stat(filepath.Join(c.Dir(), dir)); err != nil || !info.IsDir() {
				t.Errorf("%s: %v, want a directory", dir, err)
			}
		}
	})
	t.Run("F2 an entry that cuda.core wrote", func(t *testing.T) {
		dir := t.TempDir()
		key, body := []byte("ptx \x00 sm_90"), strings.Repeat("cubin ", 50_000)
		path := entryPath(dir, sha256.Sum256(key))
		writeFile(t, path, body)
		mustDo(t, os.Mkdir(filepath.Join(dir, "tmp"), 0o700))
		written := time.Unix(1_700_000_000, 123_456_000)
		mustDo(t, os.Chtimes(path, written, written))

		c := openIn(t, dir, filestream.Options{Verify: filestream.VerifyAlways})
		entry, err := c.Get(t.Context(), encoding.RawKey(key))
		mustDo(t, err)
		got, err := entry.Bytes()
		mustDo(t, err, entry.Close())
		if want := (interfaces.Head{Size: int64(len(body)), Time: written.UTC()}); entry.Head != want || string(got) != body {
			t.Errorf("Get: head %+v, body %s, want %+v and its body", entry.Head, brief(string(got)), want)
		}
		if handed, _, err := c.Path(t.Context(), encoding.RawKey(key)); err != cacheerr.ErrMiss {
			t.Errorf("Path: %s and error %v, want a miss: nothing to verify it by", handed, err)
		}
		if n, err := c.Len(t.Context()); n != 1 || err != nil {
			t.Errorf("Len: %d and error %v, want 1", n, err)
		}
	})
}

// foreign are paths that nobody may take for an entry's.
func foreign(dir string) []string {
	key := named("foreign").String()
	return []string{
		filepath.Join(dir, "notes"),
		filepath.Join(dir, "entries", "notes"),
		filepath.Join(dir, "entries", "no", "notes"),
		filepath.Join(dir, "entries", "no", key[2:]),
		filepath.Join(dir, "entries", key[:2], "short"),
		filepath.Join(dir, "entries", key[:2], key[2:]+".tmp"),
		filepath.Join(dir, "entries", key[:2], strings.Repeat("g", 62)),
		filepath.Join(dir, "entries", strings.ToUpper(key[:2]), strings.ToUpper(key[2:])),
		filepath.Join(dir, "entries", key[:4], key[4:]),
		filepath.Join(dir, "tmp", "subdirectory", "file"),
	}
}

func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	c := openIn(t, dir, filestream.Options{MaxBytes: 1})
	for _, path := range foreign(dir) {
		writeFile(t, path, blocks(1, "f"))
		old := time.Now().Add(-1000 * time.Hour)
		mustDo(t, os.Chtimes(path, old, old))
	}
	within := entryPath(dir, named("a directory"))
	writeFile(t, filepath.Join(within, "file"), "in a directory that is named as an entry")
	t.Run("F2 List, Len and VerifyAll pass foreign files over", func(t *testing.T) {
		for key, err := range c.List(t.Context()) {
			t.Errorf("List: key %v and error %v, want none", key, err)
		}
		if n, err := c.Len(t.Context()); n != 0 || err != nil {
			t.Errorf("Len: %d and error %v, want 0", n, err)
		}
		found, err := c.VerifyAll(t.Context(), true, nil)
		if err != nil || found.Entries+found.Unverified+len(found.Damaged) != 0 {
			t.Errorf("VerifyAll: %+v and error %v, want nothing", found, err)
		}
	})
	t.Run("F2 Evict and Clear leave foreign files alone", func(t *testing.T) {
		if _, err := c.Evict(t.Context(), nil); err != nil {
			t.Errorf("Evict: %v", err)
		}
		mustDo(t, c.Clear(t.Context()))
		for _, path := range append(foreign(dir), filepath.Join(within, "file")) {
			if !exists(path) {
				t.Errorf("%s is gone", path)
			}
		}
	})
}

func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // rights are not in the mode there
	}
	t.Run("F11 made for this user only", func(t *testing.T) {
		parent := t.TempDir()
		c := openIn(t, filepath.Join(parent, "a", "b"), filestream.Options{})
		put(t, c, "key", "body")
		var made []string
		mustDo(t, filepath.WalkDir(filepath.Join(parent, "a"), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.IsDir() {
				return err
			}
			made = append(made, path)
			info, err := entry.Info()
			if err == nil && info.Mode().Perm() != 0o700 {
				t.Errorf("%s has mode %v, want 0700", path, info.Mode().Perm())
			}
			return err
		}))
		if !slices.Contains(made, filepath.Dir(entryPath(c.Dir(), named("key")))) {
			t.Errorf("made %v, want the entry's directory among them", made)
		}
	})
	t.Run("F11 a directory that is there keeps its mode", func(t *testing.T) {
		dir := t.TempDir()
		mustDo(t, os.Chmod(dir, 0o755))
		openIn(t, dir, filestream.Options{})
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("mode %v and error %v, want 0755", info.Mode(), err)
		}
	})
}

func TestMarks(t *testing.T) {
	dir := t.TempDir()
	openIn(t, dir, filestream.Options{})
	tag, err := os.ReadFile(filepath.Join(dir, "CACHEDIR.TAG"))
	if err != nil || !strings.HasPrefix(string(tag), "Signature: 8a477f597d28d172789f06886806bc55\n") {
		t.Errorf("CACHEDIR.TAG: %q and error %v, want the signature of bford.info/cachedir", tag, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "README")); err != nil || !strings.Contains(string(text), "may be deleted") {
		t.Errorf("README: %q and error %v", text, err)
	}
}
