// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"context"
	"io"

	"github.com/tiercecache/tierce/interfaces"
)

// Bare returns c without its capabilities: Get and Put alone, and Close if c
// has it. Wrappers are tested over such a cache, and over a [Full] one.
func Bare(c interfaces.Cache) interfaces.Cache {
	if closer, ok := c.(io.Closer); ok {
		return bareCloser{bare{c}, closer}
	}
	return bare{c}
}

type bare struct{ cache interfaces.Cache }

func (b bare) Get(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	return b.cache.Get(ctx, key)
}

func (b bare) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	return b.cache.Put(ctx, key, entry)
}

type bareCloser struct {
	bare
	io.Closer
}
