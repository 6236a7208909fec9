// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"context"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/lock"
	"github.com/tiercecache/tierce/internal/vfs"
)

// OpenFS is Open on a file system of the test's.
var OpenFS = open

// Wait waits for the eviction that runs in the background, if one does.
func (c *Cache) Wait() { c.background.Wait() }

// Total returns what the cache takes for the bytes on disk, and whether it
// knows.
func (c *Cache) Total() (int64, bool) {
	total, known := c.usage.total()
	return total.bytes, known
}

// ReadUsage returns what the file at path says.
func ReadUsage(path string) (bytes, scanned int64, known bool) {
	u := usage{fs: vfs.OS{}, path: path}
	r, known := u.read()
	return r.bytes, r.scanned, known
}

// KeepHandedOut does at once what is done at every half of Grace.
func (c *Cache) KeepHandedOut() { c.keepHandedOut() }

// SetMachineRun makes this another run of the machine until restore is called.
func SetMachineRun(run uint64) (restore func()) {
	before := machineRun
	machineRun = func() uint64 { return run }
	return func() { machineRun = before }
}

// Proofs is a table of proofs in a file.
type Proofs struct{ set proofs }

// OpenProofs returns the table in file.
func OpenProofs(file vfs.File) *Proofs {
	return &Proofs{proofs{open: func() (vfs.File, error) { return file, nil }}}
}

func (p *Proofs) Has(n uint64) bool { return p.set.has(proof(n)) }

func (p *Proofs) Add(n uint64) { p.set.add(proof(n)) }

// Bucket returns where the bucket of a proof begins, and its length.
func Bucket(n uint64) (at, length int64) { return proof(n).bucket(), bucketBytes }

// MaxUses is how many uses are remembered.
const MaxUses = maxUses

// Uses returns how many uses are remembered.
func (c *Cache) Uses() int { return len(c.uses.last) }

// NoteUse notes a use of an entry.
func (c *Cache) NoteUse(key interfaces.Key) { c.uses.note(key, c.opts.Clock(), false) }

// Tell writes down at once what other processes learn of within ten seconds.
func (c *Cache) Tell() {
	_ = c.flush(c.work, busy)
}

// Tend brings the index up to date.
func (c *Cache) Tend(ctx context.Context) error {
	return c.tending(ctx, lock.For(0), func() error {
		_, err := c.tend(ctx, nil)
		return err
	})
}

// FullChanges is how many changes are gathered.
const FullChanges = fullChanges

// NoteChange notes a use for the index.
func (c *Cache) NoteChange(key interfaces.Key) { c.changes.used(key, 1) }
