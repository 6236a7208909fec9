// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// gate holds up whoever passes until it is opened.
type gate chan struct{}

func (g gate) pass() { <-g }

// open lets everybody pass, from now on, once all goroutines of the bubble
// that can go no further have come to a halt.
func (g gate) open() {
	synctest.Wait()
	close(g)
}

// TestSingleFlight has a thousand goroutines get one key that only the far
// layer has, which does not answer before all of them wait.
func TestSingleFlight(t *testing.T) {
	key := keyOf("key")
	for _, test := range []struct {
		name    string
		body    string
		prepare func(r *rig)
		callers int
		fetches int64
		err     error
	}{
		{"text", "body", func(r *rig) { r.far.streams = false }, 1000, 1, nil},
		{"a small stream", "body", func(*rig) {}, 1000, 1, nil},
		{"a large stream", large, func(*rig) {}, 1000, 1, nil},
		{"a small stream that no nearer layer takes", "body", func(r *rig) { r.near.onPut, r.middle.onPut = refuse, refuse }, 1000, 1, nil},
		{"a large stream that no nearer layer takes", large, func(r *rig) { r.near.onPut, r.middle.onPut = refuse, refuse }, 20, 20, nil},
		{"a miss", "body", func(r *rig) {
			_ = r.far.full.Delete(context.Background(), key)
			r.middle.onGet = func(context.Context, interfaces.Key) error { return errIll }
		}, 1000, 1, cacheerr.ErrMiss},
	} {
		t.Run("R15 "+test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				put(t, r.far, key, test.body)
				test.prepare(r)
				held := r.far.holdGets()
				for range test.callers {
					go func() {
						got, err := read(t, r, key)
						if !same(err, test.err) || err == nil && got != test.body {
							t.Errorf("Get: %d bytes and error %v, want %d bytes and error %v", len(got), err, len(test.body), test.err)
						}
					}()
				}
				held.open()
				synctest.Wait()
				for _, event := range r.events.seen {
					if event.Result == tiers.Miss && event.Layer == "" && event.Reason != cacheerr.ReasonIllTier {
						t.Fatalf("a caller's event gives the reason %q, want that a tier was ill", event.Reason)
					}
				}
				if got := r.far.gets.Load(); got != test.fetches {
					t.Errorf("the far layer was asked %d times, want %d", got, test.fetches)
				}
			})
		})
	}
}

// TestLateCaller is about one who asked layer 0 before a flight landed, and
// comes to begin one after it: layer 0 has the entry now.
func TestLateCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, key := newRig(t), keyOf("key")
		r.middle.onPut = refuse // so that only layer 0 can have it
		put(t, r.far, key, "body")
		late := r.near.holdAnswer()
		go want(t, r, key, "body")
		synctest.Wait()
		want(t, r, key, "body")
		late.open()
		synctest.Wait()
		if got := r.far.gets.Load(); got != 1 {
			t.Errorf("the far layer was asked %d times, want once", got)
		}
	})
}

func TestLeaderGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, key := newRig(t), keyOf("key")
		put(t, r.far, key, "body")
		r.far.onGet = func(ctx context.Context, _ interfaces.Key) error {
			if r.far.gets.Load() == 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if _, err := r.Get(ctx, key); !same(err, context.Canceled) {
				t.Errorf("the leader's Get: error %v, want context.Canceled", err)
			}
		}()
		synctest.Wait()
		var answered atomic.Int64
		for range 10 {
			go func() {
				want(t, r, key, "body")
				answered.Add(1)
			}()
		}
		impatient, leave := context.WithCancel(t.Context())
		go func() {
			if _, err := r.Get(impatient, key); !same(err, context.Canceled) {
				t.Errorf("a waiter's Get whose context ends: error %v, want context.Canceled", err)
			}
		}()
		synctest.Wait()
		leave()
		synctest.Wait()
		if n := answered.Load(); n != 0 {
			t.Errorf("%d waiters have an answer before there is one", n)
		}
		cancel()
		synctest.Wait()
		if n, gets := answered.Load(), r.far.gets.Load(); n != 10 || gets != 2 {
			t.Errorf("%d waiters have an answer after %d fetches, want 10 after 2", n, gets)
		}
	})
}

