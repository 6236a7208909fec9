// SPDX-License-Identifier: Apache-2.0

package tiers

// Flights returns how many keys have a flight that has not landed.
func (s *Stack) Flights() int {
	s.flights.mu.Lock()
	defer s.flights.mu.Unlock()
	return len(s.flights.byKey)
}
