// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/internal/vfs/faultfs"
)

// reader is a cache whose reads of bodies are counted.
type reader struct {
	*filestream.Cache
	n int
}

func openReader(t testing.TB, dir string, opts filestream.Options, fs vfs.FS) *reader {
	t.Helper()
	r := new(reader)
	r.Cache = openOn(t, dir, opts, faultfs.New(fs, func(call faultfs.Call) error {
		if call.Op == "read" && strings.HasPrefix(call.Path, filepath.Join(dir, "entries")) {
			r.n++
		}
		return nil
	}))
	return r
}

// verified reports whether a Get of an entry, whose body it does not read, read
// the body to compare it.
func (r *reader) verified(t testing.TB, name string) bool {
	t.Helper()
	r.n = 0
	entry, err := r.Get(t.Context(), named(name))
	if err != nil {
		t.Fatalf("Get of %s: %v", name, err)
	}
	mustDo(t, entry.Close())
	return r.n > 0
}

var streamed = strings.Repeat("streamed", 25_000) // a body that Get does not read

func TestFirstRead(t *testing.T) {
	for kind, fs := range eachFS {
		t.Run("what this process wrote is not verified, "+kind, func(t *testing.T) {
			r := openReader(t, t.TempDir(), filestream.Options{}, fs())
			put(t, r.Cache, "key", streamed)
			if r.verified(t, "key") {
				t.Error("verified, want not")
			}
			_, err := r.Insert(t.Context(), named("inserted"), interfaces.Text(streamed))
			mustDo(t, err)
			if r.verified(t, "inserted") {
				t.Error("verified after Insert, want not")
			}
			handOut(t, r.Cache, "key") // which changes the file's attributes
			if r.verified(t, "key") {
				t.Error("verified after Path, want not")
			}
		})
		t.Run("what somebody else wrote is verified once, for all processes, "+kind, func(t *testing.T) {
			dir := t.TempDir()
			first := openReader(t, dir, filestream.Options{}, fs())
			put(t, first.Cache, "key", streamed)
			mustDo(t, os.Truncate(filepath.Join(dir, "state", "verified"), 0))
			second := openReader(t, dir, filestream.Options{}, fs())
			for i, want := range []bool{true, false, false} {
				if got := second.verified(t, "key"); got != want {
					t.Errorf("read %d is verified: %t, want %t", i+1, got, want)
				}
			}
			third := openReader(t, dir, filestream.Options{}, fs())
			if third.verified(t, "key") {
				t.Error("verified again by another process")
			}
		})
	}
	for policy, want := range map[filestream.Verify]bool{filestream.VerifyAlways: true, filestream.VerifyNever: false} {
		t.Run("the policy "+string(policy), func(t *testing.T) {
			r := openReader(t, t.TempDir(), filestream.Options{Verify: policy}, vfs.OS{})
			put(t, r.Cache, "key", streamed)
			mustDo(t, os.Truncate(filepath.Join(r.Dir(), "state", "verified"), 0))
			for range 2 {
				if got := r.verified(t, "key"); got != want {
					t.Errorf("verified: %t, want %t", got, want)
				}
			}
		})
	}
}

// TestPlacedProof: what was placed is verified by other processes as long as this
// one has not told them, which it does when it closes.
func TestPlacedProof(t *testing.T) {
	dir := t.TempDir()
	c := openReader(t, dir, filestream.Options{}, vfs.OS{})
	for _, name := range []string{"early", "late"} {
		_, err := c.Place(t.Context(), named(name), interfaces.Text(streamed))
		mustDo(t, err)
		if c.verified(t, name) {
			t.Errorf("%s is verified by who wrote it, want not", name)
		}
	}
	other := openReader(t, dir, filestream.Options{}, vfs.OS{})
	if !other.verified(t, "early") {
		t.Error("not verified by another process, which cannot know")
	}
	mustDo(t, c.Close())
	if other.verified(t, "late") {
		t.Error("verified after who wrote it has closed, want not")
	}
}

