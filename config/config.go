// SPDX-License-Identifier: Apache-2.0

// Package config makes a stack of tiers from a file, the environment and flags.
//
// # Sources
//
// Each may be missing, and later ones win: the defaults; the file; TIERCE_DIR,
// TIERCE_MAX_BYTES, TIERCE_MEMORY_MAX_BYTES, TIERCE_REDIS_URL and
// TIERCE_DETERMINISTIC_MODE, _TIER, _LEASE, _PREPOPULATE and _DUMP; the flags of
// the same last words, but for the URL. The file is the one that --config or TIERCE_CONFIG names, else
// tierce/tierce.yaml in the user's configuration directory. No project can
// redirect a user's cache: tierce.yaml is searched for in the working
// directory and upwards only if TIERCE_CONFIG is auto.
//
// # The file
//
// These are the defaults:
//
//	dir: ~/.cache/tierce     # the user's cache directory
//	tiers:                   # nearest first
//	  - type: memory
//	    name: memory         # what statistics call it; the type if left out
//	    max_body: 64KiB      # larger bodies go to the other tiers
//	    read_only: false     # never written to
//	    behind: false        # written in the background
//	    options:
//	      max_bytes: 256MiB
//	  - type: filestream
//	    options:
//	      max_bytes: 20GiB
//	      verify: first-read
//	      durability: none
//	      grace: 1h
//	record:
//	  mode: fast             # of commands and functions that are recorded
//
// Everything is optional but a tier's type. docs/configuration.md has all
// fields.
//
// # Errors
//
// Reading is strict: an unknown field, a bad unit, a value of the wrong type or
// a combination that cannot work is an [*Error], which says where it was
// written and what would be right.
//
// # Tiers of one's own
//
// A program that adds a tier to a [Registry] and hands that to the command is
// all it takes; see examples/customtier.
package config

import "time"

// Config is what was configured, with the defaults of everything but the tiers'
// own options: these are filled in by the tiers' factories. Make one with
// [Load]. It is not changed by its methods.
type Config struct {
	File   string // the file that was read, "" if none was
	Dir    string // Tierce's directory, absolute; it may not exist yet
	Tiers  []Tier // nearest first
	Queue  Queue  // of the tiers that are written behind
	Record Record // of commands and functions that are recorded

	lookup func(name string) (string, bool) // the environment, for secrets
	record *node                            // what sources say of Record; nil if none does
}

// Tier is what is configured of one tier, and the policy for its layer in the
// stack: see [github.com/tiercecache/tierce/tiers.Layer].
type Tier struct {
	Type     string // its name in the Registry
	Name     string // what statistics and errors call it
	ReadOnly bool   // nothing is written to it
	Behind   bool   // it is written to in the background
	MaxBody  int64  // the largest body in bytes that it is given; 0 means any
	Guard    *Guard // nil: as its type has it, see [Remote]

	written *written // nil if nothing was; behind a pointer, so that fmt prints no secret
}

// written is what a file says of a tier.
type written struct {
	tier    node // all of it, for places in messages
	options node // of it, with what a variable or flag says
}

func (t Tier) node() node {
	if t.written == nil {
		return node{}
	}
	return t.written.tier
}

func (t Tier) options() node {
	if t.written == nil {
		return node{}
	}
	return t.written.options
}

// Queue is what waits to be written behind. Zeros stand for the defaults of
// [github.com/tiercecache/tierce/tiers.Options].
type Queue struct {
	Size         int           // how many keys may wait
	Wait         bool          // a Put waits for room in place of dropping its key
	Workers      int           // how many keys are written at the same time
	DrainTimeout time.Duration // how long closing waits for the rest
}