// TestLeaderPanics is about a tier that panics: nobody waits for ever.
func TestLeaderPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, key := newRig(t), keyOf("key")
		put(t, r.far, key, "body")
		held := make(gate)
		var calls atomic.Int64
		r.far.onGet = func(context.Context, interfaces.Key) error {
			if calls.Add(1) == 1 {
				held.pass()
				panic("on purpose")
			}
			return nil
		}
		go func() {
			defer func() { _ = recover() }()
			_, _ = r.Get(t.Context(), key)
			t.Error("R16 the tier's panic did not reach its caller")
		}()
		synctest.Wait()
		go want(t, r, key, "body")
		held.open()
		synctest.Wait()
	})
}

// change is what happens to an entry while it is being copied.
type change struct {
	name string
	do   func(ctx context.Context, r *rig) error
	want string // what is under the key after it, "" for a miss
}

// TestCopiesDoNotOutlive is about a Get that has fetched an entry and is about
// to copy it, or is copying it, when the entry is replaced or removed. When that
// returns, no layer may answer with the old one.
func TestCopiesDoNotOutlive(t *testing.T) {
	key := keyOf("key")
	changes := []change{
		{"Put", func(ctx context.Context, r *rig) error { return r.Put(ctx, key, interfaces.Text("new")) }, "new"},
		{"Delete", func(ctx context.Context, r *rig) error { return r.Delete(ctx, key) }, ""},
		{"Clear", func(ctx context.Context, r *rig) error { return r.Clear(ctx) }, ""},
		{"PutBatch", func(ctx context.Context, r *rig) error {
			return r.PutBatch(ctx, []interfaces.Item{{Key: key, Entry: interfaces.Text("new")}})
		}, "new"},
	}
	reads := map[string]func(ctx context.Context, r *rig) error{
		"Get": func(ctx context.Context, r *rig) error {
			entry, err := r.Get(ctx, key)
			return errors.Join(err, entry.Close())
		},
		"GetBatch": func(ctx context.Context, r *rig) error {
			return r.GetBatch(ctx, []interfaces.Key{key}, func(int, interfaces.Entry, error) error { return nil })
		},
	}
	for name, get := range reads {
		for _, change := range changes {
			t.Run(change.name+" after the fetch of a "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testFetched(t, get, change) })
			})
			t.Run(change.name+" while a "+name+" copies", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testCopying(t, get, change) })
			})
		}
	}
}

func testFetched(t *testing.T, get func(context.Context, *rig) error, change change) {
	r := newRig(t)
	put(t, r.far, keyOf("key"), "old")
	held := make(gate)
	r.far.afterGet = held.pass
	go func() {
		if err := get(t.Context(), r); err != nil {
			t.Errorf("reading: %v", err)
		}
	}()
	synctest.Wait()
	if err := change.do(t.Context(), r); err != nil {
		t.Errorf("%s: %v", change.name, err)
	}
	held.open()
	synctest.Wait()
	wantNow(t, r, keyOf("key"), change.want)
}

func testCopying(t *testing.T, get func(context.Context, *rig) error, change change) {
	r := newRig(t)
	put(t, r.far, keyOf("key"), "old")
	held := make(gate)
	r.near.onPut = func(context.Context, interfaces.Key, interfaces.Entry) error {
		if r.near.puts.Load() == 1 {
			held.pass()
		}
		return nil
	}
	go func() {
		if err := get(t.Context(), r); err != nil {
			t.Errorf("reading: %v", err)
		}
	}()
	synctest.Wait()
	go func() {
		if err := change.do(t.Context(), r); err != nil {
			t.Errorf("%s: %v", change.name, err)
		}
		wantNow(t, r, keyOf("key"), change.want)
	}()
	held.open()
	synctest.Wait()
	wantNow(t, r, keyOf("key"), change.want)
}

// TestRemovedWhileCopied is about the moment when a copy of a removed entry is
// there: Delete does not return before it has gone.
func TestRemovedWhileCopied(t *testing.T) {
	for name, remove := range map[string]func(context.Context, *rig) error{
		"Delete": func(ctx context.Context, r *rig) error { return r.Delete(ctx, keyOf("key")) },
		"Clear":  func(ctx context.Context, r *rig) error { return r.Clear(ctx) },
	} {
		t.Run("T4 "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, key := newRig(t), keyOf("key")
				put(t, r.far, key, "body")
				held := make(gate)
				r.near.afterPut = held.pass
				go want(t, r, key, "body")
				synctest.Wait()
				want(t, r.near.full, key, "body")
				returned := aside(t, func() error { return remove(t.Context(), r) })
				synctest.Wait()
				if returned.Load() {
					t.Errorf("%s returned while a copy of the entry was being made", name)
				}
				held.open()
				synctest.Wait()
				wantIn(t, r, key, "")
			})
		})
	}
}

