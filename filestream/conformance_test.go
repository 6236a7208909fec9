// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"os"
	"testing"

	"github.com/tiercecache/tierce/cachetest"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// capabilities are those that the tier promises.
var capabilities = []string{
	"Inserter", "Deleter", "Statter", "Lener", "Clearer", "Lister", "Pather", "BatchPutter", "Consistent", "Closer",
}

// TestConformance runs the public suite with every verification policy and
// every durability, on both kinds of file system: T1 to T4, T9, T10, F1, F3,
// F12, F14, F15.
func TestConformance(t *testing.T) {
	for kind, fs := range eachFS {
		for _, opts := range []filestream.Options{
			{Verify: filestream.VerifyAlways, Durability: filestream.DurabilityNone},
			{Verify: filestream.VerifyFirstRead, Durability: filestream.DurabilityFile},
			{Verify: filestream.VerifyNever, Durability: filestream.DurabilityFull},
		} {
			t.Run("T9 "+kind+", "+string(opts.Verify)+", "+string(opts.Durability), func(t *testing.T) {
				conform(t, opts, lazyFS{fs()})
			})
		}
	}
}

func conform(t *testing.T, opts filestream.Options, fs vfs.FS) {
	open := func(t *testing.T, dir string) interfaces.Cache {
		t.Helper()
		c, err := filestream.OpenFS(t.Context(), dir, opts, fs)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		return c
	}
	cfg := cachetest.Config{
		Open:    func(t *testing.T) interfaces.Cache { return open(t, t.TempDir()) },
		Reopen:  func(t *testing.T, c interfaces.Cache) interfaces.Cache { return open(t, c.(*filestream.Cache).Dir()) },
		Require: capabilities,
		MaxBody: 200_000, // on both sides of what Get reads at once
	}
	if opts.Verify != filestream.VerifyNever {
		cfg.Damage = func(t *testing.T, c interfaces.Cache, key interfaces.Key) {
			flipBit(t, entryPath(c.(*filestream.Cache).Dir(), key))
		}
	}
	cachetest.Run(t, cfg)
}

// flipBit changes one bit in the middle of a file and sets its time of last
// change to what it was, as no honest writer would.
func flipBit(t testing.TB, path string) {
	t.Helper()
	change(t, path, func(body []byte) []byte {
		body[len(body)/2] ^= 0x10
		return body
	})
}

// change writes what do makes of a file into that very file, and sets its
// times to what they were.
func change(t testing.TB, path string, do func([]byte) []byte) {
	t.Helper()
	info, err := os.Stat(path)
	mustDo(t, err)
	body, err := os.ReadFile(path)
	mustDo(t, err, os.Chmod(path, 0o600))
	waitForTick(t, path)
	mustDo(t, os.WriteFile(path, do(body), 0o600))
	mustDo(t, os.Chtimes(path, info.ModTime(), info.ModTime()), os.Chmod(path, info.Mode()))
}

// waitForTick returns when a change of the file gets another time than the
// file has now: where times are those of the last tick, a change within one
// would have the same.
func waitForTick(t testing.TB, path string) {
	t.Helper()
	info := func() vfs.Info {
		info, err := vfs.OS{}.Stat(path)
		mustDo(t, err)
		return info
	}
	for before := info().Changed; before != 0 && info().Changed == before; {
		mustDo(t, os.Chmod(path, 0o600))
	}
}
