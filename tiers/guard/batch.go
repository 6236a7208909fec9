// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"context"
	"errors"
	"iter"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// GetBatch implements [interfaces.BatchGetter]. It is given up when it does not
// move: the time that each takes is the caller's own. One from which nothing came
// is in vain, and has failed if any of its keys has.
func (c *Cache) GetBatch(ctx context.Context, keys []interfaces.Key, each func(i int, entry interfaces.Entry, err error) error) error {
	tier, err := capability[interfaces.BatchGetter](c)
	if err != nil {
		return err
	}
	k := c.read(tiers.OpGet)
	k.batch = true
	_, err = do(ctx, c, k, func(l *call) (struct{}, error) {
		return struct{}{}, tier.GetBatch(l, keys, func(i int, entry interfaces.Entry, err error) error {
			return l.deliver(each, i, entry, err)
		})
	})
	return err
}

// deliver hands an answer of a batch to the caller.
func (l *call) deliver(each func(int, interfaces.Entry, error) error, i int, entry interfaces.Entry, err error) error {
	var s *stream
	defer func() { s.idle() }() // it is the tier's again
	return l.callers(func() error {
		if err == nil {
			l.hit = true
			l.guard.meter.hit(entry.Head.Cost)
			entry, s = l.received(entry, true)
		} else if l.failed == nil && !errors.Is(err, cacheerr.ErrMiss) {
			l.failed = err
		}
		l.own = each(i, entry, err)
		return l.own
	})
}

// PutBatch implements [interfaces.BatchPutter].
func (c *Cache) PutBatch(ctx context.Context, items []interfaces.Item) error {
	tier, err := capability[interfaces.BatchPutter](c)
	if err != nil {
		return err
	}
	total := int64(0)
	for i := range items {
		total += weight(&items[i].Entry)
	}
	_, err = do(ctx, c, c.write(tiers.OpPut, total), func(l *call) (struct{}, error) {
		sent := make([]interfaces.Item, len(items))
		for i, item := range items {
			sent[i] = interfaces.Item{Key: item.Key, Entry: l.sent(item.Entry)}
		}
		return struct{}{}, tier.PutBatch(l, sent)
	})
	return err
}

// named is a key that a tier lists, or why it lists no more.
type named struct {
	key interfaces.Key
	err error
}

// List implements [interfaces.Lister].
func (c *Cache) List(ctx context.Context) iter.Seq2[interfaces.Key, error] {
	return func(yield func(interfaces.Key, error) bool) {
		tier, err := capability[interfaces.Lister](c)
		if err != nil {
			yield(interfaces.Key{}, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		names, left := make(chan named), make(chan struct{})
		defer func() {
			close(left)
			cancel()
			for range names { // until nobody sends any more
			}
		}()
		go c.list(ctx, tier, names, left)
		for n := range names {
			if !yield(n.key, n.err) {
				return
			}
		}
	}
}

// list sends what tier lists, and why it ended if it failed, until left is
// closed.
func (c *Cache) list(ctx context.Context, tier interfaces.Lister, to chan<- named, left <-chan struct{}) {
	defer close(to)
	send := func(n named) error {
		select {
		case to <- n:
			return nil
		case <-left:
			return errCut
		}
	}
	_, err := do(ctx, c, c.read(tiers.OpList), func(l *call) (struct{}, error) {
		for key, err := range tier.List(l) {
			if err == nil {
				err = l.callers(func() error { return send(named{key: key}) })
			}
			if err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		_ = send(named{err: err}) // or nobody listens any more
	}
}
