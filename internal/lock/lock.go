// SPDX-License-Identifier: Apache-2.0

// Package lock has locks that can be waited for in three ways: [Forever], not
// at all ([Try]), or for a while ([For]); always only as long as the context
// lasts. A [Lock] is over names in this process ([Table.Lock]) or over files,
// between all processes of the machine ([Files]).
//
// A lock over several names takes them one by one in the order of their names,
// so that two holders never wait for each other; it lets go in reverse. Whoever
// takes a lock inside another keeps to one order too: names before files, since
// waiting for a name costs nothing and waiting for a file is polling.
package lock

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// Lock is one or several names or files that are taken together. It is a
// description: it holds nothing and may be used by many goroutines at the same
// time. One without names is always free.
type Lock struct {
	names []string // sorted, each once
	take  func(ctx context.Context, name string, until limit) (release func(), err error)
}

func newLock(names []string, take func(context.Context, string, limit) (func(), error)) Lock {
	slices.Sort(names)
	return Lock{names: slices.Compact(names), take: take}
}

// Acquire takes the lock, waiting as wait says, and returns what lets go of it:
// release may be called more than once, by any goroutine. A holder that
// acquires again waits for itself. On an error nothing is held and release is
// nil.
//
// A lock that is not free in time is a *cacheerr.LockTimeoutError or a
// *cacheerr.FileLockTimeoutError; a context that ends before or meanwhile is
// its error. [Files] says how files fail besides.
func (l Lock) Acquire(ctx context.Context, wait Wait) (release func(), err error) {
	var held []func()
	release = sync.OnceFunc(func() {
		for _, free := range slices.Backward(held) {
			free()
		}
	})
	until := wait.start()
	for _, name := range l.names {
		free, err := l.takeOne(ctx, name, until)
		if err != nil {
			release()
			return nil, err
		}
		held = append(held, free)
	}
	return release, nil
}

func (l Lock) takeOne(ctx context.Context, name string, until limit) (free func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return l.take(ctx, name, until)
}

// With acquires the lock, calls do, and lets go of it when do returns, panics
// or ends its goroutine. It returns the error of do, or that of [Lock.Acquire]
// without having called do.
func (l Lock) With(ctx context.Context, wait Wait, do func() error) error {
	release, err := l.Acquire(ctx, wait)
	if err != nil {
		return err
	}
	defer release()
	return do()
}

// DefaultWait is how long the zero [Wait] waits.
const DefaultWait = 60 * time.Second

// Wait says how long to wait for a lock that is taken. The zero value waits for
// [DefaultWait]. For several names it is the time for all of them together.
type Wait time.Duration

const (
	// Try does not wait at all.
	Try Wait = -1
	// Forever waits until the lock is free.
	Forever Wait = -2
)

// For returns a Wait for d; no time or less is [Try].
func For(d time.Duration) Wait {
	if d <= 0 {
		return Try
	}
	return Wait(d)
}

// limit is a Wait that has begun.
type limit struct {
	timeout time.Duration
	end     time.Time // zero: none
}

func (w Wait) start() limit {
	timeout := time.Duration(w)
	switch w {
	case Forever:
		return limit{}
	case Try:
		timeout = 0
	case 0:
		timeout = DefaultWait
	}
	return limit{timeout, time.Now().Add(timeout)}
}

// left returns how much longer to wait.
func (l limit) left() time.Duration {
	if l.end.IsZero() {
		return math.MaxInt64
	}
	return time.Until(l.end)
}
