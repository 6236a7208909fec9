// SPDX-License-Identifier: Apache-2.0

package gocacheprog

import "github.com/tiercecache/tierce/tiers"

// Entries returns an observer for the stack under a [Server] that hands on what
// counts beside the server's own events, so that one request of the go command
// is one event of the whole and one of each tier that was asked: not the
// events of the stack as a whole, and of records only the misses and failures.
func Entries(next tiers.Observer) tiers.Observer { return entries{next} }

type entries struct{ next tiers.Observer }

// Observe implements [tiers.Observer].
func (e entries) Observe(event tiers.Event) {
	// Only records have tags, and only they are asked for with Stat.
	if event.Layer == "" || event.Tag != "" && event.Err == nil {
		return
	}
	if event.Op == tiers.OpStat {
		event.Op = tiers.OpGet
	}
	e.next.Observe(event)
}
