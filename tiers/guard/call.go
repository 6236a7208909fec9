// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tiercecache/tierce/tiers"
)

// kind is what a guard has to know of an operation.
type kind struct {
	op      tiers.Op
	breaker *breaker      // nil: let through whatever happened before, and not measured
	timeout time.Duration // 0: none
	retries int
	weight  int64 // bytes on their way into the tier
	batch   bool  // it tells of each key what became of it, and fails for none
}

// call is one operation under way. It is the context that the tier gets: that
// of the caller, ended when the tier has not moved for too long. Its Deadline is
// put off when the tier moves.
type call struct {
	context.Context
	cancel context.CancelCauseFunc
	guard  *Cache
	kind   kind
	caller context.Context
	wait   *wait // nil if nobody waits, or waiting is free
	done   func(verdict error)
	moved  atomic.Int64 // when the tier last moved: a time since the meter began
	over   atomic.Bool  // answered or given up

	mu     sync.Mutex
	paused bool        // guarded by mu
	timer  *time.Timer // guarded by mu: nil without timeout

	fence  sync.Mutex // held while the caller's own code runs in the tier's goroutine
	cut    bool       // guarded by fence: it must not run any more
	called bool       // guarded by fence: it did
	hit    bool       // guarded by fence: the caller got something
	failed error      // guarded by fence: what the first key of a batch failed with
	own    error      // guarded by fence: what the caller's own code ended the operation with
	faulty bool       // guarded by fence: the caller's body failed
}

// The causes for which a call ends besides its caller's.
var (
	errStalled = errors.New("the tier does not move")
	errSpent   = errors.New("the budget is used up")
	errOver    = errors.New("the operation is over")
	errCut     = errors.New("the operation was given up")
	errGone    = errors.New("the tier's goroutine ended without an answer")
)

// begin returns a call that may go on, or why none may.
func (c *Cache) begin(ctx context.Context, k kind) (*call, error) {
	if err := c.check(ctx); err != nil {
		return nil, err
	}
	l := &call{guard: c, kind: k, caller: ctx}
	if l.measured() {
		if l.wait = c.meter.begin(); l.wait == nil {
			return nil, c.away(BudgetUsed, nil)
		}
	}
	done, ok := k.breaker.allow()
	if !ok {
		l.end(false)
		return nil, c.away(LeftAlone, k.breaker.cause())
	}
	l.done = done
	l.Context, l.cancel = context.WithCancelCause(ctx)
	l.start()
	if !l.enter() {
		err := l.reason(TooBusy)
		l.done(errNoVerdict)
		l.end(false)
		l.stop()
		return nil, err
	}
	return l, nil
}

// measured reports whether the time of the call is part of the budget.
func (l *call) measured() bool { return l.kind.breaker != nil && !tiers.Behind(l.caller) }

// enter waits for room, and reports whether there was some in time.
func (l *call) enter() bool {
	c := l.guard
	l.kind.weight = min(l.kind.weight, c.opts.Bytes)
	if l.kind.weight > 0 && c.bytes.Acquire(l, l.kind.weight) != nil {
		return false
	}
	if c.slots.Acquire(l, 1) != nil {
		c.bytes.Release(l.kind.weight)
		return false
	}
	return true
}

// leave makes room again.
func (l *call) leave() {
	l.guard.slots.Release(1)
	l.guard.bytes.Release(l.kind.weight)
}

// reason returns the error of a call that was ended before its time; stalled is
// what to call it if nothing moved.
func (l *call) reason(stalled string) error {
	switch {
	case l.caller.Err() != nil:
		return l.caller.Err()
	case context.Cause(l) == errSpent: //nolint:errorlint // never wrapped
		return l.guard.away(BudgetUsed, nil)
	}
	return l.guard.away(stalled, fmt.Errorf("for %v", l.kind.timeout))
}

// start lets the time run.
func (l *call) start() {
	if l.kind.timeout == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moved.Store(int64(l.guard.meter.now()))
	l.timer = time.AfterFunc(l.rest(), l.expire)
}

// rest returns how much longer the call may go on without moving.
func (l *call) rest() time.Duration {
	rest := time.Duration(l.moved.Load()) + l.kind.timeout - l.guard.meter.now()
	if l.wait != nil {
		rest = min(rest, l.guard.meter.left())
	}
	return rest
}

// expire ends the call, unless it has moved since, or some of the budget has
// come back.
func (l *call) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused {
		return
	}
	if rest := l.rest(); rest > 0 {
		l.timer.Reset(rest)
		return
	}
	cause := errStalled
	if l.wait != nil && l.guard.meter.left() <= 0 {
		cause = errSpent
	}
	l.cancel(cause)
}

// Deadline implements [context.Context]. Unlike that of others it is put off.
func (l *call) Deadline() (time.Time, bool) {
	theirs, has := l.Context.Deadline()
	if l.kind.timeout == 0 {
		return theirs, has
	}
	ours := l.guard.meter.began.Add(time.Duration(l.moved.Load()) + l.kind.timeout)
	if has && theirs.Before(ours) {
		return theirs, true
	}
	return ours, true
}

