// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/tiercecache/tierce/internal/vfs"
)

const readme = `This directory is used by Tierce, a cache (github.com/tiercecache/tierce).

  entries/  one file for each entry: exactly its body, named by its key
  tmp/      entries that are being written
  heads/    what is known of entries, where files have no attributes
  state/    hints and statistics

It may be deleted at any moment; what is lost is made again when it is needed.
"tierce stats", "tierce verify", "tierce gc" and "tierce clear" look after it.
Other files in it are left alone. cuda.core's file-stream program cache may use
the same directory.
`

// cacheTag tells backup programs to pass the directory over; the first line is
// fixed by bford.info/cachedir.
const cacheTag = `Signature: 8a477f597d28d172789f06886806bc55
# This directory is a cache made by Tierce.
`

// prepare makes the directory if it is new and sweeps what dead writers left.
// For a directory that is there it is one look into tmp, and one for state.
func (c *Cache) prepare() error {
	names, err := c.fs.ReadDir(c.tmpDir())
	if errors.Is(err, fs.ErrNotExist) {
		return c.create()
	}
	if err != nil {
		return c.explain(err)
	}
	c.sweep(names)
	if _, err := c.fs.Stat(c.statePath("")); errors.Is(err, fs.ErrNotExist) { // another tool made it
		return c.create()
	}
	return nil
}

// explain returns why the directory cannot be used in the user's terms.
func (c *Cache) explain(err error) error {
	if info, statErr := c.fs.Stat(c.dir); statErr == nil && info.Regular {
		return fmt.Errorf("%s is a file, and a cache needs a directory: %w", c.dir, err)
	}
	return err
}

func (c *Cache) create() error {
	_, err := c.fs.Stat(c.entriesDir())
	empty := errors.Is(err, fs.ErrNotExist)
	for _, dir := range []string{c.entriesDir(), c.tmpDir(), c.statePath("")} {
		if err := c.fs.MkdirAll(dir); err != nil {
			return c.readable(c.explain(err))
		}
	}
	for name, text := range map[string]string{"README": readme, "CACHEDIR.TAG": cacheTag} {
		file, err := c.fs.Create(filepath.Join(c.dir, name))
		if err != nil {
			continue // there already, or not to be had: nothing depends on it
		}
		_, _ = file.Write([]byte(text))
		_ = file.Close()
	}
	c.usage.fresh = empty
	return nil
}

// openState opens a file of state, which may have been deleted or never made.
func openState(fsys vfs.FS, path string) (vfs.File, error) {
	file, err := fsys.OpenShared(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := fsys.MkdirAll(filepath.Dir(path)); err != nil {
			return nil, err
		}
		file, err = fsys.OpenShared(path)
	}
	return file, err
}

// readable returns nil when the directory has entries to serve although it
// could not be completed, and err otherwise.
func (c *Cache) readable(err error) error {
	if info, statErr := c.fs.Stat(c.entriesDir()); statErr == nil && info.Dir {
		return nil
	}
	return err
}

// atWork is how long a temporary file may be that of a writer that is at work.
const atWork = time.Hour

// sweep removes files of tmp that are older than that.
func (c *Cache) sweep(names []string) {
	for _, name := range names {
		path := filepath.Join(c.tmpDir(), name)
		info, err := c.fs.Stat(path)
		if err == nil && info.Regular && c.opts.Clock().Sub(time.Unix(0, info.Modified)) > atWork {
			_ = c.fs.Remove(path)
		}
	}
}
