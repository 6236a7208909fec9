// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"testing"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
)

// TestBodilessStay: what takes no block on disk frees nothing, so an eviction
// leaves it as long as it is young.
func TestBodilessStay(t *testing.T) {
	c := openIn(t, t.TempDir(), filestream.Options{MaxBytes: 64 << 10})
	record := interfaces.Text("").WithHead(interfaces.Head{Tag: "where the output is"})
	mustDo(t, c.Put(t.Context(), named("record"), record))
	for _, name := range []string{"a", "b", "c", "d"} {
		mustDo(t, c.Put(t.Context(), named(name), interfaces.Bytes(make([]byte, 32<<10))))
	}
	done, err := c.Evict(t.Context(), nil)
	mustDo(t, err)
	if head, err := c.Stat(t.Context(), named("record")); err != nil || head.Tag != "where the output is" {
		t.Errorf("the record is %+v and error %v after %+v, want it to stay", head, err, done)
	}
	if usage, err := c.Usage(t.Context(), nil); err != nil || usage.Bytes > 64<<10 {
		t.Errorf("Usage: %+v and error %v, want at most the cap", usage, err)
	}
}