// decides is a fake that decides an Insert.
type decides struct{ *fake }

func (d decides) Insert(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (bool, error) {
	return d.full.Insert(ctx, key, entry)
}

// TestSecondChangeWaits is about copies that are still being made, or removed
// again, when a second change comes, after a first that waits for them: the
// second waits too, and none of the copies is left.
func TestSecondChangeWaits(t *testing.T) {
	key := keyOf("key")
	for name, first := range map[string]func(t *testing.T, s *tiers.Stack){
		"Put": func(t *testing.T, s *tiers.Stack) { put(t, s, key, "new") },
		"an Insert that others won": func(t *testing.T, s *tiers.Stack) {
			put(t, s.Layers()[1].Tier, key, "another's")
			if inserted, err := s.Insert(t.Context(), key, interfaces.Text("new")); inserted || err != nil {
				t.Errorf("Insert: %t and error %v, want false", inserted, err)
			}
		},
	} {
		for how, remove := range map[string]func(context.Context, *tiers.Stack) error{
			"Delete": func(ctx context.Context, s *tiers.Stack) error { return s.Delete(ctx, key) },
			"Clear":  func(ctx context.Context, s *tiers.Stack) error { return s.Clear(ctx) },
		} {
			t.Run("T4 "+how+" after "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testSecondChange(t, first, remove) })
			})
		}
		t.Run("T4 Delete while copies are removed after "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testChangeWhileUndoing(t, first) })
		})
	}
}

// layered is a stack of four layers, the second of which decides. The farthest
// has an old entry, and the third holds up its first copy.
func layered(t *testing.T) (s *tiers.Stack, near, far *fake, held gate) {
	t.Helper()
	near, middle, far := newFake(t), newFake(t), newFar(t)
	s = newStack(t, tiers.Options{}, tiers.Layer{Name: "near", Tier: near}, tiers.Layer{Name: "decides", Tier: decides{newFake(t)}},
		tiers.Layer{Name: "middle", Tier: middle}, tiers.Layer{Name: "far", Tier: far})
	put(t, far, keyOf("key"), "old")
	held = make(gate)
	middle.onPut = func(context.Context, interfaces.Key, interfaces.Entry) error {
		if middle.puts.Load() == 1 {
			held.pass()
		}
		return nil
	}
	return s, near, far, held
}

func testSecondChange(t *testing.T, first func(*testing.T, *tiers.Stack), remove func(context.Context, *tiers.Stack) error) {
	key := keyOf("key")
	s, _, _, held := layered(t)
	go want(t, s, key, "old")
	synctest.Wait()
	go first(t, s)
	synctest.Wait()
	returned := aside(t, func() error { return remove(t.Context(), s) })
	synctest.Wait()
	if returned.Load() {
		t.Error("returned while a copy of the entry was being made")
	}
	held.open()
	synctest.Wait()
	wantMiss(t, s, key)
}

// aside has remove done beside the test, and returns what tells whether that has
// returned.
func aside(t *testing.T, remove func() error) (returned *atomic.Bool) {
	returned = new(atomic.Bool)
	go func() {
		if err := remove(); err != nil {
			t.Errorf("removing: %v", err)
		}
		returned.Store(true)
	}()
	return returned
}

// testChangeWhileUndoing has a Delete that comes to its end while who copied
// removes the copy in the nearest layer, which Delete had emptied before that.
func testChangeWhileUndoing(t *testing.T, first func(*testing.T, *tiers.Stack)) {
	key, deleting, undoing := keyOf("key"), make(gate), make(gate)
	s, near, far, held := layered(t)
	go want(t, s, key, "old")
	synctest.Wait()
	go first(t, s)
	synctest.Wait()
	far.onDelete = deleting.pass
	returned := aside(t, func() error { return s.Delete(t.Context(), key) })
	synctest.Wait()
	near.onDelete = undoing.pass
	held.open()
	deleting.open()
	synctest.Wait()
	if returned.Load() {
		t.Error("returned while a copy of the entry was being removed")
	}
	undoing.open()
	synctest.Wait()
	wantMiss(t, s, key)
}

// TestReadOnlyIsNotTouched is about a layer that must not be written to, among
// those whose copies have to go.
func TestReadOnlyIsNotTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, key := newRig(t, func(layers []tiers.Layer) { layers[1].ReadOnly = true }), keyOf("key")
		put(t, r.far, key, "body")
		held := make(gate)
		r.near.afterPut = held.pass
		go want(t, r, key, "body")
		synctest.Wait()
		go put(t, r, key, "new")
		held.open()
		synctest.Wait()
		if n := r.middle.puts.Load() + r.middle.deletes.Load(); n != 0 {
			t.Errorf("a read-only layer was written to %d times", n)
		}
	})
}