func TestVerifiedAgain(t *testing.T) {
	touch := func(path string) error {
		info, err := os.Stat(path)
		return errors.Join(err, os.Chtimes(path, info.ModTime(), info.ModTime()))
	}
	for name, do := range map[string]func(testing.TB, string){
		"its times were set to what they were": func(t testing.TB, path string) {
			waitForTick(t, path)
			mustDo(t, touch(path))
		},
		"it was rewritten as it was": func(t testing.TB, path string) {
			change(t, path, func(b []byte) []byte { return b })
		},
		"it is a copy": func(t testing.TB, path string) {
			body, err := os.ReadFile(path)
			value := make([]byte, 1000)
			n, attrErr := vfs.OS{}.Attr(path, value)
			mustDo(t, err, attrErr, os.Remove(path))
			file, err := vfs.OS{}.Create(path)
			mustDo(t, err)
			_, err = file.Write(body)
			mustDo(t, err, file.SetAttr(value[:n]), file.Close())
		},
		"the machine was started anew": func(t testing.TB, _ string) {
			t.Cleanup(filestream.SetMachineRun(rand.Uint64()))
		},
	} {
		t.Run("verified again when "+name, func(t *testing.T) {
			r := openReader(t, t.TempDir(), filestream.Options{}, vfs.OS{})
			put(t, r.Cache, "key", streamed)
			do(t, entryPath(r.Dir(), named("key")))
			if !r.verified(t, "key") {
				t.Error("not verified")
			}
			if r.verified(t, "key") {
				t.Error("verified more than once")
			}
		})
	}
}

// TestReplacedAtOnce is about a Put after which somebody else replaces the entry
// before this process looks at it.
func TestReplacedAtOnce(t *testing.T) {
	dir := t.TempDir()
	path := entryPath(dir, named("key"))
	other := openIn(t, dir, filestream.Options{})
	renamed := false
	c := openOn(t, dir, filestream.Options{}, faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
		if renamed && call.Op == "stat" && call.Path == path {
			renamed = false
			put(t, other, "key", streamed)
			flipBit(t, path)
		}
		renamed = renamed || call.Op == "rename"
		return nil
	}))
	put(t, c, "key", streamed)
	if _, err := get(t, c, "key"); !errors.Is(err, cacheerr.ErrDamaged) {
		t.Errorf("Get: %v; what another process wrote counts as verified", err)
	}
}

func TestReadingKeepsTheProof(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	r := openReader(t, dir, filestream.Options{Clock: clock.now}, vfs.OS{})
	put(t, r.Cache, "key", streamed)
	for range 3 {
		clock.add(1000 * filestream.Options{}.Grace)
		clock.add(2 * 3600 * 1e9)
		if r.verified(t, "key") {
			t.Error("bringing the time of last use up to date made the proof void")
		}
	}
}

// ills are what may happen to the table of proofs.
var ills = map[string]func(path string) error{
	"deleted":   os.Remove,
	"truncated": func(path string) error { return os.Truncate(path, 1000) },
	"zeros":     func(path string) error { return errors.Join(os.Truncate(path, 0), os.Truncate(path, 8<<20)) },
	"noise": func(path string) error {
		return os.WriteFile(path, noise(8<<20), 0o600)
	},
	"longer than a table": func(path string) error { return os.Truncate(path, 9<<20) },
	"a directory":         func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	"gone with state":     func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
}

func noise(n int) []byte {
	text := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(text) // never fails
	return text
}

