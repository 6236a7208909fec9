// SPDX-License-Identifier: Apache-2.0

// Package filestream is the tier on a local disk: each entry is a file that
// holds exactly the body, so that other tools can open it.
//
// # Layout
//
//	entries/<2 hex>/<62 hex>  bodies, named by the key
//	tmp/                      bodies on their way in
//	heads/<2 hex>/<62 hex>    heads, only where files have no attributes
//	state/                    the index, hints and statistics; it may be deleted at any moment
//
// An entry's head is the attribute user.tierce1 of its file. A directory may
// be shared with cuda.core's file-stream program cache, both ways: a file
// without a head is an entry without checksum and tag.
//
// # Concurrency
//
// Any number of goroutines and processes may use one directory. A reader sees
// the old entry, the new one or none.
//
// # Durability
//
// A rename puts the file in place when it is complete. [Durability] says what
// is synced before.
//
// # Eviction
//
// With a cap, the least recently used entries go, down to 90 % of the cap, in
// the background, in time that depends on what goes and not on what stays. An
// entry handed out by [Cache.Path] within [Options.Grace] stays. Uses count at
// once in this process; other processes learn of them within ten seconds,
// exact to half of Grace, by the index in state/, which is a hint: the files are
// the truth, and it is made anew from them when it is gone, damaged or locked.
//
// # Errors
//
// Absent: cacheerr.ErrMiss. Damage of any kind: [*DamageError], a miss; the
// file is removed. A directory that cannot be written to serves hits, and
// writes are cacheerr.ErrReadOnly. Everything else is a
// *cacheerr.BackendExecutionError with the operation and the path.
//
// # Configuration
//
//	tiers:
//	  - type: filestream
//	    options: {max_bytes: 20GiB, verify: first-read, durability: none}
package filestream

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tiercecache/tierce/boltindex"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// tierName is what errors call this tier.
const tierName = "filestream"

// Cache is the tier. Make one with [Open]; close it when done.
type Cache struct {
	dir    string
	fs     vfs.FS
	opts   Options
	heads  heads
	proofs proofs
	uses   uses
	usage  usage

	index   *boltindex.Index // nil: there is none
	changes *changes         // for it
	alive   alive

	work       context.Context // of the background
	stopWork   context.CancelFunc
	background sync.WaitGroup // eviction that runs behind a Put, and keeping what was handed out
	evicting   atomic.Bool    // or tending the index
	full       atomic.Bool    // the disk was
	puts       atomic.Uint32  // counted to look at the room on the disk now and then
	rooted     atomic.Bool    // the names of the directories above the entries' are durable
	closing    sync.Mutex     // held while background work starts, and while closed is set
	closed     atomic.Bool
	closeOnce  sync.Once
	closeErr   error
}

var (
	_ interfaces.Inserter    = (*Cache)(nil)
	_ interfaces.Deleter     = (*Cache)(nil)
	_ interfaces.Statter     = (*Cache)(nil)
	_ interfaces.Lister      = (*Cache)(nil)
	_ interfaces.Lener       = (*Cache)(nil)
	_ interfaces.Clearer     = (*Cache)(nil)
	_ interfaces.Pather      = (*Cache)(nil)
	_ interfaces.BatchPutter = (*Cache)(nil)
	_ interfaces.Consistent  = (*Cache)(nil)
	_ io.Closer              = (*Cache)(nil)
)

// Open returns the cache in the directory dir, which is made if it is missing
// (only for this user), and sweeps temporary files that a dead writer left
// more than an hour ago. It reads no entry, so it takes the same short time
// whatever the directory holds. The caller closes the cache.
//
// A path that is no directory, cannot be made or cannot be read is a
// *cacheerr.BackendNotAvailableError; bad options are an error that says why.
func Open(ctx context.Context, dir string, opts Options) (*Cache, error) {
	return open(ctx, dir, opts, vfs.OS{})
}

