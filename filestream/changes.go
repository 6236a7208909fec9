// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"errors"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/tiercecache/tierce/boltindex"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// changes are what this process has to tell the index: entries that it stored,
// used and removed. They are gathered in memory and appended to the file
// state/changes, which costs a process some microseconds, whatever the index
// holds; whoever tends the index takes the file from there (docs/design/015). A
// nil *changes has no index to tell.
type changes struct {
	fs   vfs.FS
	path string // of the file
	full func() // called in the background when much was gathered, or something a while ago

	mu      sync.Mutex
	pending []boltindex.Change
	timer   *time.Timer
	stopped bool
	lost    bool // some were given up
}

const (
	// fullChanges is how many changes are gathered before they are written.
	fullChanges = 4096
	// oldChange is how long a change is kept to this process.
	oldChange = 10 * time.Second
	// maxChanges bounds the memory for changes that cannot be written.
	maxChanges = 1 << 16
	// mergeBytes is the length of the file at which somebody should tend the
	// index: some ten thousand changes, a quarter of a second's work at a million
	// entries.
	mergeBytes = 1 << 20
	// maxChangesBytes is the longest that the file gets when nobody does.
	maxChangesBytes = 64 << 20
)

// note gathers a change.
func (c *changes) note(change boltindex.Change) {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.pending = append(c.pending, change)
	n := len(c.pending)
	if n > maxChanges {
		c.pending, c.lost = nil, true // the index learns of them when it is compared with the files
	}
	if n == 1 && !c.stopped {
		if c.timer == nil {
			c.timer = time.AfterFunc(oldChange, c.full)
		} else {
			c.timer.Reset(oldChange)
		}
	}
	c.mu.Unlock()
	if n%fullChanges == 0 {
		c.full()
	}
}

// stored notes a new file.
func (c *changes) stored(key interfaces.Key, info vfs.Info, sum interfaces.Checksum) {
	r := recordOf(file{key: key, info: info})
	r.Checksum, r.Boot = sum, uint32(machineRun())
	c.note(boltindex.Change{Kind: boltindex.Stored, Record: r})
}

// used notes a use.
func (c *changes) used(key interfaces.Key, at int64) {
	c.note(boltindex.Change{Kind: boltindex.Used, Record: boltindex.Record{Key: key, Used: at}})
}

// removed notes that a file is gone, which was last written at a time.
func (c *changes) removed(key interfaces.Key, written int64) {
	c.note(boltindex.Change{Kind: boltindex.Removed, Record: boltindex.Record{Key: key, Stored: written}})
}

// some reports whether there is something to write.
func (c *changes) some() bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pending) > 0
}

// untold reports whether something is known to this process only.
func (c *changes) untold() bool { return c != nil && (c.lost || c.some()) }

// stop ends the calls of full.
func (c *changes) stop() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.timer != nil {
		c.timer.Stop()
	}
}

// write appends what was gathered to the file and returns its length then. The
// caller has the lock under which the file is changed.
func (c *changes) write() (length int64, err error) {
	if c == nil {
		return 0, nil
	}
	c.mu.Lock()
	pending := c.pending
	c.pending = nil
	c.mu.Unlock()
	if len(pending) == 0 {
		return 0, nil
	}
	if length, err = c.append(pending); err != nil { // the next try appends them again, behind what was torn
		c.mu.Lock()
		c.pending = append(pending, c.pending...)
		c.mu.Unlock()
	}
	return length, err
}

func (c *changes) append(pending []boltindex.Change) (length int64, err error) {
	file, err := c.fs.OpenShared(c.path)
	if err != nil {
		return 0, err
	}
	info, err := file.Stat()
	if err == nil && info.Size < maxChangesBytes {
		text := make([]byte, 0, len(pending)*boltindex.ChangeSize)
		for _, change := range pending {
			text = boltindex.AppendChange(text, change)
		}
		_, err = file.WriteAt(text, info.Size)
	}
	length = info.Size + int64(len(pending)*boltindex.ChangeSize)
	return length, errors.Join(err, file.Close())
}

// takenPath is where the file is while it is merged into the index.
func (c *changes) takenPath() string { return c.path + ".taken" }

// take puts the file aside, unless what was taken last is still there. The
// caller has the lock under which the file is changed.
func (c *changes) take() error {
	if _, err := c.fs.Stat(c.takenPath()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := c.fs.Rename(c.path, c.takenPath()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// taken returns what was put aside.
func (c *changes) taken() ([]boltindex.Change, error) {
	file, err := c.fs.Open(c.takenPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	text := make([]byte, min(info.Size, maxChangesBytes+fullChanges*boltindex.ChangeSize))
	n, _ := file.ReadAt(text, 0) // what cannot be read is found when the index is compared with the files
	return slices.Collect(boltindex.ParseChanges(text[:n])), nil
}

// drop removes what was put aside: it is in the index.
func (c *changes) drop() error {
	if err := c.fs.Remove(c.takenPath()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// recordOf returns what the index is told of a file.
func recordOf(f file) boltindex.Record {
	return boltindex.Record{Key: f.key, Disk: f.info.Disk, Used: f.info.Used(), Stored: f.info.Modified}
}