// TestNobodyJoinsTheRemoved is about one who asks for a key after it was
// removed, when somebody who asked before has not returned yet.
func TestNobodyJoinsTheRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, key := newRig(t), keyOf("key")
		put(t, r.far, key, "body")
		held := make(gate)
		r.far.afterGet = func() {
			if r.far.gets.Load() == 1 {
				held.pass()
			}
		}
		go want(t, r, key, "body")
		synctest.Wait()
		if err := r.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		wantMiss(t, r, key)
		held.open()
		synctest.Wait()
		wantIn(t, r, key, "")
	})
}

// wantNow fails the test unless every layer that has key has body, and the
// stack has it.
func wantNow(t *testing.T, r *rig, key interfaces.Key, body string) {
	t.Helper()
	for _, f := range []*fake{r.near, r.middle, r.far} {
		if got, err := read(t, f.full, key); err == nil && got != body {
			t.Errorf("a layer has %q, want %q or nothing", got, body)
		}
	}
	if body == "" {
		wantMiss(t, r.far.full, key)
		return
	}
	if got, err := read(t, r.far.full, key); err != nil || got != body {
		t.Errorf("the far layer: %q and error %v, want %q", got, err, body)
	}
}

// TestLayer0AsksNobody is about a hit in layer 0: the flight of the same key,
// which is stuck, is no concern of its.
func TestLayer0AsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, key := newRig(t), keyOf("key")
		put(t, r.far, key, "body")
		held := r.far.holdGets()
		go want(t, r, key, "body")
		synctest.Wait()
		put(t, r.near, key, "body")
		want(t, r, key, "body")
		held.open()
		synctest.Wait()
	})
}

// TestStress has goroutines do everything at once on few keys: every body is
// whole and belongs to its key.
func TestStress(t *testing.T) {
	near, middle, far := newFake(t), newFake(t), newFar(t)
	near.onPut = sometimes(3, spoil)
	middle.onPut = sometimes(5, refuse)
	far.onGet = func(context.Context, interfaces.Key) error {
		if far.gets.Load()%7 == 0 {
			return errIll
		}
		return nil
	}
	s := newStack(t, tiers.Options{Observer: &tiers.Counters{}, QueueSize: 4},
		tiers.Layer{Name: "near", Tier: near, MaxBody: 2000}, tiers.Layer{Name: "middle", Tier: middle},
		tiers.Layer{Name: "far", Tier: far}, tiers.Layer{Name: "behind", Tier: newFake(t), Behind: true})
	keys := make([]interfaces.Key, 5)
	for i := range keys {
		keys[i] = keyOf(string(rune('a' + i)))
	}
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 200 {
				stress(t, s, keys, worker+i, worker*31+i)
			}
		})
	}
	all.Wait()
}

// sometimes is do at every nth call, and nothing at others.
func sometimes(n int64, do func(context.Context, interfaces.Key, interfaces.Entry) error) func(context.Context, interfaces.Key, interfaces.Entry) error {
	var calls atomic.Int64
	return func(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
		if calls.Add(1)%n == 0 {
			return do(ctx, key, entry)
		}
		return nil
	}
}

func stress(t *testing.T, s *tiers.Stack, keys []interfaces.Key, which, what int) {
	t.Helper()
	ctx, key := t.Context(), keys[which%len(keys)]
	body := strings.Repeat(key.String(), 1+what%90)
	check := func(entry interfaces.Entry, err error) {
		got, readErr := entry.Bytes()
		_ = entry.Close()
		if err == nil && (readErr != nil || strings.Trim(string(got), key.String()) != "" || len(got)%64 != 0) {
			t.Errorf("a body of %d bytes that nobody put (error %v)", len(got), readErr)
		}
	}
	switch what % 8 {
	case 0:
		_ = s.Put(ctx, key, interfaces.Text(body))
	case 1:
		_ = s.Put(ctx, key, interfaces.Stream(onlyReader{strings.NewReader(body)}, int64(len(body))))
	case 2:
		_ = s.Delete(ctx, key)
	case 3:
		_, _ = s.Stat(ctx, key)
	case 4:
		_ = s.GetBatch(ctx, []interfaces.Key{key, key}, func(_ int, entry interfaces.Entry, err error) error {
			check(entry, err)
			return nil
		})
	default:
		check(s.Get(ctx, key))
	}
}
