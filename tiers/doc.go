// SPDX-License-Identifier: Apache-2.0

// Package tiers puts caches in order. A [Stack] is layers, nearest first, and
// itself a cache, so that a stack can be a layer of another. It knows no
// concrete tier: everything goes through the contract of package interfaces,
// and what a layer cannot do the Stack does without it where that is possible.
//
//	s, err := tiers.New(tiers.Options{Observer: &counters},
//		tiers.Layer{Name: "memory", Tier: memory, MaxBody: 1 << 20},
//		tiers.Layer{Name: "disk", Tier: disk},
//		tiers.Layer{Name: "redis", Tier: remote, Behind: true},
//	)
//
// # Reading
//
// A Get asks the layers in order and copies a hit to the nearer ones. Layer 0
// is asked before anything else is done, so that its hits cost what it costs,
// and no allocation. Beyond it callers of one key share one fetch. A layer that
// is ill is passed over: it is visible in events and invisible in answers.
//
// # Writing
//
// A Put reads the body once. After it every layer that is written at once has
// the entry, or nothing under its key: never an older one. It fails only if no
// layer took the entry. Layers with Behind are written later: keys wait in a
// bounded queue, and workers of the Stack send what the nearest layer has then.
// Insert asks one layer, which decides for all.
//
// # Bodies
//
// Bodies of up to 256 KiB are held in memory while they go to several layers.
// A larger stream goes into one layer and is read again from there, so that
// memory stays bounded and what a Get returns is always whole: no stream that a
// failed copy has read from reaches a caller.
//
// # Concurrency
//
// Every method may be called by many goroutines at the same time, and Close
// beside them. Callers of different keys never wait for each other, but for
// room in the queue if Options say so. A copy that a Get makes never outlives a
// Put, Insert, Delete or Clear of its key: these wait until it is made and make
// an end of it. The only goroutines are the workers of the queue.
//
// # Errors
//
// A miss is cacheerr.ErrMiss, or says why. What several layers answered is a
// *cacheerr.TierFailures with the name of each. A closed Stack answers
// cacheerr.ErrClosed; a context that ends, its own error.
//
// # Statistics
//
// All are made from what an [Observer] is told. [Counters] counts it, and
// [Snapshot] is the sum as JSON.
package tiers
