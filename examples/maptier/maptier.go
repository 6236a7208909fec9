// SPDX-License-Identifier: Apache-2.0

// Package maptier is a tier of one's own in five steps: a map with a mutex.
//
//  1. Options: a struct whose zero value works. A configuration sets its
//     fields by their names: max_body.
//  2. Open: checks the options and returns the tier, or says what is wrong.
//  3. Get and Put: the whole contract. What else the tier can do, it says by
//     having a method more, such as interfaces.Deleter's.
//  4. cachetest.Run: one call in a test proves it.
//  5. One line in your main: registry["map"] = config.Typed(maptier.Options{}, maptier.Open).
package maptier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// Options are the settings of a [Cache]. The zero value works.
type Options struct {
	// MaxBody is the largest body that the tier takes, in bytes, up to 1 GiB;
	// 0 is 16 MiB.
	MaxBody int64
}

// Cache is a tier that keeps everything it takes until the process ends. It is
// safe for many goroutines.
type Cache struct {
	maxBody int64
	mu      sync.RWMutex
	entries map[interfaces.Key]interfaces.Entry // guarded by mu; bodies in memory
}

var _ interfaces.Cache = (*Cache)(nil)

// Open returns an empty tier, or an error for a MaxBody that cannot be. There is
// nothing to close.
func Open(_ context.Context, opts Options) (*Cache, error) {
	if opts.MaxBody < 0 || opts.MaxBody > 1<<30 {
		return nil, fmt.Errorf("maptier: a largest body of %d bytes cannot be; give between 1 byte and 1 GiB", opts.MaxBody)
	}
	if opts.MaxBody == 0 {
		opts.MaxBody = 16 << 20
	}
	return &Cache{maxBody: opts.MaxBody, entries: make(map[interfaces.Key]interfaces.Entry)}, nil
}

// Get implements [interfaces.Cache].
func (c *Cache) Get(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	if err := c.usable(ctx); err != nil {
		return interfaces.Entry{}, err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	entry, ok := c.entries[key]
	if !ok {
		return interfaces.Entry{}, cacheerr.ErrMiss
	}
	return entry, nil
}

// Put implements [interfaces.Cache]. A body above MaxBody is a
// *cacheerr.EntryTooLargeError.
func (c *Cache) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	kept, err := c.inMemory(key, entry)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries[key] = kept
	return nil
}

// usable returns why nothing can be done.
func (c *Cache) usable(ctx context.Context) error {
	if c == nil {
		return &cacheerr.BackendNotAvailableError{Tier: "map", Err: errors.New("it was not opened")}
	}
	return ctx.Err()
}

// inMemory returns entry with its body in memory and its head complete, or what
// is wrong with it.
func (c *Cache) inMemory(key interfaces.Key, entry interfaces.Entry) (interfaces.Entry, error) {
	body, err := io.ReadAll(io.LimitReader(entry.Reader(), c.maxBody+1))
	if err != nil {
		return entry, failed("the body cannot be read", err)
	}
	size, sum := int64(len(body)), encoding.Sum(key, body)
	switch head := entry.Head; {
	case size > c.maxBody || head.Size > c.maxBody:
		return entry, &cacheerr.EntryTooLargeError{Requested: max(size, head.Size), Available: c.maxBody}
	case head.Size >= 0 && head.Size != size:
		return entry, failed(fmt.Sprintf("the body has %d bytes, its head says %d", size, head.Size), nil)
	case head.Checksum != sum && head.Checksum != interfaces.Checksum{}:
		return entry, failed("the body does not match its checksum", nil)
	case len(head.Tag) > interfaces.MaxTag:
		return entry, failed(fmt.Sprintf("the tag has %d bytes, more than %d", len(head.Tag), interfaces.MaxTag), nil)
	}
	head := entry.Head
	head.Checksum = sum
	if head.Time.IsZero() {
		head.Time = time.Now()
	}
	head.Time = head.Time.UTC()
	return interfaces.Bytes(body).WithHead(head), nil
}

func failed(reason string, err error) error {
	return &cacheerr.BackendExecutionError{Tier: "map", Op: "put", Reason: reason, Err: err}
}
