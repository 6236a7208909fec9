// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"bytes"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"testing"

	"github.com/tiercecache/tierce/frontend/gocacheprog"
)

// TestSpoolFull: what a temporary directory that fills up does not take stays
// in memory.
func TestSpoolFull(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	spool := gocacheprog.NewSpool()
	body := pattern(1 << 20)
	const limit = 300_001 // within a write
	limited(t, limit, func() {
		for piece := range slices.Chunk(body, 100_000) {
			if n, err := spool.Write(piece); n != len(piece) || err != nil {
				t.Errorf("Write returned %d and %v, want %d and no error", n, err, len(piece))
			}
		}
	})
	if got := spool.InMemory(); got != len(body)-limit {
		t.Errorf("%d bytes are in memory, want the %d that the file did not take", got, len(body)-limit)
	}
	for range 2 { // the second time for the private cache
		entry := spool.Entry()
		if got, err := entry.Bytes(); err != nil || !bytes.Equal(got, body) || entry.Size != int64(len(body)) {
			t.Errorf("the body is %d bytes (%v), want the %d that were written", len(got), err, len(body))
		}
	}
	spool.Remove()
	if n := filesBelow(t, os.TempDir()); n != 0 {
		t.Errorf("%d temporary files are left", n)
	}
}

// limited calls do while no file can grow above size bytes.
func limited(t *testing.T, size uint64, do func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
	}()
	do()
}

// TestSpoolNameless: a helper that is killed leaves no body behind, since the
// file has no name while it is open.
func TestSpoolNameless(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	spool := gocacheprog.NewSpool()
	defer spool.Remove()
	if _, err := spool.Write([]byte("a body")); err != nil {
		t.Fatal(err)
	}
	if n := filesBelow(t, os.TempDir()); n != 0 {
		t.Errorf("%d temporary files have names while the spool is open, want none", n)
	}
	entry := spool.Entry()
	if got, err := entry.Bytes(); err != nil || string(got) != "a body" {
		t.Errorf("the body is %q (%v), want %q", got, err, "a body")
	}
}
