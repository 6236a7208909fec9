// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"iter"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// Delete implements [interfaces.Deleter].
func (c *Cache) Delete(ctx context.Context, key interfaces.Key) error {
	gone, err := c.remove(ctx, "delete", []interfaces.Key{key})
	if err == nil && gone == 0 {
		return cacheerr.ErrMiss
	}
	return err
}

// remove removes the entries under keys and returns how many there were.
func (c *Cache) remove(ctx context.Context, op string, keys []interfaces.Key) (gone int, err error) {
	old, unlinked := make([]*goredis.StringCmd, len(keys)), make([]*goredis.IntCmd, len(keys))
	err = c.await(ctx, op, func(ctx context.Context) error {
		pipe := c.client.Pipeline()
		for i, key := range keys {
			old[i], unlinked[i] = c.beginning(ctx, pipe, key), pipe.Unlink(ctx, c.name(key))
		}
		return batchError(pipe.Exec(ctx))
	})
	if err != nil {
		return 0, err
	}
	var parts []*chunks
	defer func() { c.retire(ctx, parts...) }()
	for i, key := range keys {
		n, err := unlinked[i].Result()
		if err := c.failed(ctx, op, err); err != nil {
			return gone, err
		}
		gone += int(n)
		parts = append(parts, named(key, old[i].Val()))
	}
	return gone, nil
}

// Clear implements [interfaces.Clearer]: what the scan finds under the prefix is
// removed, entry by entry. Nothing else on the server is touched.
func (c *Cache) Clear(ctx context.Context) error {
	var found []interfaces.Key
	for key, err := range c.scan(ctx, "clear") {
		if err != nil {
			return err
		}
		if found = append(found, key); len(found) == scanCount {
			if _, err := c.remove(ctx, "clear", found); err != nil {
				return err
			}
			found = found[:0]
		}
	}
	if len(found) == 0 {
		return c.usable(ctx)
	}
	_, err := c.remove(ctx, "clear", found)
	return err
}

// List implements [interfaces.Lister] with SCAN: it goes through all that the
// server has, be it this cache's or not, and takes as long.
func (c *Cache) List(ctx context.Context) iter.Seq2[interfaces.Key, error] {
	return c.scan(ctx, "list")
}

// scanCount is how many names a SCAN looks at.
const scanCount = 1000

// scan returns the keys of all entries, each once.
func (c *Cache) scan(ctx context.Context, op string) iter.Seq2[interfaces.Key, error] {
	return func(yield func(interfaces.Key, error) bool) {
		masters, err := c.masters(ctx, op)
		if err != nil {
			yield(interfaces.Key{}, err)
			return
		}
		seen := make(map[interfaces.Key]struct{})
		for _, master := range masters {
			for cursor := uint64(0); ; {
				names, next, err := c.scanSome(ctx, op, master, cursor)
				if err != nil {
					yield(interfaces.Key{}, err)
					return
				}
				for _, name := range names {
					key, err := interfaces.ParseKey(strings.TrimPrefix(name, c.opts.prefix))
					if _, again := seen[key]; err != nil || again {
						continue
					}
					seen[key] = struct{}{}
					if !yield(key, nil) {
						return
					}
				}
				if cursor = next; cursor == 0 {
					break
				}
			}
		}
	}
}

// scanSome returns the names that one SCAN finds, and where the next begins.
func (c *Cache) scanSome(ctx context.Context, op string, master scanner, cursor uint64) ([]string, uint64, error) {
	var names []string
	var next uint64
	err := c.await(ctx, op, func(ctx context.Context) (err error) {
		names, next, err = master.Scan(ctx, cursor, c.opts.prefix+"[0-9a-f]*", scanCount).Result()
		return err
	})
	if err != nil {
		return nil, 0, err // names and next may still be written to
	}
	return names, next, nil
}

// scanner is a server that names what it has.
type scanner interface {
	Scan(ctx context.Context, cursor uint64, match string, count int64) *goredis.ScanCmd
}

// masters returns the servers that together have all entries.
func (c *Cache) masters(ctx context.Context, op string) ([]scanner, error) {
	if err := c.usable(ctx); err != nil {
		return nil, err
	}
	cluster, ok := c.client.(*goredis.ClusterClient)
	if !ok {
		return []scanner{c.client}, nil
	}
	var mu sync.Mutex
	var masters []scanner
	err := c.await(ctx, op, func(ctx context.Context) error {
		return cluster.ForEachMaster(ctx, func(_ context.Context, master *goredis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			masters = append(masters, master)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return masters, nil
}
