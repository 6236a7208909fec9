// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

const (
	// trusted is the largest claim about a body's size, in bytes, for which
	// memory is allocated before the body came.
	trusted = 16 << 20
	// piece is how much of a stream is read at once, in bytes.
	piece = 32 << 10
)

// Put implements [interfaces.Cache]. A body in memory is kept without a copy:
// text cut out of a longer one keeps all of it alive. A Put that fails changes
// nothing, also when it fails because the entry is too large: what was under
// the key stays.
func (c *Cache) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	it, err := c.take(ctx, "put", key, entry)
	if err != nil {
		return err
	}
	_, err = c.keep(it, false)
	return err
}

// Insert implements [interfaces.Inserter]. An entry that is found does not
// count as read.
func (c *Cache) Insert(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (inserted bool, err error) {
	if err := c.usable(ctx); err != nil {
		return false, err
	}
	if c.items.get(&key) != nil {
		return false, nil
	}
	it, err := c.take(ctx, "insert", key, entry)
	if err != nil {
		return false, err
	}
	return c.keep(it, true)
}

// keep makes it the newest, unless absent asks for a free key and it is not,
// and evicts what is then too much. It reports whether it is kept.
func (c *Cache) keep(it *item, absent bool) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Load() {
		return false, cacheerr.ErrClosed
	}
	if absent && c.items.get(&it.key) != nil {
		return false, nil
	}
	c.writes++
	it.moved.Store(c.writes)
	if old := c.items.put(it); old != nil {
		c.forget(old)
	}
	c.order.Add(it, struct{}{})
	c.newest.Store(it)
	c.used += it.size()
	for c.over() {
		oldest, _, _ := c.order.GetOldest()
		c.drop(oldest)
	}
	c.horizon.Store(c.writes - int64(c.order.Len()/exactBelow))
	return true, nil
}

// over reports whether the cache is above a cap. The caller holds mu.
func (c *Cache) over() bool {
	return c.maxBytes > 0 && c.used > c.maxBytes || c.maxEntries > 0 && c.order.Len() > c.maxEntries
}

// drop removes it from the cache. The caller holds mu.
func (c *Cache) drop(it *item) {
	c.items.remove(it)
	c.forget(it)
}

// forget removes it from the order and the sum. The caller holds mu.
func (c *Cache) forget(it *item) {
	c.order.Remove(it)
	c.used -= it.size()
	c.newest.CompareAndSwap(it, nil) // or it would keep the body alive
}

// take returns the item for entry, its body in memory and its head complete, or
// why the entry must not be kept. The error says that op failed.
func (c *Cache) take(ctx context.Context, op string, key interfaces.Key, entry interfaces.Entry) (*item, error) {
	if err := c.usable(ctx); err != nil {
		return nil, err
	}
	if len(entry.Tag) > interfaces.MaxTag {
		return nil, fmt.Errorf("memory: %s of key %s: a tag has at most %d bytes, not %d",
			op, key.Short(), interfaces.MaxTag, len(entry.Tag))
	}
	text, err := c.text(ctx, op, entry, c.largest(entry.Tag))
	if err != nil {
		return nil, err
	}
	sum := encoding.SumString(key, text)
	if entry.Checksum != sum && entry.Checksum != (interfaces.Checksum{}) {
		return nil, &cacheerr.BackendExecutionError{
			Tier: tier, Op: op, Reason: "the body does not match its checksum", Err: cacheerr.ErrDamaged,
		}
	}
	head := entry.Head
	head.Checksum = sum
	if head.Time.IsZero() {
		head.Time = c.clock()
	}
	head.Time = head.Time.UTC()
	return &item{key: key, entry: interfaces.Text(text).WithHead(head)}, nil
}

// largest returns how many bytes the body of an entry with this tag can have:
// below zero if not even an empty one fits.
func (c *Cache) largest(tag string) int64 {
	if c.maxBytes == 0 {
		return math.MaxInt64 - 1 // one less: whether a body is longer must be countable
	}
	return c.maxBytes - Overhead - int64(len(tag))
}

// text returns the body of entry, of at most limit bytes.
func (c *Cache) text(ctx context.Context, op string, entry interfaces.Entry, limit int64) (string, error) {
	if entry.Size > limit {
		return "", tooLarge(entry.Size, limit)
	}
	text, err := c.read(ctx, op, entry, limit)
	size := int64(len(text))
	switch {
	case err != nil:
		return "", err
	case size > limit:
		return "", tooLarge(size, limit)
	case entry.Size >= 0 && size < entry.Size:
		return "", failed(op, fmt.Sprintf("the body ended after %d of %d bytes", size, entry.Size), io.ErrUnexpectedEOF)
	case entry.Size >= 0 && size > entry.Size:
		return "", failed(op, fmt.Sprintf("the body goes on after the %d bytes that its head says", entry.Size), nil)
	}
	return text, nil
}

// read returns the body of entry. Of one that is longer than the head says or,
// if the head does not say, than limit, it returns at least one byte too many.
func (c *Cache) read(ctx context.Context, op string, entry interfaces.Entry, limit int64) (string, error) {
	if text, ok := entry.Text(); ok {
		return text, nil
	}
	if entry.Size >= 0 {
		limit = entry.Size
	}
	var text strings.Builder
	text.Grow(int(min(max(entry.Size, 0), trusted)))
	body := io.LimitedReader{R: stream{ctx, entry.Reader()}, N: limit + 1}
	if err := c.copy(&text, &body); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", failed(op, "the body cannot be read", err)
	}
	if text.Cap()-text.Len() > text.Len()/8 {
		return strings.Clone(text.String()), nil // room to grow is not accounted for
	}
	return text.String(), nil
}

// copy copies body to text through a buffer: a reader that remembers where it
// wrote cannot reach the bytes that are kept.
func (c *Cache) copy(text *strings.Builder, body io.Reader) error {
	buffer, ok := c.buffers.Get().(*[]byte)
	if !ok {
		fresh := make([]byte, piece)
		buffer = &fresh
	}
	defer c.buffers.Put(buffer)
	_, err := io.CopyBuffer(text, body, *buffer)
	return err
}

// tooLarge says that a body of size bytes, or more, cannot be kept.
func tooLarge(size, limit int64) error {
	return &cacheerr.EntryTooLargeError{Requested: size, Available: max(limit, 0)}
}

// failed says that op failed because of its entry's body.
func failed(op, reason string, err error) error {
	return &cacheerr.BackendExecutionError{Tier: tier, Op: op, Reason: reason, Err: err}
}

// stream reads until ctx is cancelled.
type stream struct {
	ctx context.Context
	r   io.Reader
}

// Read implements [io.Reader].
func (s stream) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}
