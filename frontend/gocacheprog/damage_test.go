// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/frontend/gocacheprog"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// TestWrongBody: bytes whose SHA-256 is not the OutputID are not stored.
func TestWrongBody(t *testing.T) {
	for _, size := range []int{1, 1000, large} {
		for _, local := range []bool{true, false} {
			t.Run(fmt.Sprintf("local=%t/%d", local, size), func(t *testing.T) {
				dir := t.TempDir()
				cache := disk(t, dir, filestream.Options{})
				var counters tiers.Counters
				c := start(t, gocacheprog.Options{Open: opened(cache), Local: local, Observer: &counters})
				body := pattern(size)
				lie := putRequest("a", body)
				body[size/2] ^= 1
				if a := c.wait(c.send(lie, body)); a.Err == "" || a.DiskPath != "" {
					t.Errorf("the answer is %s, want an Err", a.text)
				}
				wantMiss(t, c.get("a"))
				if n, err := cache.Len(t.Context()); n != 0 || err != nil {
					t.Errorf("%d entries (%v), want none", n, err)
				}
				c.stored("b", body)
				c.close()
				if got := counters.Snapshot(); got.Unstored != 1 || got.Puts != 1 {
					t.Errorf("%d results were counted as not stored and %d as stored, want 1 and 1", got.Unstored, got.Puts)
				}
			})
		}
	}
}

// TestPoisoned: bytes that came from elsewhere, well with their checksum but
// not what the OutputID names, are a miss.
func TestPoisoned(t *testing.T) {
	dir := t.TempDir()
	cache := disk(t, dir, filestream.Options{Verify: filestream.VerifyNever})
	c := start(t, gocacheprog.Options{Open: opened(cache)})
	body := pattern(1000)
	path := c.stored("a", body)
	wantHit(t, c.get("a"), body)
	other := bytes.Clone(body)
	other[500] ^= 1
	overwrite(t, path, other)
	wantMiss(t, c.get("a"))
	c.stored("a", body) // it is made again
	wantHit(t, c.get("a"), body)
	c.close()
}

// overwrite changes what a file has, in place.
func overwrite(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.Chmod(path, 0o600); err != nil { // handed out: read-only
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0); err != nil {
		t.Fatal(err)
	}
}

// TestDamaged: every kind of damage below is a miss.
func TestDamaged(t *testing.T) {
	body := pattern(1000)
	for name, damage := range map[string]damaging{
		"the output is gone":      func(t *testing.T, _ *filestream.Cache, path string) { remove(t, path) },
		"the output is truncated": func(t *testing.T, _ *filestream.Cache, path string) { overwrite(t, path, body[:999]) },
		"the output is filled with zeros": func(t *testing.T, _ *filestream.Cache, path string) {
			overwrite(t, path, make([]byte, len(body)))
		},
		"the record is gone": func(t *testing.T, cache *filestream.Cache, _ string) {
			if err := cache.Delete(t.Context(), recordOf(t, cache)); err != nil {
				t.Fatal(err)
			}
		},
		"the record names nothing":                     record("short"),
		"the record names an output that is not there": record(string(digest([]byte("nothing")))),
	} {
		t.Run(name, func(t *testing.T) { damaged(t, body, damage) })
	}
}

// damaging damages what is stored; the output is at path.
type damaging func(t *testing.T, cache *filestream.Cache, path string)

// record replaces the record by one with another tag.
func record(tag string) damaging {
	return func(t *testing.T, cache *filestream.Cache, _ string) {
		entry := interfaces.Text("").WithHead(interfaces.Head{Tag: tag})
		if err := cache.Put(t.Context(), recordOf(t, cache), entry); err != nil {
			t.Fatal(err)
		}
	}
}

// damaged fails the test unless what is damaged is a miss, and can be made
// again.
func damaged(t *testing.T, body []byte, damage damaging) {
	for _, local := range []bool{true, false} {
		t.Run(fmt.Sprintf("local=%t", local), func(t *testing.T) {
			cache := disk(t, t.TempDir(), filestream.Options{})
			c := start(t, gocacheprog.Options{Open: opened(cache), Local: local})
			path := c.stored("a", body)
			wantHit(t, c.get("a"), body)
			damage(t, cache, path)
			wantMiss(t, c.get("a"))
			c.stored("a", body)
			wantHit(t, c.get("a"), body)
			c.close()
		})
	}
}

func remove(t testing.TB, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// recordOf returns the key of the only record: of the entry with a tag.
func recordOf(t testing.TB, cache *filestream.Cache) interfaces.Key {
	t.Helper()
	for key, err := range cache.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if head, err := cache.Stat(t.Context(), key); err == nil && head.Tag != "" {
			return key
		}
	}
	t.Fatal("there is no record")
	return interfaces.Key{}
}
