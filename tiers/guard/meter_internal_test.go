// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Random spans, as they come from callers who begin and end at any time, beside
// a clock of single ticks.
func TestClockAgainstTicks(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	var c clock
	var ticks [1000]bool
	total := 0
	for i := range 2000 {
		start := random.IntN(len(ticks))
		s := span{time.Duration(start), time.Duration(start + random.IntN(1+min(40, len(ticks)-1-start)))}
		fresh := 0
		for tick := s.start; tick < s.end; tick++ {
			if !ticks[tick] {
				fresh++
			}
			ticks[tick] = true
		}
		if with := c.with(s); with != time.Duration(total+fresh) {
			t.Fatalf("seed %d, span %d %v: the total would be %d, want %d", seed, i, s, with, total+fresh)
		}
		total += fresh
		if more := c.add(s); more != time.Duration(fresh) || c.total != time.Duration(total) {
			t.Fatalf("seed %d, span %d %v: %d more and %d in all, want %d and %d", seed, i, s, more, c.total, fresh, total)
		}
	}
}

// What can never be met again is forgotten, so that a process may live for ever.
func TestMeterForgets(t *testing.T) {
	m := newMeter(Options{Budget: time.Hour})
	long := m.begin()
	for range 100 {
		m.end(m.begin(), true)
	}
	m.end(long, true)
	m.end(m.begin(), true)
	if len(m.active) != 0 || len(m.all.spans) > 1 || len(m.vain.spans) > 1 {
		t.Errorf("%d waits and %d and %d spans are kept, want none and at most one each", len(m.active), len(m.all.spans), len(m.vain.spans))
	}
}
