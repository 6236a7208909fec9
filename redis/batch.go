// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tiercecache/tierce/encoding/frame"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// GetBatch implements [interfaces.BatchGetter] in one round trip for each 512
// keys, which brings bodies of up to 64 KiB, or 1 MiB if they are few, and one for
// each 16 MiB of the longer ones, whose lengths are then known. No more than 33
// MiB come at a time.
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
	// batchKeys and batchPart bound what one pipeline brings: 512 times a body of
	// 64 KiB, or as much of fewer, but no more than fewPart of each.
	batchKeys = 512
	batchPart = 64<<10 + frame.MaxHead
	fewPart   = 1 << 20
	// batchBytes is how much of longer entries is asked for in one pipeline.
	batchBytes = 16 << 20
)

// batch is a GetBatch under way.
type batch struct {
	cache *Cache
	keys  []interfaces.Key
	each  func(i int, entry interfaces.Entry, err error) error
	ill   error // why the server is not asked any more
}

// long is an entry of which only the beginning came.
type long struct {
	place int   // of its key
	bound int64 // on how many bytes it has on the server, by its head
}

// beginnings gets the keys from and below to, the long ones in further turns.
func (b *batch) beginnings(ctx context.Context, from, to int) error {
	places := make([]int, to-from)
	for i := range places {
		places[i] = from + i
	}
	var longer []long
	part := min(batchKeys*batchPart/len(places), fewPart)
	err := b.ask(ctx, places, func(int) int64 { return int64(part) }, func(i int, value string, err error) error {
		if err == nil && len(value) == part {
			longer = append(longer, long{i, bound(value, b.keys[i])})
			return nil
		}
		return b.answer(ctx, i, value, err)
	})
	for err == nil && len(longer) > 0 {
		n, total := 0, int64(0)
		for n < len(longer) && (n == 0 || total+longer[n].bound <= batchBytes) {
			total += longer[n].bound
			n++
		}
		err = b.whole(ctx, longer[:n])
		longer = longer[n:]
	}
	return err
}

// bound returns how long a frame with this beginning can be.
func bound(beginning string, key interfaces.Key) int64 {
	f, err := frame.Parse(beginning, key)
	if err != nil {
		return int64(len(beginning))
	}
	return frame.MaxHead + min(f.Head.Size, largestChunk)
}

// whole gets long entries. One that is longer than it can be is looked at by
// itself.
func (b *batch) whole(ctx context.Context, entries []long) error {
	places := make([]int, len(entries))
	for j, entry := range entries {
		places[j] = entry.place
	}
	return b.ask(ctx, places, func(j int) int64 { return entries[j].bound + 1 }, func(i int, value string, err error) error {
		j := slices.Index(places, i)
		if err == nil && int64(len(value)) > entries[j].bound {
			value, err = b.cache.fetch(ctx, b.keys[i])
		}
		return b.answer(ctx, i, value, err)
	})
}

// ask asks for the entries at places in one pipeline, for up to limit(j) bytes of
// that at places[j], and hands each answer on.
func (b *batch) ask(ctx context.Context, places []int, limit func(j int) int64, handle func(i int, value string, err error) error) error {
	c, err := b.cache, b.ill
	answers := make([]*goredis.StringCmd, len(places))
	if err == nil {
		err = c.await(ctx, "get", func(ctx context.Context) error {
			pipe := c.client.Pipeline()
			for j, i := range places {
				answers[j] = pipe.GetRange(ctx, c.name(b.keys[i]), 0, limit(j)-1)
			}
			return batchError(pipe.Exec(ctx))
		})
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && late(ctx): // the connection has noticed first
		return context.DeadlineExceeded
	}
	b.ill = err
	for j, i := range places {
		value, answer := "", err
		if err == nil {
			value, answer = answers[j].Result()
			if answer = c.failed(ctx, "get", answer); answer == nil && value == "" { // no frame is empty
				answer = cacheerr.ErrMiss
			}
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

// PutBatch implements [interfaces.BatchPutter] in a pipeline for each 8 MiB. A
// failure leaves the earlier items stored and names the one that failed.
func (c *Cache) PutBatch(ctx context.Context, items []interfaces.Item) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	p := pending{cache: c}
	for i, item := range items {
		w, err := c.prepare(ctx, "put", item.Key, item.Entry)
		if err != nil {
			if earlier := p.flush(ctx); earlier != nil {
				err, i = earlier, p.failed
			}
			return &interfaces.BatchError{Index: i, Key: items[i].Key, Err: err}
		}
		p.add(w)
		if p.bytes < pipelineBytes && i < len(items)-1 {
			continue
		}
		if err := p.flush(ctx); err != nil {
			return &interfaces.BatchError{Index: p.failed, Key: items[p.failed].Key, Err: err}
		}
	}
	return nil
}

// pipelineBytes is how much of a batch is sent in one pipeline.
const pipelineBytes = 8 << 20

// pending is what a PutBatch has prepared and not sent.
type pending struct {
	cache  *Cache
	ready  []written
	bytes  int
	sent   int // items before those in ready
	failed int // the place of the item that flush failed with
}

func (p *pending) add(w written) {
	p.ready = append(p.ready, w)
	p.bytes += len(w.value)
}

// flush sends what was prepared. The error is that of the first that failed.
func (p *pending) flush(ctx context.Context) error {
	c := p.cache
	if len(p.ready) == 0 {
		return nil
	}
	old, set := make([]*goredis.StringCmd, len(p.ready)), make([]*goredis.StatusCmd, len(p.ready))
	err := c.await(ctx, "put", func(ctx context.Context) error {
		pipe := c.client.Pipeline()
		for i, w := range p.ready {
			old[i], set[i] = c.beginning(ctx, pipe, w.key), pipe.Set(ctx, c.name(w.key), w.value, c.lifetime())
		}
		return batchError(pipe.Exec(ctx))
	})
	if err != nil {
		p.failed = p.sent
		c.discard(ctx, parts(p.ready)...)
		return err
	}
	var replaced, lost []*chunks
	for i, w := range p.ready {
		refused := c.failed(ctx, "put", set[i].Err())
		switch {
		case refused == nil:
			replaced = append(replaced, named(w.key, old[i].Val()))
			continue
		case err == nil:
			err, p.failed = refused, p.sent+i
		}
		lost = append(lost, w.parts)
	}
	c.retire(ctx, replaced...)
	c.discard(ctx, lost...)
	if err != nil {
		return err
	}
	p.sent += len(p.ready)
	p.ready, p.bytes = nil, 0
	return nil
}

// parts returns the chunks of entries.
func parts(entries []written) []*chunks {
	all := make([]*chunks, len(entries))
	for i, w := range entries {
		all[i] = w.parts
	}
	return all
}
