// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/tiercecache/tierce/boltindex"
	"github.com/tiercecache/tierce/internal/lock"
)

// Usage is what the directory holds.
type Usage struct {
	Entries  int   // files of entries
	Bytes    int64 // on disk, in whole blocks, temporary files included: what the cap is for
	Overhead int64 // on disk besides: directories, index, statistics
	Index    IndexState
}

// IndexState is how the index is.
type IndexState struct {
	Used  bool      // the figures are the index's; else every file was looked at
	Why   string    // it is not used; or, if it is, why it had to be made
	Made  time.Time // when it was made
	Bytes int64     // length of its file
}

// Usage returns what the directory holds now: at once from the index, once that
// is complete, or else by a look at the files. Progress may be nil. An index that
// cannot be used is no error; a directory that cannot be listed, or a file that
// cannot be looked at, is a *cacheerr.BackendExecutionError, and the end of the
// context is its error.
func (c *Cache) Usage(ctx context.Context, progress Progress) (Usage, error) {
	if err := c.usable(ctx); err != nil {
		return Usage{}, err
	}
	sum, err := c.usageIndexed(ctx, progress)
	if err != nil {
		if ctx.Err() != nil {
			return Usage{}, ctx.Err()
		}
		why := err.Error()
		if sum, err = c.usageScanned(ctx, progress); err != nil {
			return sum, failed("scan", err)
		}
		sum.Index.Why = why
	}
	sum.Overhead, err = c.overhead()
	return sum, failed("scan", err)
}

// usageIndexed asks the index, which is brought up to date first, unless
// another process is at that.
func (c *Cache) usageIndexed(ctx context.Context, progress Progress) (Usage, error) {
	var status boltindex.Status
	err := c.tending(ctx, lock.For(time.Second), func() (err error) {
		status, err = c.tend(ctx, progress)
		return err
	})
	if isTaken(err) && c.index != nil {
		if status, err = c.index.Status(ctx); err == nil && !status.Complete() {
			err = errIncomplete
		}
	}
	if err != nil {
		return Usage{}, err
	}
	return Usage{
		Entries: int(status.Entries),
		Bytes:   status.Bytes + c.tmpBytes(),
		Index:   IndexState{Used: true, Why: status.Why, Made: status.Made, Bytes: status.FileBytes},
	}, nil
}

// usageScanned looks at every file.
func (c *Cache) usageScanned(ctx context.Context, progress Progress) (Usage, error) {
	mark := c.usage.mark()
	sum := Usage{Bytes: c.tmpBytes()}
	for f, err := range c.files(ctx, progress) {
		if err != nil {
			return sum, err
		}
		sum.Entries++
		sum.Bytes += f.info.Disk
	}
	c.usage.set(ctx, amount{sum.Bytes, int64(sum.Entries)}, mark)
	return sum, nil
}

// overhead returns what everything in the directory takes on disk but entries
// and temporary files.
func (c *Cache) overhead() (sum int64, err error) {
	for _, dir := range []string{"", "entries", "state"} {
		path := filepath.Join(c.dir, dir)
		names, err := c.fs.ReadDir(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return sum, err
		}
		for _, name := range names {
			if info, err := c.fs.Stat(filepath.Join(path, name)); err == nil { // else it is gone
				sum += info.Disk
			}
		}
	}
	if info, err := c.fs.Stat(c.dir); err == nil {
		sum += info.Disk
	}
	return sum, nil
}
