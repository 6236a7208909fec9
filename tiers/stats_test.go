// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tiercecache/tierce/cachetest"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// TestSnapshotJSON holds the form that scripts read.
func TestSnapshotJSON(t *testing.T) {
	snapshot := tiers.Snapshot{
		Gets: 1, Hits: 2, Misses: 3, Puts: 4, Errors: 5, HitBytes: 6, PutBytes: 7, SecondsSaved: 1.5,
		Tiers:       []tiers.TierSnapshot{{Name: "memory", Hits: 8, Misses: 9, Puts: 10, Errors: 11}},
		MissReasons: tiers.MissReasons{Absent: 12, Damaged: 13, Expired: 14, IllTier: 15},
		Promotions:  16, Dropped: 17, Unstored: 18, WaitedSeconds: 19.5,
	}
	const want = `{"gets":1,"hits":2,"misses":3,"puts":4,"errors":5,"hit_bytes":6,"put_bytes":7,"seconds_saved":1.5,` +
		`"tiers":[{"name":"memory","hits":8,"misses":9,"puts":10,"errors":11}],` +
		`"miss_reasons":{"absent":12,"damaged":13,"expired":14,"ill tier":15},"promotions":16,"dropped":17,"unstored":18,"waited_seconds":19.5}`
	got, err := json.Marshal(snapshot)
	if err != nil || string(got) != want {
		t.Errorf("JSON:\n%s (error %v), want\n%s", got, err, want)
	}
	var back tiers.Snapshot
	if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, snapshot) {
		t.Errorf("read back: %+v (error %v), want %+v", back, err, snapshot)
	}
	empty, err := json.Marshal(new(tiers.Counters).Snapshot())
	if err != nil || !bytes.Contains(empty, []byte(`"tiers":[]`)) {
		t.Errorf("JSON of nothing: %s (error %v), want an empty list of tiers", empty, err)
	}
}

func TestSnapshotAdd(t *testing.T) {
	one := tiers.Snapshot{Gets: 1, Hits: 1, Misses: 1, Puts: 1, Errors: 1, HitBytes: 1, PutBytes: 1, SecondsSaved: 0.5,
		Tiers:       []tiers.TierSnapshot{{"memory", 1, 1, 1, 1, nil}, {"disk", 1, 1, 1, 1, nil}},
		MissReasons: tiers.MissReasons{Absent: 1, Damaged: 1, Expired: 1, IllTier: 1}, Promotions: 1, Dropped: 1}
	two := one
	two.Tiers = []tiers.TierSnapshot{{"disk", 2, 2, 2, 2, nil}, {"redis", 3, 3, 3, 3, nil}}
	want := tiers.Snapshot{Gets: 2, Hits: 2, Misses: 2, Puts: 2, Errors: 2, HitBytes: 2, PutBytes: 2, SecondsSaved: 1,
		Tiers:       []tiers.TierSnapshot{{"memory", 1, 1, 1, 1, nil}, {"disk", 3, 3, 3, 3, nil}, {"redis", 3, 3, 3, 3, nil}},
		MissReasons: tiers.MissReasons{Absent: 2, Damaged: 2, Expired: 2, IllTier: 2}, Promotions: 2, Dropped: 2}
	if got := one.Add(two); !reflect.DeepEqual(got, want) {
		t.Errorf("sum: %+v, want %+v", got, want)
	}
	if one.Tiers[1].Hits != 1 {
		t.Error("Add has changed what it was called on")
	}
	if got := (tiers.Snapshot{}).Add(tiers.Snapshot{}); got.Tiers == nil {
		t.Error("the sum of nothing has null for tiers")
	}
}

