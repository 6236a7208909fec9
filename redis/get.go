// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

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

// GetBatch implements [interfaces.BatchGetter] in two round trips for each 512
// keys: the first brings as much of each entry as most of them are long, the
// second the longer ones, of which the lengths are then known. No more than 32
// MiB and one body are under way at a time.
func (c *Cache) GetBatch(ctx context.Context, keys []interfaces.Key, each func(i int, entry interfaces.Entry, err error) error) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	b := batch{cache: c, keys: keys, each: each}
	for from := 0; from < len(keys); from += batchKeys {
		if err := b.beginnings(ctx, from, min(from+batchKeys, len(keys))); err != nil {
			return err
		}
	}
	return nil
}

const (
	// batchKeys and batchPart bound what one pipeline brings: 512 times 64 KiB.
	batchKeys = 512
	batchPart = 64 << 10
	// batchBytes is how much whole entries are asked for in one pipeline.
	batchBytes = 16 << 20
)

// batch is a GetBatch under way.
type batch struct {
	cache *Cache
	keys  []interfaces.Key
	each  func(i int, entry interfaces.Entry, err error) error
	ill   error // why the server is not asked any more
}

// beginnings gets the keys from and below to, the long ones in a second turn.
func (b *batch) beginnings(ctx context.Context, from, to int) error {
	places := make([]int, to-from)
	for i := range places {
		places[i] = from + i
	}
	var long []int
	err := b.ask(ctx, places, func(pipe goredis.Pipeliner, name string) *goredis.StringCmd {
		return pipe.GetRange(ctx, name, 0, batchPart-1)
	}, func(i int, value string, err error) error {
		if err == nil && len(value) == batchPart {
			long = append(long, i)
			return nil
		}
		if err == nil && value == "" { // no frame is empty
			err = cacheerr.ErrMiss
		}
		return b.answer(ctx, i, value, err)
	})
	for err == nil && len(long) > 0 {
		n := max(1, min(len(long), batchBytes/int(b.cache.opts.chunk)))
		err = b.whole(ctx, long[:n])
		long = long[n:]
	}
	return err
}

// whole gets the keys at places as they are.
func (b *batch) whole(ctx context.Context, places []int) error {
	return b.ask(ctx, places, func(pipe goredis.Pipeliner, name string) *goredis.StringCmd {
		return pipe.Get(ctx, name)
	}, func(i int, value string, err error) error {
		if errors.Is(err, errTooLong) { // whichever it was, the connection broke for all
			b.ill = nil
			value, err = b.cache.fetch(ctx, b.keys[i])
		}
		return b.answer(ctx, i, value, err)
	})
}

// ask asks for the keys at places in one pipeline and hands each answer on.
func (b *batch) ask(ctx context.Context, places []int, command func(goredis.Pipeliner, string) *goredis.StringCmd,
	handle func(i int, value string, err error) error,
) error {
	c, err := b.cache, b.ill
	answers := make([]*goredis.StringCmd, len(places))
	if err == nil {
		err = c.await(ctx, "get", func(ctx context.Context) error {
			pipe := c.client.Pipeline()
			for j, i := range places {
				answers[j] = command(pipe, c.name(b.keys[i]))
			}
			return batchError(pipe.Exec(ctx))
		})
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b.ill = err
	for j, i := range places {
		value, answer := "", err
		if err == nil {
			value, answer = answers[j].Result()
			answer = c.failed(ctx, "get", answer)
		}
		if err := handle(i, value, answer); err != nil {
			return err
		}
	}
	return nil
}

// batchError returns the error of a pipeline as a whole: nil if the server
// answered each command, be it with an error of its own.
func batchError(commands []goredis.Cmder, err error) error {
	if err == nil {
		return nil
	}
	for _, command := range commands {
		var answered goredis.Error
		if first := command.Err(); first != nil && errors.As(first, &answered) {
			return nil
		}
	}
	return err // of no command's own
}

// answer hands one entry, or why there is none, to the caller.
func (b *batch) answer(ctx context.Context, i int, value string, err error) error {
	entry, err := b.cache.got(ctx, b.keys[i], value, err)
	err = b.each(i, entry, err)
	_ = entry.Close() // read to the end or given up: nothing is lost
	return err
}
