// SPDX-License-Identifier: Apache-2.0

package faultproxy

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestLine holds when bytes arrive, with a virtual clock: this is a test within
// the package, since real connections have real time.
func TestLine(t *testing.T) {
	for _, test := range []struct {
		name   string
		faults Faults
		age    time.Duration // of the link when it sends
		sizes  []int
		want   []time.Duration // from the link's beginning to each arrival
	}{
		{"nothing is wrong", Faults{}, 0, []int{1, 1 << 20}, []time.Duration{0, 0}},
		{"pieces are underway together", Faults{RoundTrip: 20 * time.Millisecond}, time.Second, []int{1, 1, 1},
			[]time.Duration{1010 * time.Millisecond, 1010 * time.Millisecond, 1010 * time.Millisecond}},
		{"a new connection takes a round trip more", Faults{RoundTrip: 20 * time.Millisecond}, 0, []int{1, 1},
			[]time.Duration{30 * time.Millisecond, 30 * time.Millisecond}},
		{"a narrow line sends one after the other", Faults{BytesPerSecond: 1000}, 0, []int{500, 1000, 1},
			[]time.Duration{500 * time.Millisecond, 1500 * time.Millisecond, 1501 * time.Millisecond}},
		{"narrow and far", Faults{BytesPerSecond: 1000, RoundTrip: 2 * time.Second}, 3 * time.Second, []int{500, 500},
			[]time.Duration{4500 * time.Millisecond, 5000 * time.Millisecond}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &Proxy{faults: test.faults}
				l := &link{proxy: p, since: time.Now()}
				<-time.After(test.age)
				for i, size := range test.sizes {
					if got := p.lines[requests].arrival(l, size).Sub(l.since); got != test.want[i] {
						t.Errorf("piece %d arrives after %v, want %v", i, got, test.want[i])
					}
				}
			})
		})
	}
}

// TestLineIsShared holds that links share what a narrow line can carry.
func TestLineIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Proxy{faults: Faults{BytesPerSecond: 1000}}
		begin := time.Now()
		for n := range 3 {
			l := &link{proxy: p, since: time.Now()}
			if got, want := p.lines[answers].arrival(l, 1000).Sub(begin), time.Duration(n+1)*time.Second; got != want {
				t.Errorf("the piece of link %d arrives after %v, want %v", n, got, want)
			}
		}
	})
}
