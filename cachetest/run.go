// SPDX-License-Identifier: Apache-2.0

// Package cachetest is the conformance suite of [interfaces.Cache]: one call
// of [Run] proves a tier, a wrapper or a stack, with the capabilities that it
// has, and one call of [Bench] measures it.
//
//	func TestConformance(t *testing.T) {
//		cachetest.Run(t, cachetest.Config{
//			Open: func(t *testing.T) interfaces.Cache { return mytier.New(mytier.Options{}) },
//		})
//	}
//
// A wrapper runs it twice: over a [Full] cache, with every capability that
// there is, and over a [Bare] one, with none.
//
// The names of the sub-tests begin with the rows of BEHAVIOURS that they hold.
// A capability that a cache has not is logged by the sub-tests that would use
// it; Config.Require makes it a failure.
package cachetest

import (
	"sync/atomic"
	"testing"

	"github.com/tiercecache/tierce/interfaces"
)

// smallest is the least that MaxBody may be, in bytes: above a page, so that no
// behaviour is left out.
const smallest = 10_000

// Config says how to open the caches under test and how they differ from the
// ordinary one. Only Open must be set.
type Config struct {
	// Open returns a new, empty cache that shares nothing with any other. The
	// suite closes it, most often once, and reads or closes every entry before.
	// It is called several times, with the sub-test that uses the cache.
	Open func(t *testing.T) interfaces.Cache

	// Reopen opens the storage of closed again, which Open returned and the
	// suite has closed; the suite closes the new cache too. Nil means that
	// nothing outlives the process, so there is nothing to find again.
	Reopen func(t *testing.T, closed interfaces.Cache) interfaces.Cache

	// Damage changes a bit of the body that c keeps under key, behind its
	// back, so that its next Get must notice. Nil means that the test cannot
	// reach the bytes.
	Damage func(t *testing.T, c interfaces.Cache, key interfaces.Key)

	// MaxBody is the largest body worth trying, in bytes, at least 10,000; 0
	// means 8 MiB. A cache with a small cap refuses what another takes, and a
	// slow far end makes large bodies a matter of patience.
	MaxBody int64

	// MayForget says that a miss is a right answer at any time, because the
	// cap is small enough for the suite to reach it. Hits are checked as
	// always, and the cache must have some.
	MayForget bool

	// Require names the capabilities that the cache must have, as
	// [Capabilities] does. A wrapper requires those of what it wraps, since one
	// that it lost would otherwise only be logged.
	Require []string

	// Seed begins the random operations of the sub-test against a model; 0
	// takes another each time. The log of a failed one says which it was.
	Seed uint64
}

// Run tests the caches that cfg opens, each behaviour in a sub-test of its own.
//
// It counts goroutines and open files: nothing else may run beside it, so its
// caller must not be a parallel test.
func Run(t *testing.T, cfg Config) {
	t.Helper()
	if cfg.Open == nil {
		t.Fatal("cachetest.Config.Open is nil: nothing to test")
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 8 << 20
	}
	if cfg.MaxBody < smallest {
		t.Fatalf("cachetest.Config.MaxBody is %d, want at least %d", cfg.MaxBody, smallest)
	}
	var hits atomic.Int64
	ran := 0
	for _, test := range suite() {
		t.Run(test.name, func(t *testing.T) {
			ran++
			test.run(newSubject(t, &cfg, &hits))
		})
	}
	if ran == len(suite()) && hits.Load() == 0 {
		t.Error("not one hit in the whole suite: a cache that forgets everything is none")
	}
}

// test is one sub-test of the suite.
type test struct {
	name string
	run  func(*subject)
}

// suite returns the sub-tests, the simple ones first: where several fail, the
// first says most.
func suite() []test {
	return []test{
		{"T9 required capabilities", testRequired},
		{"T1 absent is a bare miss", testAbsent},
		{"T1 an empty body is a hit", testEmptyBody},
		{"T2 T3 Insert keeps the first", testInsert},
		{"T4 Put replaces", testReplace},
		{"T4 Delete", testDelete},
		{"T4 Len, List and Clear", testWhole},
		{"keys of any bytes", testKeys},
		{"bodies of every size and reader", testBodies},
		{"large body streamed", testLargeBody},
		{"F14 body from a file", testFileBody},
		{"F3 a bad body stores nothing", testBadBodies},
		{"the caller closes what it puts", testPutLeavesOpen},
		{"M5 no memory shared with the caller", testNoAliasing},
		{"head comes back", testHead},
		{"tag too long", testTagTooLong},
		{"checksum", testChecksum},
		{"what Get returns Put accepts", testCopy},
		{"two Gets are independent", testTwoGets},
		{"reading while the entry goes", testReadWhileGoing},
		{"M6 F12 one key, many goroutines", testOneKey},
		{"M6 F12 many keys, many goroutines", testManyKeys},
		{"T2 one winner of concurrent Inserts", testInsertRace},
		{"Stat", testStat},
		{"F1 Path", testPath},
		{"GetBatch", testGetBatch},
		{"F15 PutBatch", testPutBatch},
		{"Ping and Consistency", testPing},
		{"T7 damage is a miss", testDamage},
		{"entries outlive the cache", testReopen},
		{"T10 nil cache", testNil},
		{"T10 closed cache", testClosed},
		{"T10 cancelled context", testCancelled},
		{"T10 cancelled while the body is read", testCancelledBody},
		{"random operations against a model", testModel},
		{"nothing is left behind", testLeaks},
	}
}
