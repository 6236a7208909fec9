// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// byKey sorts keys, for a test to compare.
func byKey(keys []interfaces.Key) []interfaces.Key {
	slices.SortFunc(keys, func(a, b interfaces.Key) int { return slices.Compare(a[:], b[:]) })
	return keys
}

// What could not be written behind is left to a later stack, each key once, and
// nothing else is.
func TestLeftover(t *testing.T) {
	for _, test := range []struct {
		name  string
		opts  tiers.Options
		onPut func(context.Context, interfaces.Key, interfaces.Entry) error
		left  []int // of six keys
	}{
		{"there was no time", tiers.Options{DrainTimeout: 2500 * time.Millisecond}, func(ctx context.Context, _ interfaces.Key, _ interfaces.Entry) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}, []int{2, 3, 4, 5}},
		{"there was no room", tiers.Options{QueueSize: 2, DrainTimeout: time.Minute}, func(context.Context, interfaces.Key, interfaces.Entry) error {
			<-time.After(time.Second)
			return nil
		}, []int{3, 4}}, // and 5, but there are no more than QueueSize
		{"the tier failed", tiers.Options{}, refuse, []int{0, 1, 2, 3, 4, 5}},
		{"the tier takes no such entry", tiers.Options{}, func(context.Context, interfaces.Key, interfaces.Entry) error {
			return &cacheerr.EntryTooLargeError{}
		}, nil},
		{"all went well", tiers.Options{}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls, got := 0, []interfaces.Key{}
				test.opts.Leftover = func(keys []interfaces.Key) { calls, got = calls+1, keys }
				b := newBehind(t, test.opts)
				b.far.onPut = test.onPut
				for i := range 6 {
					put(t, b, numbered(i), fmt.Sprint("body ", i))
					synctest.Wait()
				}
				_ = b.Close() // which says what was not drained
				var want []interfaces.Key
				for _, i := range test.left {
					want = append(want, numbered(i))
				}
				told := 0
				for _, line := range b.events.linesOf("far") {
					if line == "far close left" {
						told++
					}
				}
				if told != len(want) {
					t.Errorf("%d events of what is left over, want %d", told, len(want))
				}
				if calls != 1 || !slices.Equal(byKey(got), byKey(want)) {
					t.Errorf("%d keys are left over, in %d calls, want %d in one", len(got), calls, len(want))
				}
			})
		})
	}
}

// A key that failed once and was sent later is not left over.
func TestLeftoverIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := []interfaces.Key{{1}}
		b := newBehind(t, tiers.Options{Leftover: func(keys []interfaces.Key) { left = keys }})
		b.far.onPut = refuse
		put(t, b, numbered(0), "body")
		synctest.Wait()
		b.far.onPut = nil
		put(t, b, numbered(0), "body")
		b.close(t)
		if len(left) != 0 {
			t.Errorf("%d keys are left over, want none", len(left))
		}
	})
}

// A later stack sends what an earlier one has left; what has gone is skipped
// without a word.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far, seen := newFake(t), newFake(t), &events{}
		put(t, near.full, numbered(0), "body")
		left := []interfaces.Key{{1}}
		s, err := tiers.New(tiers.Options{
			Observer: seen, Leftover: func(keys []interfaces.Key) { left = keys },
			Resume: []interfaces.Key{numbered(0), numbered(1), numbered(0)},
		}, tiers.Layer{Name: "near", Tier: near}, tiers.Layer{Name: "far", Tier: far, Behind: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		want(t, far.full, numbered(0), "body")
		if n := far.puts.Load(); n != 1 {
			t.Errorf("%d Puts, want 1", n)
		}
		seen.want(t, "far behind stored")
		if len(left) != 0 {
			t.Errorf("%d keys are left over again, want none", len(left))
		}
	})
}

// A remote without room keeps what is sent to it again, which is not left over
// then.
func TestResumeOfWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := newFake(t), newFake(t)
		put(t, near.full, numbered(0), "body")
		put(t, far.full, numbered(0), "body")
		put(t, near.full, numbered(1), "new")
		put(t, far.full, numbered(1), "old")
		far.onPut = refuse
		var left []interfaces.Key
		s, err := tiers.New(tiers.Options{
			Leftover: func(keys []interfaces.Key) { left = keys },
			Resume:   []interfaces.Key{numbered(0), numbered(1)},
		}, tiers.Layer{Name: "near", Tier: near}, tiers.Layer{Name: "far", Tier: far, Behind: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		far.onPut = nil
		want(t, far.full, numbered(0), "body")
		wantMiss(t, far.full, numbered(1))
		if !slices.Equal(left, []interfaces.Key{numbered(1)}) {
			t.Errorf("%d keys are left over, want the second alone", len(left))
		}
	})
}

// An earlier stack's keys take up half of the queue, so that there is room for
// this one's.
func TestResumeLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := newFake(t), newFake(t)
		held := make(gate)
		far.onPut = func(ctx context.Context, _ interfaces.Key, _ interfaces.Entry) error {
			select {
			case <-held:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		var resume, left []interfaces.Key
		for i := range 10 {
			put(t, near.full, numbered(i), "body")
			resume = append(resume, numbered(i))
		}
		s, err := tiers.New(tiers.Options{QueueSize: 8, Workers: 1, Resume: resume, Leftover: func(keys []interfaces.Key) { left = keys }},
			tiers.Layer{Name: "near", Tier: near}, tiers.Layer{Name: "far", Tier: far, Behind: true})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for i := range 4 {
			put(t, s, numbered(20+i), "new")
		}
		held.open()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		for i := range 4 {
			want(t, far.full, numbered(20+i), "new")
		}
		if len(left) != 6 {
			t.Errorf("%d keys are left over again, want 6 of 10", len(left))
		}
	})
}

// How long Close had to drain is told: somebody waits for it.
func TestDrainIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBehind(t, tiers.Options{})
		b.hold()
		put(t, b, numbered(0), "body")
		if err := b.Close(); !errors.Is(err, tiers.ErrNotDrained) {
			t.Errorf("Close: %v, want ErrNotDrained", err)
		}
		for _, event := range b.events.seen {
			if event.Result == tiers.Waited && (event.Layer != "far" || event.Duration != tiers.DefaultDrainTimeout) {
				t.Errorf("event %+v, want far and %v", event, tiers.DefaultDrainTimeout)
			}
		}
		if !slices.Contains(b.events.lines(), "far close waited") {
			t.Error("no event says how long the drain took")
		}
	})
}
