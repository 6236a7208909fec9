// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"
	"errors"
	"slices"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// Observer is told what happens in a [Stack]: every statistic is made from it.
type Observer interface {
	// Observe is called by the goroutine that the event is about, as it
	// happens, by many at the same time: it must be quick, must not block and
	// must not call the Stack.
	Observe(event Event)
}

// Event is one thing that happened: to one layer, or to the stack as a whole,
// whose event comes last. It may be kept.
type Event struct {
	Op       Op              // what was going on
	Layer    string          // name of the layer, "" for the stack as a whole
	Remote   bool            // of OpOpen: what Layer.Remote says
	Key      interfaces.Key  // zero where the operation has none
	Result   Result          // how it ended
	Reason   cacheerr.Reason // why it was a Miss, else ""
	Size     int64           // of the entry, if known: bytes of its body; may be below 0 if not
	Cost     time.Duration   // of the entry, if known: what it took to make
	Tag      string          // of the entry, if known
	Duration time.Duration   // how long it took; 0 without [Options].Timed, but for Waited and InVain
	Err      error           // of Failed, Refused and Dropped, and of a Miss with a reason
}

// Op is what was going on when something happened.
type Op string

// The operations: those of the contract, and three of the Stack's own.
const (
	OpOpen     Op = "open" // one event for each layer, nearest first, from New
	OpGet      Op = "get"
	OpPut      Op = "put"
	OpInsert   Op = "insert"
	OpDelete   Op = "delete"
	OpStat     Op = "stat"
	OpPath     Op = "path"
	OpList     Op = "list"
	OpClear    Op = "clear"
	OpPing     Op = "ping"
	OpBehind   Op = "behind"   // a key on its way to the layers written behind
	OpPrefetch Op = "prefetch" // an entry brought near before it is asked for
	OpClose    Op = "close"
)

// Result is how something ended.
type Result string

// The results. Only Failed of a layer is a tier's failure.
const (
	Done     Result = "done"     // it worked and there is no better word
	Hit      Result = "hit"      // the entry was there
	Miss     Result = "miss"     // it was not, see Event.Reason
	Stored   Result = "stored"   // a Put or Insert kept the entry
	Kept     Result = "kept"     // an Insert found another entry, which stays
	Promoted Result = "promoted" // an entry of a farther layer was copied here
	Refused  Result = "refused"  // the layer takes no such entry: too large, read-only
	Dropped  Result = "dropped"  // an entry was not written behind, see Event.Err
	Failed   Result = "failed"   // see Event.Err
	Waited   Result = "waited"   // callers have waited for the layer's far end, see Event.Duration
	InVain   Result = "in vain"  // nothing came of a part of what was Waited
	Retried  Result = "retried"  // the far end was asked once more
	Left     Result = "left"     // an entry was not written behind, and is left to a later stack
)

// begin returns the time if durations are asked for.
func (s *Stack) begin() time.Time {
	if !s.timed {
		return time.Time{}
	}
	return s.clock()
}

// observe hands event to the observer, if there is one.
func (s *Stack) observe(event Event) {
	if s.observer != nil {
		s.observer.Observe(event)
	}
}

// tell completes event with how it ended and how long it took, and hands it to
// the observer. A caller that gave up is no layer's failure: of a layer nothing
// is told then.
func (s *Stack) tell(ctx context.Context, event Event, start time.Time, err error) {
	if s.observer == nil {
		return
	}
	switch {
	case err == nil:
	case err == cacheerr.ErrMiss: //nolint:errorlint // the usual answer, told without a walk
		event.Result, event.Reason = Miss, cacheerr.ReasonAbsent
	case errors.Is(err, cacheerr.ErrMiss):
		event.Result, event.Reason, event.Err = Miss, cacheerr.MissReason(err), err
	case event.Layer != "" && ctx.Err() != nil:
		return
	case refused(err):
		event.Result, event.Err = Refused, err
	default:
		event.Result, event.Err = Failed, err
	}
	if s.timed {
		event.Duration = s.clock().Sub(start)
	}
	s.observer.Observe(event)
}

// about returns the event that an operation on the entry with head ended with
// result.
func about(op Op, layer string, key *interfaces.Key, result Result, head *interfaces.Head) Event {
	return Event{Op: op, Layer: layer, Key: *key, Result: result, Size: head.Size, Cost: head.Cost, Tag: head.Tag}
}

// tellHit tells of a hit, as tell does, on the path that must cost least.
func (s *Stack) tellHit(op Op, layer string, key *interfaces.Key, head *interfaces.Head, start time.Time) {
	event := about(op, layer, key, Hit, head)
	if s.timed {
		event.Duration = s.clock().Sub(start)
	}
	s.observer.Observe(event)
}

// refused reports whether whoever returned err is well, and would return it
// again.
func refused(err error) bool {
	if several, ok := errors.AsType[*cacheerr.TierFailures](err); ok {
		return !slices.ContainsFunc(several.Failures, func(f cacheerr.TierFailure) bool { return !refused(f.Err) })
	}
	if errors.Is(err, cacheerr.ErrReadOnly) || errors.Is(err, errSizeUnknown) {
		return true
	}
	_, ok := errors.AsType[cacheerr.UserError](err)
	return ok
}