func TestCounters(t *testing.T) {
	var count tiers.Counters
	near, far := newFake(t), newFar(t)
	s := newStack(t, tiers.Options{Observer: &count}, tiers.Layer{Name: "near", Tier: near}, tiers.Layer{Name: "far", Tier: far})
	entry := interfaces.Text("body")
	entry.Cost = 3 * time.Second / 2
	for _, name := range []string{"a", "b", "c"} {
		if err := s.Put(t.Context(), keyOf(name), entry); err != nil {
			t.Fatal(err)
		}
	}
	want(t, s, keyOf("a"), "body")                    // near
	wantMiss(t, s, keyOf("absent"))                   // both
	near.full.Damage(keyOf("b"))                      //
	want(t, s, keyOf("b"), "body")                    // far, promoted
	near.full.Damage(keyOf("c"))                      //
	far.full.Damage(keyOf("c"))                       //
	if _, err := read(t, s, keyOf("c")); err == nil { // neither
		t.Error("damage is a hit")
	}
	far.onGet = func(context.Context, interfaces.Key) error { return errIll }
	wantMiss(t, s, keyOf("absent"))
	far.onGet = func(context.Context, interfaces.Key) error { return cacheerr.ErrExpired }
	if _, err := read(t, s, keyOf("absent")); !same(err, cacheerr.ErrExpired) {
		t.Errorf("Get of an expired entry: %v", err)
	}
	if _, err := s.Stat(t.Context(), keyOf("a")); err != nil { // no Get
		t.Error(err)
	}
	if _, err := s.Stat(t.Context(), keyOf("nobody's")); err == nil { // nor this
		t.Error("Stat of an absent key")
	}
	got := count.Snapshot()
	wanted := tiers.Snapshot{Gets: 6, Hits: 2, Misses: 4, Puts: 3, Errors: 1, HitBytes: 8, PutBytes: 12, SecondsSaved: 3,
		Tiers:       []tiers.TierSnapshot{{"near", 1, 5, 4, 0, nil}, {"far", 1, 3, 3, 1, nil}},
		MissReasons: tiers.MissReasons{Absent: 1, Damaged: 3, Expired: 1, IllTier: 1}, Promotions: 1}
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("counted\n%+v, want\n%+v", got, wanted)
	}
}

// TestUnknownSize is about a layer that cannot tell how long a body was.
func TestUnknownSize(t *testing.T) {
	var count tiers.Counters
	s := newStack(t, tiers.Options{Observer: &count}, tiers.Layer{Name: "only", Tier: sick{cachetest.NewFull(t), []string{"Stat"}}})
	if err := s.Put(t.Context(), keyOf("key"), unsized("body")); err != nil {
		t.Fatal(err)
	}
	if got := count.Snapshot(); got.Puts != 1 || got.PutBytes != 0 {
		t.Errorf("%d puts of %d bytes, want 1 of 0", got.Puts, got.PutBytes)
	}
}

// TestCountersKnowEveryLayer from New on, nearest first, though nothing happens
// to them.
func TestCountersKnowEveryLayer(t *testing.T) {
	var count tiers.Counters
	newStack(t, tiers.Options{Observer: &count}, tiers.Layer{Name: "near", Tier: newFake(t)}, tiers.Layer{Name: "far", Tier: newFake(t)})
	if got := fmt.Sprint(count.Snapshot().Tiers); got != "[{near 0 0 0 0 <nil>} {far 0 0 0 0 <nil>}]" {
		t.Errorf("tiers %s, want both, with nothing", got)
	}
}

func TestCountersTogether(t *testing.T) {
	var count tiers.Counters
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 1000 {
				count.Observe(tiers.Event{Op: tiers.OpGet, Layer: fmt.Sprint(i % 3), Result: tiers.Hit, Size: 1})
				count.Observe(tiers.Event{Op: tiers.OpGet, Result: tiers.Hit, Size: 1})
			}
		})
	}
	all.Wait()
	got, hits := count.Snapshot(), int64(0)
	for _, tier := range got.Tiers {
		hits += tier.Hits
	}
	if len(got.Tiers) != 3 || hits != 8000 || got.Hits != 8000 || got.HitBytes != 8000 {
		t.Errorf("counted %+v, want 8000 hits in 3 tiers", got)
	}
}

func TestDurations(t *testing.T) {
	seen, now := &events{}, time.Unix(0, 0)
	s := newStack(t, tiers.Options{Observer: seen, Timed: true, Clock: func() time.Time { return now }},
		tiers.Layer{Name: "near", Tier: newFake(t)}, tiers.Layer{Name: "far", Tier: slow{newFake(t), func() { now = now.Add(time.Second) }}})
	put(t, s, keyOf("key"), "body")
	wantMiss(t, s, keyOf("absent"))
	var got []string
	for _, event := range seen.seen[2:] { // after those of New
		got = append(got, fmt.Sprint(event.Layer, " ", event.Duration))
	}
	if want := "near 0s, far 1s,  1s, near 0s, far 1s,  1s"; strings.Join(got, ", ") != want {
		t.Errorf("durations %q, want %q", strings.Join(got, ", "), want)
	}
}

// slow makes the time go by.
type slow struct {
	interfaces.Cache
	tick func()
}

func (s slow) Get(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	s.tick()
	return s.Cache.Get(ctx, key)
}

func (s slow) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	s.tick()
	return s.Cache.Put(ctx, key, entry)
}
