// SPDX-License-Identifier: Apache-2.0

package memo

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/lock"
)

// fast keeps results in a cache and lets nobody suffer from it.
type fast struct {
	cache interfaces.Cache
	locks locks
}

func (k *fast) near(ctx context.Context, c *call) (string, error) {
	return read(k.cache.Get(ctx, c.key))
}

// far takes a cache that is ill for one that has nothing.
func (k *fast) far(ctx context.Context, c *call) (string, error) {
	body, err := read(k.cache.Get(ctx, c.key))
	if err != nil && ctx.Err() == nil {
		err = cacheerr.ErrMiss
	}
	return body, err
}

func (k *fast) claim(ctx context.Context, c *call) (func(), error) {
	return k.locks.acquire(ctx, c.key)
}

// keep returns its own result also when another is there: nobody was promised
// that one.
func (k *fast) keep(ctx context.Context, c *call, body string) (string, bool, error) {
	entry := entryOf(c, body)
	kept, err := interfaces.Insert(ctx, k.cache, c.key, entry)
	if !errors.Is(err, errors.ErrUnsupported) {
		return body, kept, err
	}
	if _, err := interfaces.Stat(ctx, k.cache, c.key); err == nil {
		return body, false, nil
	}
	err = k.cache.Put(ctx, c.key, entry)
	return body, err == nil, err
}

func (k *fast) drop(ctx context.Context, c *call) bool {
	_ = interfaces.Delete(ctx, k.cache, c.key) // if it stays, the next caller drops it
	return true
}

func (k *fast) forgives() bool { return true }

func (k *fast) close(context.Context) error { return nil }

func entryOf(c *call, body string) interfaces.Entry {
	return interfaces.Text(body).WithHead(interfaces.Head{Cost: c.inFunction})
}

// locks are the lock files by which processes run a function once.
type locks struct {
	dir  string // "" if there are none
	wait time.Duration
}

// acquire waits until nobody else on this machine holds the lock of key. What
// goes wrong with a lock file is no reason not to run: who counts is decided
// when a result is recorded.
func (l locks) acquire(ctx context.Context, key interfaces.Key) (release func(), err error) {
	if l.dir == "" {
		return func() {}, nil
	}
	wait := lock.Forever
	if l.wait > 0 {
		wait = lock.For(l.wait)
	}
	release, err = lock.Files(filepath.Join(l.dir, key.String()+".lock")).Acquire(ctx, wait)
	if _, late := errors.AsType[*cacheerr.FileLockTimeoutError](err); err != nil && !late && ctx.Err() == nil {
		return func() {}, nil
	}
	return release, err
}
