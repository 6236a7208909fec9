// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// Of a layer that waits for another machine more is counted: hits, bytes, time,
// and what was ill in words.
func TestCountersOfARemote(t *testing.T) {
	var count tiers.Counters
	near, far := newFake(t), newFar(t)
	s := newStack(t, tiers.Options{Observer: &count}, tiers.Layer{Name: "near", Tier: near}, tiers.Layer{Name: "far", Tier: far, Remote: true})
	put(t, far.full, keyOf("a"), "body")
	want(t, s, keyOf("a"), "body")
	for _, ill := range []error{
		&cacheerr.BackendNotAvailableError{Tier: "far", Reason: "connection refused"},
		&cacheerr.BackendNotAvailableError{Tier: "far", Reason: "connection refused", Err: errIll},
		&cacheerr.BackendNotAvailableError{Tier: "far"},
		&cacheerr.BackendExecutionError{Tier: "far", Op: "get", Reason: "the memory is full; raise maxmemory"},
		errors.New("something else"),
	} {
		far.onGet = func(context.Context, interfaces.Key) error { return ill }
		wantMiss(t, s, keyOf("b"))
	}
	count.Observe(tiers.Event{Op: tiers.OpGet, Layer: "far", Result: tiers.Waited, Duration: 1500 * time.Millisecond})
	count.Observe(tiers.Event{Op: tiers.OpGet, Layer: "far", Result: tiers.InVain, Duration: 500 * time.Millisecond})
	count.Observe(tiers.Event{Op: tiers.OpGet, Layer: "far", Result: tiers.Retried})
	count.Observe(tiers.Event{Op: tiers.OpBehind, Layer: "far", Result: tiers.Dropped})
	count.Observe(tiers.Event{Op: tiers.OpClose, Layer: "far", Result: tiers.Left})
	count.Observe(tiers.Event{Op: tiers.OpPut, Layer: "far", Result: tiers.Refused, Err: cacheerr.ErrReadOnly}) // so configured
	replica := &cacheerr.BackendExecutionError{Tier: "far", Op: "put", Reason: "a replica; ask its master", Err: cacheerr.ErrReadOnly}
	count.Observe(tiers.Event{Op: tiers.OpPut, Layer: "far", Result: tiers.Refused, Err: replica})
	got := count.Snapshot()
	wanted := &tiers.RemoteSnapshot{HitBytes: 4, WaitedSeconds: 1.5, Retries: 1, Dropped: 1, Left: 1, VainSeconds: 0.5, Ill: map[string]int64{
		"connection refused": 2, "not available": 1, "the memory is full": 1, "failed": 1, "a replica": 1,
	}}
	if got.Tiers[0].Remote != nil || !reflect.DeepEqual(got.Tiers[1].Remote, wanted) || got.WaitedSeconds != 1.5 {
		t.Errorf("counted %+v and %+v, %v s in all, want nothing, %+v and 1.5", got.Tiers[0].Remote, got.Tiers[1].Remote, got.WaitedSeconds, wanted)
	}
	text, err := json.Marshal(got.Tiers[1])
	const form = `{"name":"far","hits":1,"misses":0,"puts":0,"errors":5,"remote":{"hit_bytes":4,"waited_seconds":1.5,` +
		`"retries":1,"dropped":1,"left":1,"ill":{"a replica":1,"connection refused":2,"failed":1,"not available":1,"the memory is full":1},"waited_in_vain_seconds":0.5}}`
	if err != nil || string(text) != form {
		t.Errorf("JSON %s (error %v), want %s", text, err, form)
	}
	sum := got.Add(got).Tiers[1].Remote
	if sum.HitBytes != 8 || sum.WaitedSeconds != 3 || sum.VainSeconds != 1 || sum.Ill["connection refused"] != 4 || got.Tiers[1].Remote.Ill["connection refused"] != 2 {
		t.Errorf("twice that is %+v, want all of it doubled, and what was added unchanged", sum)
	}
	if one := (tiers.Snapshot{}).Add(got).Tiers[1].Remote; !reflect.DeepEqual(one, wanted) || one == got.Tiers[1].Remote {
		t.Errorf("nothing and that is %+v, want a copy of it", one)
	}
}

// A tier cannot fill the memory with reasons.
func TestReasonsAreFew(t *testing.T) {
	var count tiers.Counters
	count.Observe(tiers.Event{Op: tiers.OpOpen, Layer: "far", Remote: true, Result: tiers.Done})
	for i := range 1000 {
		count.Observe(tiers.Event{Op: tiers.OpGet, Layer: "far", Result: tiers.Failed,
			Err: &cacheerr.BackendNotAvailableError{Tier: "far", Reason: fmt.Sprint("reason ", i)}})
	}
	if ill := count.Snapshot().Tiers[0].Remote.Ill; len(ill) > 17 || ill["other"] != 1000-16 {
		t.Errorf("%d reasons, %d others, want 16 and the rest", len(ill), ill["other"])
	}
}
