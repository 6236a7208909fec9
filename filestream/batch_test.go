// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/internal/vfs/faultfs"
)

func TestFileAsBody(t *testing.T) {
	t.Run("F14 a file's content is stored, not its path nor the file", func(t *testing.T) {
		source := filepath.Join(t.TempDir(), "source")
		writeFile(t, source, oldBody)
		c := openIn(t, t.TempDir(), filestream.Options{})
		for name, write := range map[string]func(interfaces.Entry) error{
			"put": func(entry interfaces.Entry) error { return c.Put(t.Context(), named("put"), entry) },
			"inserted": func(entry interfaces.Entry) error {
				_, err := c.Insert(t.Context(), named("inserted"), entry)
				return err
			},
		} {
			entry, err := interfaces.OpenFile(source)
			mustDo(t, err, write(entry), entry.Close())
			stored, err := os.Stat(entryPath(c.Dir(), named(name)))
			mustDo(t, err)
			if original, err := os.Stat(source); err != nil || os.SameFile(stored, original) {
				t.Errorf("%s: the entry is the caller's own file (error %v)", name, err)
			}
			handOut(t, c, name) // which takes the right to write from the entry's file
		}
		writeFile(t, source, "changed")
		mustDo(t, os.Remove(source))
		wantHit(t, c, "put", oldBody)
		wantHit(t, c, "inserted", oldBody)
	})
	t.Run("F14 a file that changes its length while it is read stores nothing", func(t *testing.T) {
		source := filepath.Join(t.TempDir(), "source")
		c := openIn(t, t.TempDir(), filestream.Options{})
		for _, length := range []int64{0, 100, 1 << 20} {
			writeFile(t, source, oldBody)
			entry, err := interfaces.OpenFile(source)
			mustDo(t, err, os.Truncate(source, length))
			if err := c.Put(t.Context(), named("key"), entry); err == nil {
				t.Errorf("Put of a file that became %d bytes long: no error", length)
			}
			mustDo(t, entry.Close())
			wantMiss(t, c, "key")
		}
	})
}

func TestPutBatch(t *testing.T) {
	t.Run("F15 a full disk in the middle leaves the earlier ones and names the one", func(t *testing.T) {
		full := false
		c := openOn(t, t.TempDir(), filestream.Options{}, faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
			if full && call.Op == "write" && strings.Contains(call.Path, "tmp"+string(filepath.Separator)) {
				return &os.PathError{Op: call.Op, Path: call.Path, Err: syscall.ENOSPC}
			}
			return nil
		}))
		var items []interfaces.Item
		for _, name := range []string{"a", "b", "c", "d"} {
			r := strings.NewReader(name)
			items = append(items, interfaces.Item{Key: named(name), Entry: interfaces.Stream(readerFunc(func(b []byte) (int, error) {
				full = full || name == "c"
				return r.Read(b)
			}), 1)})
		}
		var batch *interfaces.BatchError
		err := c.PutBatch(t.Context(), items)
		if !errors.As(err, &batch) || batch.Index != 2 || batch.Key != named("c") || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("PutBatch: %v, want item 2 and %v", err, syscall.ENOSPC)
		}
		wantHit(t, c, "a", "a")
		wantHit(t, c, "b", "b")
		wantMiss(t, c, "c")
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
