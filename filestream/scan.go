// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"iter"
	"path/filepath"
	"strings"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// shardNames returns the names of the directories that hold entries. Others
// are not ours.
func (c *Cache) shardNames() ([]string, error) {
	names, err := c.fs.ReadDir(c.entriesDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	shards := names[:0]
	for _, name := range names {
		if len(name) == 2 {
			shards = append(shards, name)
		}
	}
	return shards, err
}

// files returns the entries' files and what they look like, shard by shard;
// progress, if not nil, is told how many of all shards are done. A file that
// goes meanwhile is left out, and so is one whose name is no key's.
func (c *Cache) files(ctx context.Context, progress Progress) iter.Seq2[file, error] {
	return func(yield func(file, error) bool) {
		shards, err := c.shardNames()
		if err != nil {
			yield(file{}, err)
			return
		}
		for i, shard := range shards {
			if !c.shardFiles(ctx, shard, yield) {
				return
			}
			progress.report(i+1, len(shards))
		}
	}
}

// file is an entry's file, as a scan or the index saw it.
type file struct {
	key     interfaces.Key
	info    vfs.Info
	used    int64 // last use that is known of, Unix nanoseconds; for evictions
	missing bool  // the index has it, and the directory has not
}

func byUse(a, b file) int { return cmp.Compare(a.used, b.used) }

func (c *Cache) shardFiles(ctx context.Context, shard string, yield func(file, error) bool) bool {
	dir := c.entriesDir() + sep + shard
	names, err := c.fs.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return yield(file{}, err)
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			yield(file{}, err)
			return false
		}
		key, ours := namedKey(shard, name)
		if !ours {
			continue
		}
		info, err := c.fs.Stat(dir + sep + name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err == nil && !info.Regular:
			continue
		}
		if !yield(file{key: key, info: info}, err) {
			return false
		}
	}
	return true
}

// namedKey returns the key that a file is named by, and whether it is the name
// that we give one.
func namedKey(shard, name string) (key interfaces.Key, ours bool) {
	if len(shard) != 2 || len(name) != 2*(len(key)-1) || strings.ContainsAny(shard, "ABCDEF") || strings.ContainsAny(name, "ABCDEF") {
		return key, false
	}
	_, first := hex.Decode(key[:1], []byte(shard))
	_, rest := hex.Decode(key[1:], []byte(name))
	return key, first == nil && rest == nil
}

// Progress is told how far a scan of the directory is: done of total parts. It
// is called by one goroutine.
type Progress func(done, total int)

func (p Progress) report(done, total int) {
	if p != nil {
		p(done, total)
	}
}

// tmpBytes returns what tmp takes on disk; it counts towards the cap.
func (c *Cache) tmpBytes() int64 {
	names, err := c.fs.ReadDir(c.tmpDir())
	if err != nil {
		return 0
	}
	sum := int64(0)
	for _, name := range names {
		if info, err := c.fs.Stat(filepath.Join(c.tmpDir(), name)); err == nil {
			sum += info.Disk
		}
	}
	return sum
}