// pause stops the time while the caller's own code runs.
func (l *call) pause() {
	l.hold()
	l.tell(tiers.Waited, l.guard.meter.pause(l.wait))
}

// hold keeps the call from being ended.
func (l *call) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = true
	if l.timer != nil {
		l.timer.Stop()
	}
}

// resume lets it run again, from the beginning.
func (l *call) resume() {
	l.guard.meter.resume(l.wait)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = false
	l.moved.Store(int64(l.guard.meter.now()))
	if l.timer != nil {
		l.timer.Reset(l.rest())
	}
}

// end ends the wait.
func (l *call) end(hit bool) {
	more, vain := l.guard.meter.end(l.wait, !hit)
	l.tell(tiers.Waited, more)
	l.tell(tiers.InVain, vain)
}

// tell tells for how much longer callers have waited.
func (l *call) tell(how tiers.Result, more time.Duration) {
	if more > 0 {
		l.guard.observe(l.kind.op, how, more)
	}
}

// stop lets go of what a call needs.
func (l *call) stop() {
	l.hold()
	l.cancel(errOver)
}

// callers runs the caller's own code, while the time stands still. When the
// call was given up it does nothing.
func (l *call) callers(do func() error) error {
	l.fence.Lock()
	defer l.fence.Unlock()
	if l.cut {
		return errCut
	}
	l.called = true
	l.pause()
	defer l.resume()
	return do()
}

// abandon gives the call up, unless it has been answered: the caller's own code
// does not run any more.
func (l *call) abandon() bool {
	l.fence.Lock()
	defer l.fence.Unlock()
	l.cut = true
	return l.over.CompareAndSwap(false, true)
}

// answer is how an operation of the tier ended.
type answer[T any] struct {
	value    T
	err      error
	panicked any
}

// ask has run called in a goroutine of its own, and again while it fails in a
// way that may pass. It returns the answer, or gives it up; discard is called
// with an answer that comes too late. The caller stops the call that is
// returned, which is nil if there is an error.
func ask[T any](ctx context.Context, c *Cache, k kind, run func(*call) (T, error), discard func(T)) (T, *call, error) {
	var a answer[T]
	l, err := c.begin(ctx, k)
	if err != nil {
		return a.value, nil, err
	}
	answers := make(chan answer[T], 1)
	go func() {
		late := answer[T]{err: errGone}
		defer func() {
			l.leave()
			if late.panicked = recover(); l.over.CompareAndSwap(false, true) {
				answers <- late
			} else if late.err == nil {
				discard(late.value)
			}
		}()
		late.value, late.err = attempts(l, run)
	}()
	select {
	case a = <-answers:
	case <-l.Done():
		if l.abandon() {
			a.err = l.reason(NoAnswer)
		} else {
			a = <-answers
		}
	}
	return conclude(l, a)
}

// conclude ends the wait for an answer and tells the breaker.
func conclude[T any](l *call, a answer[T]) (T, *call, error) {
	l.fence.Lock()
	defer l.fence.Unlock()
	switch {
	case l.own != nil:
		a.err = l.own
	case a.err != nil && (l.Err() != nil || errors.Is(a.err, context.DeadlineExceeded)): // a connection may notice first
		a.err = l.reason(NoAnswer) // whatever the tier made of it
	}
	failed := a.err
	if failed == nil && !l.hit {
		failed = l.failed
	}
	judged := verdict(l.caller, failed)
	if l.own != nil || l.faulty {
		judged = errNoVerdict
	}
	l.done(judged)
	l.end(l.hit || a.err == nil && l.kind.breaker == l.guard.reads && !l.kind.batch)
	if a.panicked != nil {
		l.stop()
		panic(a.panicked)
	}
	if a.err != nil {
		l.stop()
		return a.value, nil, a.err
	}
	return a.value, l, nil
}

// longestPause is the longest pause before an operation is tried again.
const longestPause = 50 * time.Millisecond

// attempts runs run, and again while that may help.
func attempts[T any](l *call, run func(*call) (T, error)) (T, error) {
	for left := l.kind.retries; ; left-- {
		value, err := run(l)
		if left <= 0 || err == nil || !mayPass(err) || l.used() {
			return value, err
		}
		timer := time.NewTimer(rand.N(longestPause))
		select {
		case <-timer.C:
			l.guard.observe(l.kind.op, tiers.Retried, 0)
		case <-l.Done():
			timer.Stop()
			return value, err
		}
	}
}

// used reports whether the caller's own code has run, or must not run, so that
// the operation cannot be begun again.
func (l *call) used() bool {
	l.fence.Lock()
	defer l.fence.Unlock()
	return l.called || l.cut
}

// do is ask for an answer that is whole.
func do[T any](ctx context.Context, c *Cache, k kind, run func(*call) (T, error)) (T, error) {
	value, l, err := ask(ctx, c, k, run, func(T) {})
	if err == nil {
		l.stop()
	}
	return value, err
}
