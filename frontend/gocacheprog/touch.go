// SPDX-License-Identifier: Apache-2.0

package gocacheprog

import (
	"context"

	"github.com/tiercecache/tierce/interfaces"
)

// Touch counts the gets of this server as uses of their records, so that a
// record stays as long as its output. A hit itself only looks at the record,
// and the go command waits for hits: call Touch after [Server.Serve], when the
// go command waits no more.
func (s *Server) Touch(ctx context.Context) {
	if s.cache == nil {
		return
	}
	for _, record := range s.used {
		_, _, _ = interfaces.Path(ctx, s.cache, record) // a record that went is no longer of use
	}
	s.used = nil
}
