// SPDX-License-Identifier: Apache-2.0

// Package guard keeps a tier that waits for something else, such as another
// machine, from ever holding up who uses it. A [Cache] is put around the tier
// and has the tier's capabilities; Pather alone is left out, since files on
// this machine need no guard.
//
// # What it does
//
//   - Timeout: an operation, or a stream that is being read or written, that
//     does not move for so long is given up. The tier is told by its context and
//     not waited for.
//   - Budget: time during which callers wait for the tier without getting a hit
//     out of it, on the clock and not added up over callers; with
//     [Cache.Compare] also what hits take beyond what they save. When it is used
//     up, no caller waits for the tier any more. What a stack writes behind
//     nobody waits for.
//   - Concurrency, Bytes: how much goes on at the same time. An operation that
//     was given up counts until the tier lets go of it.
//   - Retries: what failed and may be well the next moment is asked once more,
//     after a short random pause, unless doing it twice is not doing it once:
//     Insert and Delete.
//   - Failures: after so many in a row, or when half of twenty or more within ten
//     seconds failed, the tier is left alone for Pause. Then one operation tries
//     it. Reads and writes are judged apart: a tier that is full is still read.
//
// Len and Clear, which walk over all entries, have no Timeout; Ping is let
// through whatever the budget and the breaker say.
//
// # Errors
//
// What a guard refuses or gives up is a [*cacheerr.BackendNotAvailableError]
// with one of its Reasons. Everything else is the tier's own.
//
// # Concurrency
//
// All methods may be called by many goroutines. The tier is called, and calls
// back, in a goroutine of the guard's own.
package guard

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// The reasons of what a guard refuses or gives up.
const (
	NoAnswer   = "no answer in time"
	BudgetUsed = "budget used up"
	TooBusy    = "too busy"
	LeftAlone  = "left alone after failures"
)

// Options are the limits of a guard. The zero value has the defaults.
type Options struct {
	// Name is what errors and events call the tier; "" means remote.
	Name string
	// Timeout is for how long an operation or stream may not move; 0 means 2 s.
	Timeout time.Duration
	// Budget is how long callers may wait in vain, all in all; 0 means 5 s, less
	// than 0 not at all.
	Budget time.Duration
	// BudgetShare is the part of the time since New that Budget is at least; 0
	// means 0.05, less than 0 none.
	BudgetShare float64
	// Concurrency is how many operations may be under way; 0 means 16.
	Concurrency int
	// Bytes is how many bytes of bodies may be on their way into the tier; a
	// stream counts as 1 MiB at most, a body that is larger than all of it waits
	// until it is alone; 0 means 64 MiB.
	Bytes int64
	// Retries is how often a failed operation is tried again; 0 means 1, less
	// than 0 never.
	Retries int
	// Failures is how many failures in a row have the tier left alone; 0 means
	// 5, less than 0 any number.
	Failures int
	// Pause is for how long it is left alone; 0 means 5 s.
	Pause time.Duration
	// Observer is told of waits and retries; nil means nobody is.
	Observer tiers.Observer
}

// withDefaults returns o with what 0 stands for.
func (o Options) withDefaults() Options {
	o.Name = cmp.Or(o.Name, "remote")
	o.Timeout = cmp.Or(o.Timeout, 2*time.Second)
	o.Budget = cmp.Or(o.Budget, 5*time.Second)
	o.BudgetShare = cmp.Or(o.BudgetShare, 0.05)
	o.Concurrency = cmp.Or(o.Concurrency, 16)
	o.Bytes = cmp.Or(o.Bytes, 64<<20)
	o.Retries = cmp.Or(o.Retries, 1)
	o.Failures = cmp.Or(o.Failures, 5)
	o.Pause = cmp.Or(o.Pause, 5*time.Second)
	return o
}

// Cache is a tier and the guard around it. Make one with [New].
type Cache struct {
	tier          interfaces.Cache
	opts          Options
	meter         *meter
	reads, writes *breaker
	slots, bytes  *semaphore.Weighted
	closed        atomic.Bool
}

