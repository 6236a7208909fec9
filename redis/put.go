// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
	"unsafe"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/encoding/frame"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// Put implements [interfaces.Cache]. A body of up to ChunkSize is one round
// trip. Another is streamed, chunk by chunk, and is seen when all are there.
func (c *Cache) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	w, err := c.prepare(ctx, "put", key, entry)
	if err != nil {
		return err
	}
	if err := c.replace(ctx, "put", w); err != nil {
		c.discard(ctx, w.parts)
		return err
	}
	return nil
}

// Insert implements [interfaces.Inserter] with SET NX. A damaged entry counts
// as absent.
func (c *Cache) Insert(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (bool, error) {
	if _, text := entry.Text(); !text { // do not read and send what is not wanted
		there, err := c.Get(ctx, key)
		_ = there.Close() // only looked at
		if !errors.Is(err, cacheerr.ErrMiss) {
			return false, err
		}
	}
	w, err := c.prepare(ctx, "insert", key, entry)
	if err != nil {
		return false, err
	}
	inserted, err := c.insert(ctx, w)
	if !inserted {
		c.discard(ctx, w.parts)
	}
	return inserted, err
}

// insert sets w's name if it is free, or what has it is not whole.
func (c *Cache) insert(ctx context.Context, w written) (bool, error) {
	for damaged := 0; damaged < 3; {
		var inserted bool
		err := c.await(ctx, "insert", func(ctx context.Context) (err error) {
			inserted, err = c.client.SetNX(ctx, c.name(w.key), w.value, c.lifetime()).Result()
			return err
		})
		if err != nil {
			return false, err
		}
		if inserted {
			return true, nil
		}
		there, err := c.Get(ctx, w.key)
		_ = there.Close() // only looked at
		switch {
		case errors.Is(err, cacheerr.ErrDamaged):
			damaged++
		case !errors.Is(err, cacheerr.ErrMiss): // else it went meanwhile, and its name is free
			return false, err
		}
	}
	return false, &cacheerr.BackendExecutionError{
		Tier: tierName, Op: "insert", Reason: "a damaged entry is in its place and cannot be removed; let this user run scripts (EVALSHA, EVAL)",
	}
}

// written is an entry that is ready to be seen: its frame, and its chunks, if it
// has any, on the server.
type written struct {
	key   interfaces.Key
	value []byte
	parts *chunks // nil if the body is in value
}

// prepare reads the body and makes its frame. The chunks of a long one are sent.
func (c *Cache) prepare(ctx context.Context, op string, key interfaces.Key, entry interfaces.Entry) (written, error) {
	if err := c.usable(ctx); err != nil {
		return written{}, err
	}
	if len(entry.Tag) > interfaces.MaxTag {
		return written{}, notStored(op, fmt.Errorf("a tag is at most %d bytes, not %d", interfaces.MaxTag, len(entry.Tag)))
	}
	if entry.Time.IsZero() {
		entry.Time = c.opts.clock()
	}
	text, rest, err := c.read(entry)
	switch {
	case ctx.Err() != nil:
		return written{}, ctx.Err()
	case err != nil:
		return written{}, notStored(op, err)
	case rest != nil:
		return c.upload(ctx, op, key, entry.Head, rest)
	}
	head, err := agree(entry.Head, int64(len(text)), encoding.SumString(key, text))
	if err != nil {
		return written{}, notStored(op, err)
	}
	value, err := c.coder.Append(nil, key, head, text)
	if err != nil {
		return written{}, notStored(op, err)
	}
	return written{key: key, value: value}, nil
}

// read returns the body of an entry: the text of a short one, the rest of
// another, of which nothing is lost.
func (c *Cache) read(entry interfaces.Entry) (text string, rest io.Reader, err error) {
	text, ok := entry.Text()
	switch {
	case ok && int64(len(text)) <= c.opts.chunk:
		return text, nil, nil
	case ok || entry.Size > c.opts.chunk:
		return "", entry.Reader(), nil
	case entry.Size >= 0:
		body, err := entry.Bytes()
		return string(body), nil, err
	}
	body, err := io.ReadAll(io.LimitReader(entry.Reader(), c.opts.chunk+1))
	if int64(len(body)) > c.opts.chunk {
		return "", io.MultiReader(bytes.NewReader(body), entry.Reader()), err
	}
	return string(body), nil, err
}

// agree returns the head with the size and checksum that the body turned out to
// have, or how the two differ.
func agree(head interfaces.Head, size int64, sum interfaces.Checksum) (interfaces.Head, error) {
	switch {
	case head.Size >= 0 && head.Size != size:
		return head, fmt.Errorf("the body is %d bytes long, and its head says %d: %w", size, head.Size, io.ErrUnexpectedEOF)
	case head.Checksum != interfaces.Checksum{} && head.Checksum != sum:
		return head, fmt.Errorf("the body does not match the checksum in its head: %w", cacheerr.ErrDamaged)
	}
	head.Size, head.Checksum = size, sum
	return head, nil
}

// notStored is an entry that was not stored for a reason of its own.
func notStored(op string, err error) error {
	return &cacheerr.BackendExecutionError{Tier: tierName, Op: op, Reason: err.Error(), Err: err}
}

// upload sends a long body in chunks and returns the frame that names them. If
// it fails the chunks are gone again.
func (c *Cache) upload(ctx context.Context, op string, key interfaces.Key, head interfaces.Head, body io.Reader) (written, error) {
	u := upload{cache: c, op: op, parts: chunks{key: key, size: c.opts.chunk}, sum: encoding.NewHasher(key)}
	_, _ = rand.Read(u.parts.generation[:]) // never fails
	err := u.send(ctx, body, head.Size)
	if err == nil {
		head, err = agree(head, u.parts.total, u.sum.Sum())
	}
	var value []byte
	if err == nil {
		value, err = frame.AppendApart(nil, key, head, u.parts.note())
	}
	switch {
	case err == nil:
		return written{key: key, value: value, parts: &u.parts}, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case !u.refused:
		err = notStored(op, err)
	}
	c.discard(ctx, &u.parts)
	return written{}, err
}

// upload is a body on its way to the server.
type upload struct {
	cache   *Cache
	op      string
	parts   chunks // total is what was read so far
	sum     *encoding.Hasher
	frames  [window][]byte
	ready   int   // how many of frames wait to be sent
	sent    int64 // how many chunks were sent
	refused bool  // the server failed, and not the body
}

// send reads the body to its end, or just beyond limit, and sends it.
func (u *upload) send(ctx context.Context, body io.Reader, limit int64) error {
	piece := make([]byte, u.parts.size)
	for {
		n, err := io.ReadFull(body, piece)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
		u.parts.total += int64(n)
		if limit >= 0 && u.parts.total > limit {
			return fmt.Errorf("the body is longer than the %d bytes that its head says", limit)
		}
		if n > 0 {
			if err := u.add(piece[:n]); err != nil {
				return err
			}
		}
		if u.ready == window || err != nil {
			if err := u.flush(ctx); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// add makes the frame of the next chunk.
func (u *upload) add(piece []byte) (err error) {
	_, _ = u.sum.Write(piece) // never fails
	at := &u.frames[u.ready]
	*at, err = u.cache.coder.Append((*at)[:0], u.parts.chunkKey(u.sent+int64(u.ready)), interfaces.Head{}, textOf(piece))
	u.ready++
	return err
}

// flush sends the frames that wait. If it fails, they may still be on their way
// and are not used again.
func (u *upload) flush(ctx context.Context) error {
	c, parts, frames, first := u.cache, u.parts, u.frames[:u.ready], u.sent // for the closure, which may go on
	err := c.await(ctx, u.op, func(ctx context.Context) error {
		pipe := c.client.Pipeline()
		for i, frame := range frames {
			// Chunks outlive what names them, and were written before it.
			pipe.Set(ctx, parts.name(c.opts.prefix, first+int64(i)), frame, c.opts.ttl+c.opts.ttl/8+linger)
		}
		_, err := pipe.Exec(ctx)
		return err
	})
	u.refused = err != nil
	u.sent += int64(u.ready)
	u.ready = 0
	return err
}

// discard removes chunks that nobody will ask for. If that fails they expire.
func (c *Cache) discard(ctx context.Context, lost ...*chunks) { c.each(ctx, lost, "unlink") }

// retire lets chunks expire that were replaced or removed, but not before those
// who read them are through.
func (c *Cache) retire(ctx context.Context, old ...*chunks) {
	c.each(ctx, old, "pexpire", linger.Milliseconds())
}

// each sends a command, whose answer is a number, for each chunk of those of all
// that are not nil. If it fails, that is all: the chunks have a time to live. It
// goes on when the caller has given up, and else takes no more than half of the
// time that he has left: what he asked for is done, and he is to hear of it.
func (c *Cache) each(ctx context.Context, all []*chunks, command string, args ...any) {
	limit := c.opts.readTimeout
	if deadline, ok := ctx.Deadline(); ok && !late(ctx) {
		limit = min(limit, time.Until(deadline)/2)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	for _, parts := range all {
		for from := int64(0); parts != nil && from < min(parts.count(), mostAfter); from += lookAhead {
			found, err := c.some(ctx, parts, from, command, args)
			if err != nil {
				return
			}
			if !found { // how many there are is a claim
				break
			}
		}
	}
}

// some sends a command for the next chunks from from on, and reports whether any
// was there.
func (c *Cache) some(ctx context.Context, parts *chunks, from int64, command string, args []any) (bool, error) {
	var replies []*goredis.IntCmd
	err := c.await(ctx, "put", func(ctx context.Context) error {
		pipe := c.client.Pipeline()
		for n := from; n < min(from+lookAhead, parts.count()); n++ {
			reply := goredis.NewIntCmd(ctx, append([]any{command, parts.name(c.opts.prefix, n)}, args...)...)
			replies = append(replies, reply)
			_ = pipe.Process(ctx, reply) // which only notes it
		}
		return batchError(pipe.Exec(ctx))
	})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(replies, func(r *goredis.IntCmd) bool { return r.Val() > 0 }), nil
}

// replace makes w what is seen under its key, and retires the chunks of what was
// there.
func (c *Cache) replace(ctx context.Context, op string, w written) error {
	var old *goredis.StringCmd
	err := c.await(ctx, op, func(ctx context.Context) error {
		pipe := c.client.Pipeline()
		old = c.beginning(ctx, pipe, w.key)
		set := pipe.Set(ctx, c.name(w.key), w.value, c.lifetime())
		if err := batchError(pipe.Exec(ctx)); err != nil {
			return err
		}
		return set.Err()
	})
	if err != nil {
		return err
	}
	c.retire(ctx, named(w.key, old.Val()))
	return nil
}

// beginning asks for as much of an entry as says where its chunks are.
func (c *Cache) beginning(ctx context.Context, pipe goredis.Pipeliner, key interfaces.Key) *goredis.StringCmd {
	return pipe.GetRange(ctx, c.name(key), 0, frame.MaxHead+noteSize-1)
}

// named returns the chunks that the frame of an entry names, or nil.
func named(key interfaces.Key, value string) *chunks {
	f, err := frame.Parse(value, key)
	if err != nil || f.Codec != frame.Apart {
		return nil
	}
	parts, err := parseChunks(f, key)
	if err != nil {
		return nil
	}
	return &parts
}

// textOf returns bytes as a string without a copy, for as long as nobody writes
// to them.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
