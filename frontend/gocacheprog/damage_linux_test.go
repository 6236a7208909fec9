// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tiercecache/tierce/filestream"
)

// TestDamagedRecord: a record is nothing but its head, so each of its bytes
// counts.
func TestDamagedRecord(t *testing.T) {
	const someByte, inTag = 20, -1
	for name, at := range map[string]int{"in its numbers": someByte, "in its tag": inTag} {
		t.Run(name, func(t *testing.T) {
			damaged(t, pattern(1000), func(t *testing.T, cache *filestream.Cache, _ string) { flipHead(t, cache, at) })
		})
	}
}

// flipHead damages the head of the record at a byte, from the end if that is
// negative.
func flipHead(t *testing.T, cache *filestream.Cache, at int) {
	t.Helper()
	const attribute = "user.tierce1"
	path, _, err := cache.Path(t.Context(), recordOf(t, cache))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil { // handed out: read-only
		t.Fatal(err)
	}
	head := make([]byte, 4096)
	n, err := syscall.Getxattr(path, attribute, head)
	set := func(head []byte) error { return syscall.Setxattr(path, attribute, head, 0) }
	if errors.Is(err, syscall.ENOTSUP) { // no attributes here: a file of its own
		path = filepath.Join(cache.Dir(), "heads", filepath.Base(filepath.Dir(path)), filepath.Base(path))
		head, err = os.ReadFile(path)
		n, set = len(head), func(head []byte) error { return os.WriteFile(path, head, 0o600) }
	}
	if err != nil {
		t.Fatal(err)
	}
	head = head[:n]
	head[(at+n)%n] ^= 1
	if err := set(head); err != nil {
		t.Fatal(err)
	}
}
