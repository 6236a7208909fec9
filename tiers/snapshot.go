// SPDX-License-Identifier: Apache-2.0

package tiers

import "slices"

// Snapshot is what [Counters] had counted at one time. Its JSON is what the
// command prints: names and order of the fields are fixed, new ones come last.
type Snapshot struct {
	Gets         int64          `json:"gets"`          // Gets and Paths, whatever their outcome
	Hits         int64          `json:"hits"`          // Gets with an entry
	Misses       int64          `json:"misses"`        // Gets without one
	Puts         int64          `json:"puts"`          // entries that were stored, also by Insert
	Errors       int64          `json:"errors"`        // failures of tiers; a miss is none
	HitBytes     int64          `json:"hit_bytes"`     // bytes of the bodies of hits
	PutBytes     int64          `json:"put_bytes"`     // bytes of the bodies of puts
	SecondsSaved float64        `json:"seconds_saved"` // what the hits' entries took to make
	Tiers        []TierSnapshot `json:"tiers"`         // of each layer, nearest first
	MissReasons  MissReasons    `json:"miss_reasons"`
	Promotions   int64          `json:"promotions"` // copies made in nearer layers
	Dropped      int64          `json:"dropped"`    // entries that were not written behind, by layer
	Unstored     int64          `json:"unstored"`   // Puts of entries that no layer took

	// WaitedSeconds is how long callers waited for remote layers, on the clock.
	WaitedSeconds float64 `json:"waited_seconds"`
}

// TierSnapshot is what was counted of one layer.
type TierSnapshot struct {
	Name   string `json:"name"`
	Hits   int64  `json:"hits"`
	Misses int64  `json:"misses"`
	Puts   int64  `json:"puts"` // entries that it was given and kept, for any reason
	Errors int64  `json:"errors"`
	// Remote is nil unless the layer waits for another machine.
	Remote *RemoteSnapshot `json:"remote,omitempty"`
}

// MissReasons says why there were misses. Absent and IllTier count misses of
// the whole stack; Damaged and Expired count entries that a layer could not
// use, also when a farther layer answered.
type MissReasons struct {
	Absent  int64 `json:"absent"`
	Damaged int64 `json:"damaged"`
	Expired int64 `json:"expired"`
	IllTier int64 `json:"ill tier"`
}

// Add returns the sum of s and other, as of two processes. Tiers are added by
// name; those that only other has come last.
func (s Snapshot) Add(other Snapshot) Snapshot {
	s.Gets += other.Gets
	s.Hits += other.Hits
	s.Misses += other.Misses
	s.Puts += other.Puts
	s.Errors += other.Errors
	s.HitBytes += other.HitBytes
	s.PutBytes += other.PutBytes
	s.SecondsSaved += other.SecondsSaved
	s.MissReasons = s.MissReasons.add(other.MissReasons)
	s.Promotions += other.Promotions
	s.Dropped += other.Dropped
	s.Unstored += other.Unstored
	s.WaitedSeconds += other.WaitedSeconds
	s.Tiers = append([]TierSnapshot{}, s.Tiers...) // the sum shares nothing, and is never null
	for _, t := range other.Tiers {
		i := slices.IndexFunc(s.Tiers, func(has TierSnapshot) bool { return has.Name == t.Name })
		if i < 0 {
			t.Remote = t.Remote.add(nil)
			s.Tiers = append(s.Tiers, t)
			continue
		}
		s.Tiers[i] = s.Tiers[i].add(t)
	}
	return s
}

func (t TierSnapshot) add(other TierSnapshot) TierSnapshot {
	t.Hits += other.Hits
	t.Misses += other.Misses
	t.Puts += other.Puts
	t.Errors += other.Errors
	t.Remote = t.Remote.add(other.Remote)
	return t
}

func (m MissReasons) add(other MissReasons) MissReasons {
	m.Absent += other.Absent
	m.Damaged += other.Damaged
	m.Expired += other.Expired
	m.IllTier += other.IllTier
	return m
}
