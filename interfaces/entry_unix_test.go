// SPDX-License-Identifier: Apache-2.0

//go:build unix

package interfaces_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tiercecache/tierce/interfaces"
)

// TestOpenNamedPipe: it is refused, and nobody waits for its writer.
func TestOpenNamedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := interfaces.OpenFile(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error %v, want that it is not a regular file", err)
	}
}
