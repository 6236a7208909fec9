// SPDX-License-Identifier: Apache-2.0

package vfs_test

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/tiercecache/tierce/internal/vfs"
)

// TestReadingIsNoUse would see the time of last use change, as at the first
// read after a write with relatime, if files were opened in the ordinary way.
func TestReadingIsNoUse(t *testing.T) {
	path := create(t, "body")
	used, written := time.Unix(1_600_000_000, 0), time.Unix(1_700_000_000, 0)
	ok(t, os.Chtimes(path, used, written))
	if _, err := io.ReadAll(open(t, path)); err != nil {
		t.Error(err)
	}
	if got := stat(t, path).Accessed; got != used.UnixNano() {
		t.Errorf("F6 last use %v after a read, want %v", time.Unix(0, got), used)
	}
}

func TestBootID(t *testing.T) {
	one, two := vfs.BootID(), vfs.BootID()
	if one == "" || one != two {
		t.Errorf("BootID: %q, then %q", one, two)
	}
}
