// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"errors"
	"maps"
	"strings"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// RemoteSnapshot is what was counted besides of a layer that waits for another
// machine.
type RemoteSnapshot struct {
	HitBytes      int64            `json:"hit_bytes"`      // bytes of the bodies of its hits
	WaitedSeconds float64          `json:"waited_seconds"` // how long callers waited for it, on the clock
	Retries       int64            `json:"retries"`        // operations that were tried again
	Dropped       int64            `json:"dropped"`        // entries that were not written behind
	Left          int64            `json:"left"`           // entries that are left to a later stack
	Ill           map[string]int64 `json:"ill"`            // failed operations by reason; never nil

	// VainSeconds is the part of WaitedSeconds from which nothing came.
	VainSeconds float64 `json:"waited_in_vain_seconds"`
}

// add returns the sum of two, each of which may be nil.
func (r *RemoteSnapshot) add(other *RemoteSnapshot) *RemoteSnapshot {
	switch {
	case r == nil && other == nil:
		return nil
	case r == nil:
		r = &RemoteSnapshot{}
	case other == nil:
		other = &RemoteSnapshot{}
	}
	sum := RemoteSnapshot{
		HitBytes: r.HitBytes + other.HitBytes, WaitedSeconds: r.WaitedSeconds + other.WaitedSeconds,
		Retries: r.Retries + other.Retries, Dropped: r.Dropped + other.Dropped, Left: r.Left + other.Left, Ill: make(map[string]int64),
		VainSeconds: r.VainSeconds + other.VainSeconds,
	}
	maps.Copy(sum.Ill, r.Ill)
	for reason, n := range other.Ill {
		count(sum.Ill, reason, n)
	}
	return &sum
}

// Reasons of failures that have none of their own, and of those beyond the first
// few that differ.
const (
	notAvailable = "not available"
	failedSo     = "failed"
	otherwise    = "other"
)

// maxReasons is how many reasons are told apart.
const maxReasons = 16

// count adds n to the number of failures for a reason.
func count(ill map[string]int64, reason string, n int64) {
	if _, known := ill[reason]; !known && len(ill) >= maxReasons {
		reason = otherwise
	}
	ill[reason] += n
}

// failed counts a failure of the layer.
func (l *layerCounters) failed(err error) {
	reason := reasonOf(err)
	l.illMu.Lock()
	defer l.illMu.Unlock()
	if l.ill == nil {
		l.ill = make(map[string]int64)
	}
	count(l.ill, reason, 1)
}

// reasonOf returns the few words that say why a tier failed. What a tier advises
// behind a semicolon is left out.
func reasonOf(err error) string {
	reason := failedSo
	if ill, ok := errors.AsType[*cacheerr.BackendExecutionError](err); ok && ill.Reason != "" {
		reason = ill.Reason
	}
	if away, ok := errors.AsType[*cacheerr.BackendNotAvailableError](err); ok {
		reason = away.Reason
		if reason == "" {
			reason = notAvailable
		}
	}
	reason, _, _ = strings.Cut(reason, ";")
	return cacheerr.Shorten(reason)
}

// snapshot returns what was counted of a remote layer, nil of another.
func (l *layerCounters) snapshot() *RemoteSnapshot {
	if !l.remote.Load() {
		return nil
	}
	l.illMu.Lock()
	defer l.illMu.Unlock()
	ill := make(map[string]int64)
	maps.Copy(ill, l.ill)
	return &RemoteSnapshot{
		HitBytes: l.hitBytes.Load(), WaitedSeconds: time.Duration(l.waited.Load()).Seconds(),
		Retries: l.retries.Load(), Dropped: l.dropped.Load(), Left: l.left.Load(), Ill: ill,
		VainSeconds: time.Duration(l.vain.Load()).Seconds(),
	}
}
