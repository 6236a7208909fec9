// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/frontend/gocacheprog"
	"github.com/tiercecache/tierce/tiers"
)

// sizes are those at which something changes: no body in the stream, the
// padding of base64, the reader's buffer, and a body that goes to a file first.
var sizes = []int{0, 1, 2, 3, 4, 5, 6, 1000, 48<<10 - 1, 48 << 10, 64 << 10, 4<<20 - 1, 4 << 20, 4<<20 + 1, 20 << 20}

// TestRoundTrip is PROTOCOLS 1, DiskPath rules 1 and 2, for each way the body
// takes.
func TestRoundTrip(t *testing.T) {
	for _, local := range []bool{true, false} {
		for _, size := range sizes {
			t.Run(fmt.Sprintf("local=%t/%d", local, size), func(t *testing.T) { roundTrip(t, local, pattern(size)) })
		}
	}
}

func roundTrip(t *testing.T, local bool, body []byte) {
	t.Setenv("TMPDIR", t.TempDir())
	dir := t.TempDir()
	cache := disk(t, dir, filestream.Options{})
	options := gocacheprog.Options{Open: opened(cache), Local: local}
	c := start(t, options)
	wantMiss(t, c.get("a"))
	path := c.stored("a", body)
	wantHit(t, c.get("a"), body)
	c.close()
	if n := filesBelow(t, os.TempDir()); n != 0 {
		t.Errorf("%d temporary files are left", n)
	}
	if err := cache.Close(); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, body) // others read it when all of us have gone

	options.Open = opened(disk(t, dir, filestream.Options{}))
	c = start(t, options)
	wantHit(t, c.get("a"), body)
	wantMiss(t, c.get("b"))
	c.close()
}

// TestSharedOutput: one output of two actions is one file.
func TestSharedOutput(t *testing.T) {
	c := start(t, gocacheprog.Options{})
	body := pattern(100)
	first, second := c.stored("a", body), c.stored("b", body)
	if first != second {
		t.Errorf("paths %q and %q for one output, want one", first, second)
	}
	wantHit(t, c.get("a"), body)
	wantHit(t, c.get("b"), body)
	c.close()
}

// TestReplaced: an action that led to something else is what it led to last,
// and the file handed out before stays what it was.
func TestReplaced(t *testing.T) {
	c := start(t, gocacheprog.Options{})
	before, after := pattern(100), pattern(101)
	path := c.stored("a", before)
	c.stored("a", after)
	wantHit(t, c.get("a"), after)
	wantFile(t, path, before)
	c.close()
}

// TestTime is PROTOCOLS 1, Time matters.
func TestTime(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 1, 2, 4, 4, 5, 123456789, time.FixedZone("CET", 3600))
	options := gocacheprog.Options{Local: true, Open: opened(disk(t, dir, filestream.Options{})), Clock: func() time.Time { return at }}
	c := start(t, options)
	c.stored("a", pattern(10))
	c.close()

	put := at
	at = at.Add(time.Hour)
	options.Open = opened(disk(t, dir, filestream.Options{}))
	c = start(t, options)
	a := c.get("a")
	wantHit(t, a, pattern(10))
	if !a.Time.Equal(put) {
		t.Errorf("Time %v, want that of the put, %v", a.Time, put)
	}
	if want := `"Time":"2026-01-02T03:04:05.123456789Z"`; !strings.Contains(a.text, want) {
		t.Errorf("the answer is %s, want %s in it", a.text, want)
	}
	c.close()
}

// TestCost: what an action cost is the time between its missed get and its put,
// and a hit in a later build saves it.
func TestCost(t *testing.T) {
	for _, local := range []bool{true, false} {
		t.Run(fmt.Sprintf("local=%t", local), func(t *testing.T) {
			dir := t.TempDir()
			at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			options := gocacheprog.Options{Local: local, Open: opened(disk(t, dir, filestream.Options{})), Clock: func() time.Time { return at }}
			c := start(t, options)
			wantMiss(t, c.get("a"))
			at = at.Add(1500 * time.Millisecond)
			wantMiss(t, c.get("b"))
			at = at.Add(time.Second)
			c.stored("a", pattern(10)) // 2.5 s
			c.stored("b", pattern(20)) // 1 s
			c.stored("c", pattern(30)) // nobody asked for it: not known
			c.close()

			var counters tiers.Counters
			options.Open, options.Observer = opened(disk(t, dir, filestream.Options{})), &counters
			c = start(t, options)
			for _, action := range []string{"a", "c"} {
				if a := c.get(action); a.Miss {
					t.Errorf("get %s is a miss", action)
				}
			}
			if got := counters.Snapshot().SecondsSaved; got != 2.5 {
				t.Errorf("%v s saved by a and c, want 2.5", got)
			}
			if a := c.get("b"); a.Miss {
				t.Error("get b is a miss")
			}
			if got := counters.Snapshot().SecondsSaved; got != 3.5 {
				t.Errorf("%v s saved by all, want 3.5", got)
			}
			c.close()
		})
	}
}
