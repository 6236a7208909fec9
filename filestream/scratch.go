// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"sync"

	"github.com/tiercecache/tierce/encoding"
)

// smallBody is the longest body in bytes that Get reads at once, closing the
// file, instead of handing out an open file: up to here a copy is cheaper than
// what an open file costs (docs/benchmarks.md).
const smallBody = 32 << 10

// tinyBody is the longest body in bytes that is summed up at every Get: that
// takes less time than to ask for its proof.
const tinyBody = 8 << 10

// scratch is the memory that one operation needs for a moment. What is handed
// to an interface's method escapes to the heap, so it is kept for the next.
type scratch struct {
	attr   [maxHead]byte
	bucket [bucketBytes]byte
	chunk  [128 << 10]byte
	hasher encoding.Hasher
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func getScratch() *scratch { return scratches.Get().(*scratch) }

func putScratch(s *scratch) { scratches.Put(s) }
