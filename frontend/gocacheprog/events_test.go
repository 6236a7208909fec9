// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"errors"
	"os"
	"reflect"
	"sync"
	"testing"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/frontend/gocacheprog"
	"github.com/tiercecache/tierce/internal/faulttier"
	"github.com/tiercecache/tierce/memory"
	"github.com/tiercecache/tierce/tiers"
)

// recorder is an observer that remembers.
type recorder struct {
	mu     sync.Mutex
	events []tiers.Event
}

func (r *recorder) Observe(event tiers.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
}

func (r *recorder) all() []tiers.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]tiers.Event(nil), r.events...)
}

// results returns how the events of an operation of the whole ended.
func (r *recorder) results(op tiers.Op) []tiers.Result {
	var results []tiers.Result
	for _, e := range r.all() {
		if e.Op == op && e.Layer == "" {
			results = append(results, e.Result)
		}
	}
	return results
}

// TestEvents: one request is one event of the whole.
func TestEvents(t *testing.T) {
	for _, local := range []bool{true, false} {
		var events recorder
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		c := start(t, gocacheprog.Options{
			Open: opened(disk(t, t.TempDir(), filestream.Options{})), Local: local, Observer: &events, Clock: func() time.Time { return now },
		})
		c.get("a")
		now = now.Add(3 * time.Second)
		path := c.stored("a", pattern(100))
		c.get("a")
		c.stored("large", pattern(large))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		c.get("a")
		c.close()
		want := []tiers.Event{
			{Op: tiers.OpGet, Result: tiers.Miss, Reason: cacheerr.ReasonAbsent, Err: cacheerr.ErrMiss},
			{Op: tiers.OpPut, Result: tiers.Stored, Size: 100},
			{Op: tiers.OpGet, Result: tiers.Hit, Size: 100, Cost: 3 * time.Second},
			{Op: tiers.OpPut, Result: tiers.Stored, Size: large},
			{Op: tiers.OpGet, Result: tiers.Miss, Reason: cacheerr.ReasonAbsent, Err: cacheerr.ErrMiss},
		}
		if got := events.all(); !reflect.DeepEqual(got, want) {
			t.Errorf("local=%t: events\n%+v\nwant\n%+v", local, got, want)
		}
	}
}

// TestEntries: with the stack's own events filtered, the sum of a build is what
// the go command asked for, and each tier's part is what it was asked for.
func TestEntries(t *testing.T) {
	near, err := memory.New(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var counters tiers.Counters
	stack := stackOf(t, gocacheprog.Entries(&counters),
		tiers.Layer{Name: "memory", Tier: near}, tiers.Layer{Name: "disk", Tier: disk(t, t.TempDir(), filestream.Options{})})
	c := start(t, gocacheprog.Options{Open: opened(stack), Local: true, Observer: &counters})
	for _, action := range []string{"a", "b", "c"} {
		wantMiss(t, c.get(action))
	}
	c.stored("a", pattern(100))
	c.stored("b", pattern(2000))
	for range 4 {
		wantHit(t, c.get("a"), pattern(100))
	}
	wantHit(t, c.get("b"), pattern(2000))
	c.close()
	got := counters.Snapshot()
	want := tiers.Snapshot{
		Gets: 8, Hits: 5, Misses: 3, Puts: 2, HitBytes: 4*100 + 2000, PutBytes: 2100,
		MissReasons: tiers.MissReasons{Absent: 3},
	}
	tierCounts := got.Tiers
	got.Tiers, got.SecondsSaved = nil, 0 // tested in TestCost
	if !reflect.DeepEqual(got, want) {
		t.Errorf("counted\n%+v, want\n%+v", got, want)
	}
	for _, tier := range tierCounts {
		if tier.Name != "disk" {
			continue
		}
		if want := (tiers.TierSnapshot{Name: "disk", Hits: 5, Misses: 3, Puts: 2}); tier != want {
			t.Errorf("of the disk tier:\n%+v, want\n%+v", tier, want)
		}
	}
}

// TestTouch: the records of hits count as used, so that they stay as long as
// their outputs.
func TestTouch(t *testing.T) {
	used := faulttier.New(disk(t, t.TempDir(), filestream.Options{}))
	c := start(t, gocacheprog.Options{Open: opened(used), Local: true})
	c.stored("a", pattern(10))
	c.stored("b", pattern(20))
	wantMiss(t, c.get("c"))
	wantHit(t, c.get("a"), pattern(10))
	c.close()
	before := used.Count(faulttier.Path)
	c.server.Finish(t.Context())
	if got := used.Count(faulttier.Path) - before; got != 1 {
		t.Errorf("%d records were used, want the one of the hit", got)
	}
	c.server.Finish(t.Context())
	if got := used.Count(faulttier.Path) - before; got != 1 {
		t.Errorf("the second Touch used %d records, want none", got-1)
	}
	none := start(t, gocacheprog.Options{Open: failing(errors.New("no")), Warn: func(string) {}})
	none.close()
	none.server.Finish(t.Context())
}

// TestEntriesPassesOn: what the filter keeps and drops.
func TestEntriesPassesOn(t *testing.T) {
	failed := &cacheerr.BackendExecutionError{Tier: "disk"}
	for name, test := range map[string]struct {
		event tiers.Event
		want  bool
	}{
		"the stack as a whole":      {tiers.Event{Op: tiers.OpGet, Result: tiers.Hit}, false},
		"an output's hit":           {tiers.Event{Op: tiers.OpPath, Layer: "disk", Result: tiers.Hit}, true},
		"a record's hit":            {tiers.Event{Op: tiers.OpPath, Layer: "disk", Result: tiers.Hit, Tag: "x"}, false},
		"a record's put":            {tiers.Event{Op: tiers.OpPut, Layer: "disk", Result: tiers.Stored, Tag: "x"}, false},
		"a record's put that fails": {tiers.Event{Op: tiers.OpPut, Layer: "disk", Result: tiers.Failed, Tag: "x", Err: failed}, true},
		"a miss":                    {tiers.Event{Op: tiers.OpPath, Layer: "disk", Result: tiers.Miss}, true},
		"a failure":                 {tiers.Event{Op: tiers.OpPath, Layer: "disk", Result: tiers.Failed, Err: failed}, true},
	} {
		var events recorder
		gocacheprog.Entries(&events).Observe(test.event)
		if got := len(events.all()) == 1; got != test.want {
			t.Errorf("%s: passed on %t, want %t", name, got, test.want)
		}
	}
}
