// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/tiercecache/tierce/cachetest"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// insert fails the test unless Insert reports inserted.
func insert(t *testing.T, c interfaces.Cache, key interfaces.Key, entry interfaces.Entry, inserted bool) {
	t.Helper()
	if got, err := interfaces.Insert(t.Context(), c, key, entry); err != nil || got != inserted {
		t.Errorf("Insert: %t and error %v, want %t", got, err, inserted)
	}
}

// threeLayers returns a disk-like layer between a memory-like one and a remote.
func threeLayers(t *testing.T) (near, disk, remote *cachetest.Full, layers []tiers.Layer) {
	t.Helper()
	near, disk, remote = cachetest.NewFull(t), cachetest.NewFull(t), cachetest.NewFull(t)
	return near, disk, remote, []tiers.Layer{{Name: "near", Tier: near}, {Name: "disk", Tier: disk}, {Name: "remote", Tier: remote}}
}

// TestInsert has a disk-like layer between a memory-like one and a remote.
func TestInsert(t *testing.T) {
	t.Run("T2 the winner's entry goes everywhere", testInsertEverywhere)
	t.Run("T3 R9 the remote decides", testInsertRemoteDecides)
	t.Run("what only nearer layers have is replaced", testInsertReplacesNearer)
	t.Run("R10 the disk decides before a remote that is read-only, behind or bare", testInsertDiskDecides)
	t.Run("a layer that cannot forget gets the winner's entry", testInsertCannotForget)
	t.Run("T3 a read-only layer before it hides it", testInsertHidden)
	t.Run("no other layer may decide when it fails", testInsertDeciderFails)
	t.Run("nobody decides", testInsertNobodyDecides)
	t.Run("a broken body inserts nothing and is no failure of the layer", testInsertBrokenBody)
}

func testInsertEverywhere(t *testing.T) {
	key := keyOf("key")
	near, disk, remote, layers := threeLayers(t)
	s := newStack(t, tiers.Options{}, layers...)
	insert(t, s, key, stream(strings.Repeat("long ", 1000)), true)
	for _, c := range []interfaces.Cache{near, disk, remote} {
		want(t, c, key, strings.Repeat("long ", 1000))
	}
}

func testInsertRemoteDecides(t *testing.T) {
	key := keyOf("key")
	near, disk, remote, layers := threeLayers(t)
	s := newStack(t, tiers.Options{}, layers...)
	put(t, remote, key, "winner")
	put(t, near, key, "ours")
	put(t, disk, key, "ours")
	insert(t, s, key, interfaces.Text("late"), false)
	want(t, s, key, "winner")
	want(t, near, key, "winner")
	want(t, disk, key, "winner")
}

func testInsertReplacesNearer(t *testing.T) {
	key := keyOf("key")
	near, _, _, layers := threeLayers(t)
	s := newStack(t, tiers.Options{}, layers...)
	put(t, near, key, "alone")
	insert(t, s, key, interfaces.Text("winner"), true)
	want(t, s, key, "winner")
	want(t, near, key, "winner")
}

func testInsertDiskDecides(t *testing.T) {
	key := keyOf("key")
	for name, change := range map[string]func(remote *tiers.Layer){
		"read-only": func(remote *tiers.Layer) { remote.ReadOnly = true },
		"behind":    func(remote *tiers.Layer) { remote.Behind = true },
		"bare":      func(remote *tiers.Layer) { remote.Tier = cachetest.Bare(remote.Tier) },
		"a bare stack": func(remote *tiers.Layer) {
			remote.Tier = newStack(t, tiers.Options{}, tiers.Layer{Name: "bare", Tier: cachetest.Bare(remote.Tier)})
		},
	} {
		_, disk, _, layers := threeLayers(t)
		change(&layers[2])
		s := newStack(t, tiers.Options{}, layers...)
		insert(t, s, key, interfaces.Text("winner"), true)
		insert(t, s, key, interfaces.Text("late"), false)
		if got, err := read(t, disk, key); err != nil || got != "winner" {
			t.Errorf("%s: the disk has %q (error %v), want the winner", name, got, err)
		}
	}
}

func testInsertCannotForget(t *testing.T) {
	key := keyOf("key")
	near, _, remote, layers := threeLayers(t)
	layers[0].Tier = cachetest.Bare(near)
	s := newStack(t, tiers.Options{}, layers...)
	put(t, remote, key, "winner")
	put(t, near, key, "ours")
	insert(t, s, key, interfaces.Text("late"), false)
	want(t, near, key, "winner")
}

func testInsertHidden(t *testing.T) {
	key := keyOf("key")
	near, _, remote, layers := threeLayers(t)
	layers[0].ReadOnly = true
	s := newStack(t, tiers.Options{}, layers...)
	put(t, near, key, "given")
	insert(t, s, key, interfaces.Text("late"), false)
	want(t, s, key, "given")
	wantMiss(t, remote, key)
}

func testInsertDeciderFails(t *testing.T) {
	key := keyOf("key")
	near, disk, remote, layers := threeLayers(t)
	layers[2].MaxBody = 3
	s := newStack(t, tiers.Options{}, layers...)
	got, err := s.Insert(t.Context(), key, interfaces.Text("body"))
	failures, ok := errors.AsType[*cacheerr.TierFailures](err)
	if got || !ok || len(failures.Failures) != 1 || failures.Failures[0].Tier != "remote" {
		t.Errorf("Insert: %t and error %v, want TierFailures of the remote", got, err)
	}
	for _, c := range []interfaces.Cache{near, disk, remote} {
		wantMiss(t, c, key)
	}
}