func TestIllTable(t *testing.T) {
	for name, spoil := range ills {
		for _, when := range []string{"while open", "before Open"} {
			t.Run("the table of proofs is "+name+", "+when, func(t *testing.T) {
				dir := t.TempDir()
				c := openIn(t, dir, filestream.Options{})
				for _, name := range []string{"whole", "damaged", "damaged later"} {
					put(t, c, name, streamed)
				}
				flipBit(t, entryPath(dir, named("damaged")))
				mustDo(t, spoil(filepath.Join(dir, "state", "verified")))
				if when == "before Open" {
					c = openIn(t, dir, filestream.Options{})
				}
				for range 2 {
					wantHit(t, c, "whole", streamed)
				}
				wantHit(t, c, "damaged later", streamed)
				flipBit(t, entryPath(dir, named("damaged later")))
				for _, name := range []string{"damaged", "damaged later"} {
					if _, err := get(t, c, name); !errors.Is(err, cacheerr.ErrDamaged) {
						t.Errorf("%s: %v, want damage", name, err)
					}
				}
				put(t, c, "new", streamed)
				wantHit(t, c, "new", streamed)
			})
		}
	}
	for _, op := range []string{"openshared", "read", "write"} {
		t.Run("the table of proofs fails to "+op, func(t *testing.T) {
			dir := t.TempDir()
			c := openOn(t, dir, filestream.Options{}, faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
				if call.Op == op && filepath.Base(call.Path) == "verified" {
					return &os.PathError{Op: op, Path: call.Path, Err: syscall.EIO}
				}
				return nil
			}))
			for _, name := range []string{"whole", "damaged"} {
				put(t, c, name, streamed)
				wantHit(t, c, name, streamed)
			}
			flipBit(t, entryPath(dir, named("damaged")))
			if _, err := get(t, c, "damaged"); !errors.Is(err, cacheerr.ErrDamaged) {
				t.Errorf("Get: %v, want damage", err)
			}
			wantHit(t, c, "whole", streamed)
		})
	}
}

// bucketOf returns the proofs in a bucket of the table in file.
func bucketOf(t testing.TB, file *os.File, n uint64) []uint64 {
	t.Helper()
	at, length := filestream.Bucket(n)
	bucket := make([]byte, length)
	if read, err := file.ReadAt(bucket, at); err != nil && read == 0 {
		clear(bucket)
	}
	var all []uint64
	for ; len(bucket) > 0; bucket = bucket[8:] {
		all = append(all, binary.LittleEndian.Uint64(bucket))
	}
	return all
}

// FuzzProofs has a table whose bucket of a proof is noise, cut off anywhere.
func FuzzProofs(f *testing.F) {
	f.Add([]byte{}, uint64(1))
	f.Add(noise(64), uint64(1<<63|5))
	f.Add(binary.LittleEndian.AppendUint64(nil, 77), uint64(77))
	f.Add(noise(61), ^uint64(0))
	path := filepath.Join(f.TempDir(), "verified")
	f.Fuzz(func(t *testing.T, bucket []byte, n uint64) {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		mustDo(t, err)
		defer file.Close() //nolint:errcheck // of the test
		at, _ := filestream.Bucket(n)
		_, err = file.WriteAt(bucket, at)
		mustDo(t, err)
		table, err := vfs.OS{}.OpenShared(path)
		mustDo(t, err)
		defer table.Close() //nolint:errcheck // of the test
		before := bucketOf(t, file, n)
		proofs := filestream.OpenProofs(table)
		if got, want := proofs.Has(n), n != 0 && slices.Contains(before, n); got != want {
			t.Fatalf("has %x is %t, want %t in %x", n, got, want, before)
		}
		proofs.Add(n)
		after := bucketOf(t, file, n)
		if proofs.Has(n) != (n != 0) || (n != 0) != slices.Contains(after, n) && n != 0 {
			t.Fatalf("has %x after add is %t in %x", n, proofs.Has(n), after)
		}
		lost := 0
		for _, p := range before {
			if p != 0 && !slices.Contains(after, p) {
				lost++
			}
		}
		if full := !slices.Contains(before, 0); lost > 1 || lost == 1 && !full {
			t.Fatalf("adding %x made %x of %x", n, after, before)
		}
	})
}

func TestProofsManyAndConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "verified")
	open := func() *filestream.Proofs {
		table, err := vfs.OS{}.OpenShared(path)
		mustDo(t, err)
		t.Cleanup(func() { _ = table.Close() })
		return filestream.OpenProofs(table)
	}
	tables := []*filestream.Proofs{open(), open()} // as two processes have it
	done := make(chan error)
	for i, table := range tables {
		go func() {
			random := rand.New(rand.NewPCG(uint64(i), 0))
			for range 5000 {
				n := random.Uint64()
				if table.Add(n); !table.Has(n) {
					done <- fmt.Errorf("%x was added and is not there", n)
					return
				}
				if other := random.Uint64(); table.Has(other) && other != n {
					done <- fmt.Errorf("%x is there and was never added", other)
					return
				}
			}
			done <- nil
		}()
	}
	mustDo(t, <-done, <-done)
}
