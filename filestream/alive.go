// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tiercecache/tierce/internal/lock"
)

// alive is this process's file in state/running: it is locked, and says
// something, from the first change of an entry until everything is told. One
// that is not locked any more is of a process that was killed, and the index may
// lack what it did.
type alive struct {
	once    sync.Once
	path    string
	release func()
}

var aliveCount atomic.Uint64

// appear makes the file before the first change. Without it what this process
// does not tell is found within a day.
func (c *Cache) appear() {
	if c.index == nil {
		return
	}
	c.alive.once.Do(func() {
		if err := c.fs.MkdirAll(c.runningDir()); err != nil {
			return
		}
		path := filepath.Join(c.runningDir(), strconv.Itoa(os.Getpid())+"-"+strconv.FormatUint(aliveCount.Add(1), 10))
		release, err := lock.Files(path).Acquire(c.work, lock.Try)
		if err != nil {
			return
		}
		c.alive.path, c.alive.release = path, release
		_ = c.say(path, "untold\n") // as good as no file
	})
}

// vanish removes the file, if everything was told.
func (c *Cache) vanish(told bool) {
	c.alive.once.Do(func() {}) // it appears no more
	if c.alive.release == nil {
		return
	}
	if told {
		_ = c.fs.Remove(c.alive.path) // else somebody looks at the files in vain
	}
	c.alive.release()
}

func (c *Cache) runningDir() string { return c.statePath("running") }

func (c *Cache) suspectPath() string { return c.statePath("suspect") }

func (c *Cache) say(path, text string) error {
	file, err := c.fs.OpenShared(path)
	if err != nil {
		return err
	}
	_, err = file.WriteAt([]byte(text), 0)
	return errors.Join(err, file.Close())
}

// suspect returns the time, in Unix seconds, since which all shards have to be
// compared with their files, because a process was killed; 0 is none. The caller
// is tending.
func (c *Cache) suspect(ctx context.Context) (since int64, err error) {
	names, err := c.fs.ReadDir(c.runningDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	var dead []string
	for _, name := range names {
		path := filepath.Join(c.runningDir(), name)
		release, err := lock.Files(path).Acquire(ctx, lock.Try)
		if err != nil {
			continue // at work
		}
		info, err := c.fs.Stat(path)
		defer release()
		if err == nil && info.Size == 0 { // it went while we looked, and we made it
			_ = c.fs.Remove(path)
			continue
		}
		dead = append(dead, path)
	}
	if len(dead) > 0 {
		if err := c.say(c.suspectPath(), fmt.Sprintf("%020d\n", c.opts.Clock().Unix())); err != nil {
			return 0, err
		}
		for _, path := range dead {
			_ = c.fs.Remove(path) // else they are found again
		}
	}
	return c.suspectSince(), nil
}

// suspectSince reads what suspect wrote, also when it was another process.
func (c *Cache) suspectSince() int64 {
	file, err := c.fs.Open(c.suspectPath())
	if err != nil {
		return 0
	}
	var buf [32]byte
	n, _ := file.ReadAt(buf[:], 0) // shorter than the buffer, as it should be
	_ = file.Close()               // only read
	since, err := strconv.ParseInt(strings.TrimSpace(string(buf[:n])), 10, 64)
	if err != nil {
		return c.opts.Clock().Unix() // torn: as if it were now
	}
	return since
}