func testInsertNobodyDecides(t *testing.T) {
	key := keyOf("key")
	s := newStack(t, tiers.Options{}, tiers.Layer{Name: "bare", Tier: cachetest.Bare(cachetest.NewFull(t))},
		tiers.Layer{Name: "old", Tier: cachetest.NewFull(t), ReadOnly: true})
	if _, err := s.Insert(t.Context(), key, interfaces.Text("body")); !same(err, errors.ErrUnsupported) {
		t.Errorf("Insert: error %v, want errors.ErrUnsupported", err)
	}
	if got := s.Consistency(); got != interfaces.ConsistencyUnknown {
		t.Errorf("consistency %v, want unknown", got)
	}
}

func testInsertBrokenBody(t *testing.T) {
	key := keyOf("key")
	for _, body := range []string{"small", large} {
		_, _, remote, layers := threeLayers(t)
		seen := &events{}
		s := newStack(t, tiers.Options{Observer: seen}, layers...)
		_, err := s.Insert(t.Context(), key, interfaces.Stream(onlyReader{strings.NewReader(body)}, int64(len(body))+1))
		if err == nil {
			t.Error("Insert of half a body succeeds")
		}
		wantMiss(t, remote, key)
		seen.want(t, "stack insert failed")
	}
}

// heldDisk is a Full whose Gets have their answer and wait.
type heldDisk struct {
	*cachetest.Full
	afterGet func()
}

func (d heldDisk) Get(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	entry, err := d.Full.Get(ctx, key)
	d.afterGet()
	return entry, err
}

// TestWinnerStays is about another process that inserts into the layer that
// decides while this one copies what a farther layer has: the winner stays, and
// no nearer layer has anything else.
func TestWinnerStays(t *testing.T) {
	key := keyOf("key")
	for _, body := range []string{"far", large} {
		for name, get := range map[string]func(s *tiers.Stack) error{
			"Get": func(s *tiers.Stack) error { _, err := read(t, s, key); return err },
			"GetBatch": func(s *tiers.Stack) error {
				return s.GetBatch(t.Context(), []interfaces.Key{key}, func(int, interfaces.Entry, error) error { return nil })
			},
			"Path": func(s *tiers.Stack) error { wantPath(t, s, key, "winner"); return nil },
		} {
			t.Run(fmt.Sprintf("R9 %s, %d bytes", name, len(body)), func(t *testing.T) {
				near, decider, far, seen := newFake(t), cachetest.NewFull(t), newFar(t), &events{}
				put(t, far, key, body)
				far.afterGet = func() { insert(t, decider.Reopen(), key, interfaces.Text("winner"), true) }
				s := newStack(t, tiers.Options{Observer: seen}, tiers.Layer{Name: "near", Tier: near},
					tiers.Layer{Name: "disk", Tier: decider}, tiers.Layer{Name: "far", Tier: far, ReadOnly: true})
				if err := get(s); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				want(t, decider, key, "winner")
				wantMiss(t, near, key)
				far.afterGet = nil
				want(t, s, key, "winner")
				if got := seen.linesOf("disk"); !slices.ContainsFunc(got, func(line string) bool { return strings.HasSuffix(line, "kept") }) {
					t.Errorf("events of the disk %q, want one that says that it kept another", got)
				}
			})
		}
	}
}

// TestLoserSettlesCopies is about a Get that has fetched what the layer that
// decides had before, when Insert finds another entry there.
func TestLoserSettlesCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := keyOf("key")
		near, decider, held := newFake(t), cachetest.NewFull(t), make(gate)
		put(t, decider, key, "old")
		s := newStack(t, tiers.Options{}, tiers.Layer{Name: "near", Tier: near},
			tiers.Layer{Name: "disk", Tier: heldDisk{decider, held.pass}})
		go want(t, s, key, "old")
		synctest.Wait()
		put(t, decider.Reopen(), key, "winner") // by another process
		insert(t, s, key, interfaces.Text("late"), false)
		held.open()
		synctest.Wait()
		wantMiss(t, near, key)
		want(t, decider, key, "winner")
	})
}

// TestInsertRace has two stacks with a memory of their own and one remote, as
// two machines: all callers of both agree on one winner.
func TestInsertRace(t *testing.T) {
	remote := cachetest.NewFull(t)
	key := keyOf("key")
	var winners atomic.Int64
	var all sync.WaitGroup
	for range 2 {
		machine := newStack(t, tiers.Options{}, tiers.Layer{Name: "memory", Tier: cachetest.NewFull(t)},
			tiers.Layer{Name: "remote", Tier: remote.Reopen()})
		for i := range 8 {
			all.Go(func() {
				inserted, err := machine.Insert(context.Background(), key, interfaces.Text(strings.Repeat("x", i)))
				if err != nil {
					t.Errorf("Insert: %v", err)
				}
				if inserted {
					winners.Add(1)
				}
				got, err := read(t, machine, key)
				winner, winnerErr := read(t, remote, key)
				if err != nil || winnerErr != nil || got != winner {
					t.Errorf("R9 Get after Insert: %q and error %v, want the winner's %q (%v)", got, err, winner, winnerErr)
				}
			})
		}
	}
	all.Wait()
	if n := winners.Load(); n != 1 {
		t.Errorf("T2 %d winners, want 1", n)
	}
}

func TestInsertEvents(t *testing.T) {
	seen := &events{}
	s := newStack(t, tiers.Options{Observer: seen},
		tiers.Layer{Name: "near", Tier: cachetest.NewFull(t), MaxBody: 3}, tiers.Layer{Name: "far", Tier: cachetest.NewFull(t)})
	insert(t, s, keyOf("key"), interfaces.Text("body"), true)
	seen.want(t, "far insert stored", "near insert refused", "stack insert stored")
	insert(t, s, keyOf("key"), interfaces.Text("late"), false)
	seen.want(t, "far insert kept", "stack insert kept")
}