func open(ctx context.Context, dir string, opts Options, fs vfs.FS) (*Cache, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	opts, err := opts.complete()
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, &cacheerr.BackendNotAvailableError{Tier: tierName, Err: err}
	}
	c := &Cache{dir: dir, fs: fs, opts: opts}
	c.heads.sync = opts.Durability != DurabilityNone
	c.heads.fs, c.heads.dir, c.heads.lock = fs, filepath.Join(dir, "heads"), c.statePath("heads.lock")
	c.proofs.open = func() (vfs.File, error) { return openState(fs, c.statePath("verified")) }
	c.work, c.stopWork = context.WithCancel(context.Background()) //nolint:forbidigo // Close ends it
	if opts.Index == IndexBolt {
		c.index = boltindex.New(c.statePath("index"), boltindex.Options{Clock: opts.Clock, Exact: opts.Grace / 2})
		c.changes = &changes{fs: fs, path: c.statePath("changes"), full: c.tell}
	}
	c.usage = usage{fs: fs, path: c.statePath("usage"), lock: c.statePath("usage.lock"), now: opts.Clock, changes: c.changes}
	c.uses.every = max(opts.Grace/2, time.Second) // a tiny Grace is no reason to be busy
	c.uses.keep = func() {
		c.behind(func() {
			c.keepHandedOut()
			c.uses.again()
		})
	}
	if err := c.prepare(); err != nil {
		return nil, &cacheerr.BackendNotAvailableError{Tier: tierName, Err: err}
	}
	c.heads.probe(dir)
	return c, nil
}

// Dir returns the absolute path of the directory, or "" of a nil cache.
func (c *Cache) Dir() string {
	if c == nil {
		return ""
	}
	return c.dir
}

// Consistency implements [interfaces.Consistent]: renames and links of a local
// file system are seen by every process at once. It does not hold on a network
// file system that caches names.
func (c *Cache) Consistency() interfaces.Consistency { return interfaces.ConsistencyStrong }

// Close waits for an eviction that runs, but for no more than a second, writes
// down what this process stored and used, and lets go of the directory. The
// second Close does nothing. What other goroutines do meanwhile ends as it would
// have, or with ErrClosed.
func (c *Cache) Close() error {
	if c == nil {
		return nil
	}
	c.closeOnce.Do(func() {
		c.closing.Lock()
		c.closed.Store(true)
		c.closing.Unlock()
		c.uses.stop()
		c.changes.stop()
		enough := time.AfterFunc(closeWait, c.stopWork)
		c.background.Wait()
		length, err := c.usage.flush(context.Background(), busy) //nolint:forbidigo // closing is not the caller's to cancel
		c.vanish(err == nil && !c.changes.untold())
		c.touchLater(c.work)
		if length > mergeBytes {
			c.tendIfFree(c.work)
		}
		enough.Stop()
		c.stopWork()
		c.closeErr = errors.Join(err, c.proofs.close())
	})
	return c.closeErr
}

// closeWait is how long Close waits for what runs in the background. What is cut
// off then is done by the next process.
const closeWait = time.Second

// behind runs do in the background, unless the cache is closed. Close waits for
// it.
func (c *Cache) behind(do func()) {
	c.closing.Lock()
	defer c.closing.Unlock()
	if !c.closed.Load() {
		c.background.Go(do)
	}
}

// usable returns why the cache cannot be used now.
func (c *Cache) usable(ctx context.Context) error {
	switch {
	case c == nil:
		return errNil
	case c.closed.Load():
		return cacheerr.ErrClosed
	}
	return ctx.Err()
}

var errNil = fmt.Errorf("a nil *filestream.Cache: make one with filestream.Open: %w", cacheerr.ErrClosed)

func (c *Cache) statePath(name string) string { return filepath.Join(c.dir, "state", name) }

func (c *Cache) tmpDir() string { return filepath.Join(c.dir, "tmp") }

func (c *Cache) entriesDir() string { return filepath.Join(c.dir, "entries") }

// entryPath returns the path of the entry's file: F2 of the behaviours.
func (c *Cache) entryPath(key interfaces.Key) string { return keyPath(c.dir+sep+"entries", key) }

const sep = string(filepath.Separator)

// keyPath is dir/<2 hex>/<62 hex>, built with one allocation: it is on the path
// of every hit.
func keyPath(dir string, key interfaces.Key) string {
	buf := make([]byte, 0, 256)
	buf = append(append(buf, dir...), sep...)
	buf = append(hex.AppendEncode(buf, key[:1]), sep...)
	return string(hex.AppendEncode(buf, key[1:]))
}

// failed is an operation that the system refused, as an error of this tier.
func failed(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return &cacheerr.BackendExecutionError{Tier: tierName, Op: op, Reason: err.Error(), Err: err}
}

// notWritten is failed for an operation that writes: what this user may not do
// is read-only.
func notWritten(op string, err error) error {
	if vfs.Refused(err) {
		return &cacheerr.BackendExecutionError{
			Tier: tierName, Op: op, Reason: err.Error(), Err: errors.Join(cacheerr.ErrReadOnly, err),
		}
	}
	return failed(op, err)
}
