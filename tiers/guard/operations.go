// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"context"
	"errors"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// Get implements [interfaces.Cache]. A stream may be read for as long as it
// moves.
func (c *Cache) Get(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	run := func(l *call) (interfaces.Entry, error) {
		entry, err := c.tier.Get(l, key)
		if err == nil {
			c.meter.hit(entry.Head.Cost)
		}
		return entry, err
	}
	tooLate := func(entry interfaces.Entry) { _ = entry.Close() } // never looked at
	entry, l, err := ask(ctx, c, c.read(tiers.OpGet), run, tooLate)
	if err != nil {
		return interfaces.Entry{}, err
	}
	if _, ok := entry.Text(); ok {
		l.stop()
		return entry, nil
	}
	l.pause()
	entry, _ = l.received(entry, false)
	return entry, nil
}

// Put implements [interfaces.Cache]. It is tried again if the body is in memory
// and small.
func (c *Cache) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	_, err := do(ctx, c, c.write(tiers.OpPut, weight(&entry)), func(l *call) (struct{}, error) {
		return struct{}{}, c.tier.Put(l, key, l.sent(entry))
	})
	return err
}

// Insert implements [interfaces.Inserter]. Of one that was given up nobody knows
// whether the tier has kept the entry.
func (c *Cache) Insert(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (bool, error) {
	tier, err := capability[interfaces.Inserter](c)
	if err != nil {
		return false, err
	}
	k := c.write(tiers.OpInsert, weight(&entry))
	k.retries = 0
	return do(ctx, c, k, func(l *call) (bool, error) { return tier.Insert(l, key, l.sent(entry)) })
}

// Stat implements [interfaces.Statter].
func (c *Cache) Stat(ctx context.Context, key interfaces.Key) (interfaces.Head, error) {
	tier, err := capability[interfaces.Statter](c)
	if err != nil {
		return interfaces.Head{}, err
	}
	return do(ctx, c, c.read(tiers.OpStat), func(l *call) (interfaces.Head, error) { return tier.Stat(l, key) })
}

// Delete implements [interfaces.Deleter].
func (c *Cache) Delete(ctx context.Context, key interfaces.Key) error {
	tier, err := capability[interfaces.Deleter](c)
	if err != nil {
		return err
	}
	k := c.write(tiers.OpDelete, 0)
	k.retries = 0 // the second would miss what the first removed
	_, err = do(ctx, c, k, func(l *call) (struct{}, error) { return struct{}{}, tier.Delete(l, key) })
	return err
}

// Len implements [interfaces.Lener].
func (c *Cache) Len(ctx context.Context) (int, error) {
	tier, err := capability[interfaces.Lener](c)
	if err != nil {
		return 0, err
	}
	return do(ctx, c, kind{op: tiers.OpList}, func(l *call) (int, error) { return tier.Len(l) })
}

// Clear implements [interfaces.Clearer].
func (c *Cache) Clear(ctx context.Context) error {
	tier, err := capability[interfaces.Clearer](c)
	if err != nil {
		return err
	}
	_, err = do(ctx, c, kind{op: tiers.OpClear}, func(l *call) (struct{}, error) { return struct{}{}, tier.Clear(l) })
	return err
}

// Ping implements [interfaces.Pinger]: the tier is asked in any case.
func (c *Cache) Ping(ctx context.Context) error {
	tier, err := capability[interfaces.Pinger](c)
	if err != nil {
		return err
	}
	k := kind{op: tiers.OpPing, timeout: c.opts.Timeout, retries: c.opts.Retries}
	_, err = do(ctx, c, k, func(l *call) (struct{}, error) { return struct{}{}, tier.Ping(l) })
	return err
}

// read returns what the guard has to know of an operation that reads.
func (c *Cache) read(op tiers.Op) kind {
	if c == nil {
		return kind{}
	}
	return kind{op: op, breaker: c.reads, timeout: c.opts.Timeout, retries: c.opts.Retries}
}

// write returns what the guard has to know of an operation that writes.
func (c *Cache) write(op tiers.Op, weight int64) kind {
	if c == nil {
		return kind{}
	}
	return kind{op: op, breaker: c.writes, timeout: c.opts.Timeout, retries: c.opts.Retries, weight: weight}
}

// capability returns the tier as a C. If it is none the error is
// [errors.ErrUnsupported].
func capability[C interfaces.Cache](c *Cache) (tier C, err error) {
	if c == nil {
		return tier, errNil
	}
	tier, ok := c.tier.(C)
	if !ok {
		return tier, errors.ErrUnsupported
	}
	return tier, nil
}
