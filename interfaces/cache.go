// SPDX-License-Identifier: Apache-2.0

// Package interfaces is the contract of Tierce: what a cache is, and what it
// may be able to do besides.
//
// # Implementing a cache
//
// A cache has two methods, Get and Put. What Get returns, Put accepts, so that
// copying an entry from one cache to another is one line. Everything else is a
// capability: a small interface of its own, in a file of its own, with a
// package function that callers use instead of a type assertion.
//
//   - put-if-absent, which determinism stands on: implement [Inserter];
//   - removal: [Deleter], and [Clearer] for all entries at once;
//   - what is known of an entry without its body: [Statter];
//   - how many entries there are and which: [Lener], [Lister];
//   - bodies that are files on this machine: [Pather];
//   - many keys in one round trip: [BatchGetter], [BatchPutter];
//   - a far end that can be asked whether it is there: [Pinger];
//   - what concurrent callers may rely on: [Consistent];
//   - things to let go of: [io.Closer].
//
// A capability's method may return [errors.ErrUnsupported]: "as if I had not
// this capability". The package function then does what it does for a cache
// without it, so a wrapper can have every method and keep exactly the
// capabilities of what it wraps.
//
// # Duties
//
// A Get of an absent key returns the bare sentinel ErrMiss of package errors
// (imported as cacheerr); a damaged or expired entry is a miss with that
// reason; every other failure satisfies cacheerr.BackendError. Methods may be
// called by many goroutines at the same time, unless they say otherwise, and
// return soon after their context is cancelled, with its error.
//
// # Testing
//
// Package cachetest has the conformance suite: one call of cachetest.Run in a
// test of yours proves an implementation, with the capabilities that it has.
package interfaces

import "context"

// Cache is the contract: a place that keeps entries under keys.
//
// Nothing is promised to stay: a cache may drop any entry at any time. What it
// returns is always whole: the bytes that were put under that key, or a miss.
type Cache interface {
	// Get returns the entry under key. The caller closes it
	// ([Entry.Close]), also when it never reads the body.
	//
	// An absent key is cacheerr.ErrMiss; an entry that cannot be used is an
	// error for which errors.Is(err, cacheerr.ErrMiss) holds too. A tier
	// that is ill returns an error that satisfies cacheerr.BackendError.
	Get(ctx context.Context, key Key) (Entry, error)

	// Put keeps entry under key, replacing what is there. It reads the body
	// to its end and keeps no reference to the caller's memory; it does not
	// close the entry. A body that fails, or is shorter or longer than the
	// head says, or does not match the head's checksum, stores nothing and is
	// an error. Readers see the old entry or the new one, never a part.
	//
	// A zero Time means now; a zero Checksum is computed on the way; a Size
	// below zero means "until the end".
	Put(ctx context.Context, key Key, entry Entry) error
}