var (
	_ interfaces.Inserter    = (*Cache)(nil)
	_ interfaces.Deleter     = (*Cache)(nil)
	_ interfaces.Statter     = (*Cache)(nil)
	_ interfaces.Lener       = (*Cache)(nil)
	_ interfaces.Clearer     = (*Cache)(nil)
	_ interfaces.Lister      = (*Cache)(nil)
	_ interfaces.BatchGetter = (*Cache)(nil)
	_ interfaces.BatchPutter = (*Cache)(nil)
	_ interfaces.Pinger      = (*Cache)(nil)
	_ interfaces.Consistent  = (*Cache)(nil)
	_ io.Closer              = (*Cache)(nil)
)

// New returns tier with a guard around it, which owns it from then on: closing
// the guard closes it. The time of a budget begins now.
func New(tier interfaces.Cache, opts Options) *Cache {
	opts = opts.withDefaults()
	return &Cache{
		tier: tier, opts: opts, meter: newMeter(opts),
		reads: newBreaker(opts), writes: newBreaker(opts),
		slots: semaphore.NewWeighted(int64(opts.Concurrency)), bytes: semaphore.NewWeighted(opts.Bytes),
	}
}

var errNil error = &cacheerr.BackendNotAvailableError{Tier: "guard", Err: errors.New("the *guard.Cache is nil; make one with guard.New")}

// check returns why the guard cannot be used, or nil.
func (c *Cache) check(ctx context.Context) error {
	switch {
	case c == nil:
		return errNil
	case c.closed.Load():
		return cacheerr.ErrClosed
	}
	return ctx.Err()
}

// away returns the error of what the guard refuses or gives up.
func (c *Cache) away(reason string, cause error) error {
	return &cacheerr.BackendNotAvailableError{Tier: c.opts.Name, Reason: reason, Err: cause}
}

// observe tells that something took d.
func (c *Cache) observe(op tiers.Op, result tiers.Result, d time.Duration) {
	if c.opts.Observer != nil {
		c.opts.Observer.Observe(tiers.Event{Op: op, Layer: c.opts.Name, Result: result, Duration: d})
	}
}

// Compare has waiting for a hit be in vain too, as far as it is longer than making
// the entries would have taken by their heads' Cost, if so many were made at the
// same time. A tier that has everything and is slow is then not waited for longer
// than the budget either. It is for those who can do without the tier; 0, as at
// first, means that a hit is worth any time.
func (c *Cache) Compare(makers int) { c.meter.compare(makers) }

// Charge counts what was before New: a build that had been under way for age, and
// had waited in vain for so long. So one of several processes has one budget. No
// observer is told.
func (c *Cache) Charge(vain, age time.Duration) { c.meter.charge(vain, age) }

// Waited returns how long callers have waited for the tier, on the clock: in
// vain, but for what was charged, and all in all.
func (c *Cache) Waited() (vain, all time.Duration) { return c.meter.totals() }

// Left returns how much of the budget is left, none at the least. A
// [tiers.Stack] asks for it when it is closed, so that what it writes behind does
// not make a build wait for longer than the budget either.
func (c *Cache) Left() time.Duration { return max(0, c.meter.left()) }

// Consistency implements [interfaces.Consistent]: that of the tier.
func (c *Cache) Consistency() interfaces.Consistency {
	if c == nil {
		return interfaces.ConsistencyUnknown
	}
	return interfaces.ConsistencyOf(c.tier)
}

// Connect has the tier make n connections ahead, if it can: nobody waits for
// them, and that they fail is told by the first operation.
func (c *Cache) Connect(ctx context.Context, n int) {
	tier, ok := c.tier.(interface {
		Connect(ctx context.Context, n int)
	})
	if !ok || c.check(ctx) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	tier.Connect(ctx, min(n, c.opts.Concurrency))
}

// Close closes the tier, for which it waits no longer than Timeout. A second
// Close does nothing.
func (c *Cache) Close() error {
	if c == nil || c.closed.Swap(true) {
		return nil
	}
	ended := make(chan error, 1)
	go func() { ended <- interfaces.Close(c.tier) }()
	timer := time.NewTimer(c.opts.Timeout)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		return c.away(NoAnswer, nil)
	}
}
