// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package vfs_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/tiercecache/tierce/internal/vfs"
)

func stampOf(t *testing.T, path string) vfs.Stamp {
	t.Helper()
	stamp, err := vfs.StampOf(path)
	ok(t, err)
	return stamp
}

func TestStampOf(t *testing.T) {
	path := create(t, "body")
	before := stampOf(t, path)
	if again := stampOf(t, path); again != before || before == (vfs.Stamp{}) {
		t.Errorf("two looks at one file: %+v and %+v", before, again)
	}
	link := in(t, "link")
	ok(t, os.Symlink(path, link))
	if through := stampOf(t, link); through != before {
		t.Errorf("through a link %+v, want that of the file, %+v", through, before)
	}
	t.Run("other content with the same length and time", func(t *testing.T) {
		ok(t, os.WriteFile(path, []byte("ydob"), 0o644), os.Chtimes(path, time.Time{}, time.Unix(0, before.Modified)))
		after := stampOf(t, path)
		if after.Modified != before.Modified || after.Size != before.Size {
			t.Fatalf("%+v, want time and length of %+v", after, before)
		}
		if after == before {
			t.Errorf("the same stamp, %+v", after)
		}
	})
	if _, err := vfs.StampOf(in(t, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no file: %v, want %v", err, fs.ErrNotExist)
	}
}
