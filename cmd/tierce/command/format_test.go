// SPDX-License-Identifier: Apache-2.0

package command_test

import (
	"math"
	"testing"
	"time"

	"github.com/tiercecache/tierce/cmd/tierce/command"
	"github.com/tiercecache/tierce/internal/ledger"
	"github.com/tiercecache/tierce/tiers"
)

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 999: "999 B", 1000: "1000 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB",
		1024 * 10: "10 KiB", 1024*999 + 512: "1000 KiB", 1024 * 1000: "1000 KiB", 1024*1024 - 1: "1024 KiB", 1 << 20: "1 MiB",
		123_456_789: "118 MiB", 20 << 30: "20 GiB", 1 << 40: "1 TiB", 1 << 50: "1 PiB", math.MaxInt64: "8 EiB",
	} {
		if got := command.Size(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ms", 999 * time.Microsecond: "0 ms", time.Millisecond: "1 ms", 999 * time.Millisecond: "999 ms",
		time.Second: "1.0 s", 59_940 * time.Millisecond: "59.9 s", 59_950 * time.Millisecond: "1m0s", time.Minute: "1m0s",
		90*time.Second + 400*time.Millisecond: "1m30s", 25 * time.Hour: "25h0m0s",
	} {
		if got := command.Duration(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0 hits", 1: "1 hit", 2: "2 hits", 1_000_000: "1000000 hits"} {
		if got := command.Count(n, "hit", "hits"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// TestSentence: the last line of a run says what the cache brought, and anything
// that was ill.
func TestSentence(t *testing.T) {
	for want, s := range map[string]tiers.Snapshot{
		"no compiler asked the cache for anything": {},
		"1 hit, 0 misses; 10 B from the cache, 0 B into it; 1.5 s of compiling saved; nothing had to be compiled": {
			Gets: 1, Hits: 1, HitBytes: 10, SecondsSaved: 1.5,
		},
		"1 hit, 1 miss; 10 B from the cache, 0 B into it; 1.5 s of compiling saved; 1 result could not be stored": {
			Gets: 2, Hits: 1, Misses: 1, HitBytes: 10, SecondsSaved: 1.5, Unstored: 1,
		},
		"0 hits, 2 misses; 0 B from the cache, 1 KiB into it; 0 ms of compiling saved": {
			Gets: 2, Misses: 2, Puts: 2, PutBytes: 1024, MissReasons: tiers.MissReasons{Absent: 2},
		},
		"0 hits, 0 misses; 0 B from the cache, 5 B into it; 0 ms of compiling saved": {Puts: 1, PutBytes: 5},
		"0 hits, 1 miss; 0 B from the cache, 0 B into it; 0 ms of compiling saved; 1 damaged entry was not used; 1 entry had expired; 1 operation of a tier failed": {
			Gets: 1, Misses: 1, Errors: 1, MissReasons: tiers.MissReasons{Damaged: 1, Expired: 1},
		},
		"1 hit, 1 miss; 10 B from the cache, 5 B into it; 0 ms of compiling saved; redis: 1 hit, 9 B, 2 entries sent, 1.2 s waited; 1 operation of a tier failed": {
			Gets: 2, Hits: 1, Misses: 1, HitBytes: 10, Puts: 1, PutBytes: 5, Errors: 1,
			Tiers: []tiers.TierSnapshot{{Name: "disk", Errors: 1}, {Name: "redis", Hits: 1, Puts: 2, Remote: &tiers.RemoteSnapshot{HitBytes: 9, WaitedSeconds: 1.25}}},
		},
		"0 hits, 1 miss; 0 B from the cache, 5 B into it; 0 ms of compiling saved; redis: 0 hits, 0 B, 0 entries sent, 5.0 s waited, 3 left to the next build, ill: left alone after failures (7), connection refused (5), no answer in time (5)": {
			Gets: 1, Misses: 1, Puts: 1, PutBytes: 5, Errors: 17, Dropped: 3,
			Tiers: []tiers.TierSnapshot{{Name: "redis", Errors: 17, Remote: &tiers.RemoteSnapshot{WaitedSeconds: 5, Left: 3, Ill: map[string]int64{
				"no answer in time": 5, "connection refused": 5, "left alone after failures": 7,
			}}}},
		},
		"0 hits, 4 misses; 0 B from the cache, 0 B into it; 0 ms of compiling saved; 2 damaged entries were not used; 2 entries had expired; 3 operations of tiers failed": {
			Gets: 4, Misses: 4, Errors: 3, MissReasons: tiers.MissReasons{Damaged: 2, Expired: 2},
		},
	} {
		if got := command.Sentence(ledger.Line{Snapshot: s}); got != want {
			t.Errorf("%+v is\n%q, want\n%q", s, got, want)
		}
	}
}
