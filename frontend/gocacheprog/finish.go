// SPDX-License-Identifier: Apache-2.0

package gocacheprog

import (
	"context"

	"github.com/tiercecache/tierce/interfaces"
)

// Finish does what the go command need not wait for: call it after [Server.Serve],
// when nobody waits any more. It counts the gets of this server as uses of their
// records, so that a record stays as long as its output: a hit itself only looks
// at the record. And it leaves what this build asked for to the next one.
func (s *Server) Finish(ctx context.Context) {
	if s.cache == nil {
		return
	}
	for _, record := range s.used {
		_, _, _ = interfaces.Path(ctx, s.cache, record) // a record that went is no longer of use
	}
	s.used = nil
	s.ahead.end(ctx)
}
