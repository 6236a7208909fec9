// SPDX-License-Identifier: Apache-2.0

package redis

// Claims is what looks at the lengths in a server's answers.
type Claims struct{ claims }

// Look looks at the next bytes.
func (c *Claims) Look(b []byte) error { return c.look(b) }

// Skip returns how many bytes of a value are still to come.
func (c *Claims) Skip() int { return c.skip }

// Longest is the longest value in bytes that this package writes.
const Longest = longest

// Deepest is how many lists may stand in each other.
const Deepest = deepest

// MostAfter is how many chunks of a body are seen to after a write.
const MostAfter = mostAfter

// ErrClaim is an answer that claims what cannot be.
var ErrClaim = errClaim
