// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/tiercecache/tierce/encoding/frame"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// layout is the version of how entries are kept; it is part of each name.
const layout = "1:"

// name returns what the entry under key is called on the server.
func (c *Cache) name(key interfaces.Key) string {
	name := make([]byte, 0, 128)
	return string(hex.AppendEncode(append(name, c.opts.prefix...), key[:]))
}

// Get implements [interfaces.Cache]: one round trip for a body of up to
// ChunkSize, which is in memory then. Another is a stream, whose beginning came
// with a second round trip that saw that all of its chunks are there; each is
// compared with its checksum before its bytes are handed out. Should one be
// damaged or gone when its turn comes, the stream fails with a [*DamageError].
func (c *Cache) Get(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	if err := c.usable(ctx); err != nil {
		return interfaces.Entry{}, err
	}
	value, err := c.fetch(ctx, key)
	return c.got(ctx, key, value, err)
}

// fetch returns what the server has under key. An absent one is
// cacheerr.ErrMiss; one that is no string, or is longer than any of ours, is
// [errForeign].
func (c *Cache) fetch(ctx context.Context, key interfaces.Key) (string, error) {
	var value string
	err := c.await(ctx, "get", func(ctx context.Context) (err error) {
		value, err = c.client.Get(ctx, c.name(key)).Result()
		return err
	})
	switch {
	case errors.Is(err, errTooLong):
		return "", fmt.Errorf("%w: %w", errForeign, err)
	case err != nil:
		return "", err // value may still be written to
	}
	return value, nil
}

// errForeign is a value that this package cannot have written.
var errForeign = errors.New("it is not of this cache's making")

// got returns the entry that the server's answer for key is.
func (c *Cache) got(ctx context.Context, key interfaces.Key, value string, err error) (interfaces.Entry, error) {
	var entry interfaces.Entry
	if err == nil {
		entry, err = c.open(ctx, key, value)
	}
	if errors.Is(err, cacheerr.ErrDamaged) || errors.Is(err, errForeign) {
		err = c.dropDamaged(ctx, key, value, err)
	}
	return entry, err
}

// open returns the entry that value is the frame of.
func (c *Cache) open(ctx context.Context, key interfaces.Key, value string) (interfaces.Entry, error) {
	f, err := frame.Parse(value, key)
	if err != nil {
		return interfaces.Entry{}, err
	}
	if f.Codec == frame.Apart {
		return c.openChunks(ctx, key, value, f)
	}
	text, err := c.coder.Body(f, key, largestChunk)
	if err != nil {
		return interfaces.Entry{}, err
	}
	return interfaces.Text(text).WithHead(f.Head), nil
}

// Stat implements [interfaces.Statter]: one round trip, which brings the head
// alone.
func (c *Cache) Stat(ctx context.Context, key interfaces.Key) (interfaces.Head, error) {
	var value string
	err := c.await(ctx, "stat", func(ctx context.Context) (err error) {
		value, err = c.client.GetRange(ctx, c.name(key), 0, frame.MaxHead-1).Result()
		return err
	})
	switch {
	case errors.Is(err, errForeign):
		_, err = c.got(ctx, key, "", err)
		return interfaces.Head{}, err
	case err != nil:
		return interfaces.Head{}, err
	case value == "": // no frame is empty
		return interfaces.Head{}, cacheerr.ErrMiss
	}
	f, err := frame.Parse(value, key)
	if err != nil { // Get removes it
		entry, err := c.Get(ctx, key)
		_ = entry.Close() // only looked at
		return entry.Head, err
	}
	return f.Head, nil
}
