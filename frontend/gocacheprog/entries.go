// SPDX-License-Identifier: Apache-2.0

package gocacheprog

import (
	"errors"
	"sync/atomic"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/tiers"
)

// Entries returns an observer for the stack under a [Server] that hands on what
// counts beside the server's own events, so that one request of the go command
// is one event of the whole and one of each tier that was asked: not the
// events of the stack as a whole, and of records only the misses and failures.
func Entries(next tiers.Observer) *EntryObserver { return &EntryObserver{next: next} }

// EntryObserver is what [Entries] returns.
type EntryObserver struct {
	next     tiers.Observer
	failures atomic.Int64          // of tiers
	refusal  atomic.Pointer[error] // why a tier kept nothing, the last time
}

// ill returns a number that grows when a tier fails.
func (e *EntryObserver) ill() int64 {
	if e == nil {
		return 0
	}
	return e.failures.Load()
}

// reason returns why a put ended with err. If a tier without paths was the only
// one to take the entry, err says no more than that there is no path: the reason
// is then that of the tier that did not take it.
func (e *EntryObserver) reason(err error) error {
	if e == nil || !errors.Is(err, cacheerr.ErrMiss) {
		return err
	}
	if refusal := e.refusal.Load(); refusal != nil {
		return *refusal
	}
	return err
}

// Observe implements [tiers.Observer].
func (e *EntryObserver) Observe(event tiers.Event) {
	if event.Result == tiers.Failed && event.Layer != "" {
		e.failures.Add(1)
	}
	if err := event.Err; err != nil && event.Op == tiers.OpPut && event.Layer != "" &&
		(event.Result == tiers.Failed || errors.Is(err, cacheerr.ErrReadOnly)) {
		e.refusal.Store(&err)
	}
	// Only records have tags, and only they are asked for with Stat.
	if event.Layer == "" || event.Tag != "" && event.Err == nil {
		return
	}
	if event.Op == tiers.OpStat {
		event.Op = tiers.OpGet
	}
	e.next.Observe(event)
}
