// SPDX-License-Identifier: Apache-2.0

// Package boltindex is the index of a filestream directory, in one bbolt file:
// for each entry its size on disk, last use, checksum, and when it was stored;
// and all entries in the order of their last use, so that the oldest are found
// without a scan.
//
// The index is a hint: the entries' files are the truth. The file may be
// deleted, damaged or locked by somebody for ever at any moment, also while it
// is in use. What cannot be used is replaced by an empty index, which
// [Status.Why] tells, and the owner fills it again ([Index.Reconcile]).
//
// # Concurrency
//
// An [Index] holds nothing open between calls: each is one short batch under a
// lock file of its own, bounded by [Options.Timeout]. Any number of goroutines
// and processes may use one file.
//
// # Damage
//
// bbolt trusts its file: a page that points to itself ends a program. So a file
// that is not exactly as the last batch left it, in this run of the machine
// (inode, length, times; docs/design/004 has the idea), is looked through page by
// page before bbolt sees it. What goes wrong while bbolt has it mapped is a panic
// or a fault, and both are errors here.
package boltindex

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/lock"
)

// Options are the settings of an [Index]. The zero value works.
type Options struct {
	// Timeout is how long a call waits for another process that is at work on
	// the file; 0 is a second.
	Timeout time.Duration
	// Exact is how exact the order is: a use that is less than Exact after the
	// last one that the index knows is not written down. 0 writes down each.
	Exact time.Duration
	// Clock tells the time; nil is time.Now.
	Clock func() time.Time
}

// Index is the index in one file. Make one with [New]; there is nothing to
// close.
type Index struct {
	path string
	opts Options
}

// New returns the index in the file at path, whose directory exists. It touches
// no file: one that is missing is made by the first call that writes.
func New(path string, opts Options) *Index {
	if opts.Timeout <= 0 {
		opts.Timeout = time.Second
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	return &Index{path: path, opts: opts}
}

// Record is what the index knows of an entry. Times are Unix nanoseconds.
type Record struct {
	Key      interfaces.Key
	Disk     int64               // bytes on disk, in whole blocks of 512
	Used     int64               // last use
	Stored   int64               // when its file was last written
	Checksum interfaces.Checksum // zero: unknown
	Boot     uint32              // the run of the machine in which it was written; 0: unknown
}

// same reports whether two records are of one file, told by length and time.
func (r Record) same(s Record) bool { return r.Disk == s.Disk && r.Stored == s.Stored }

// Totals are sums over all entries.
type Totals struct {
	Entries int64
	Bytes   int64 // on disk
}

// Status is what the index says of itself.
type Status struct {
	Totals
	Shards    [Shards]int64 // when each was last compared with the files, Unix seconds; 0: never
	Made      time.Time     // when the file was made
	Why       string        // it was made: what was wrong with the one before
	FileBytes int64         // length of the file
}

// Complete reports whether every shard was compared with the files.
func (s Status) Complete() bool { return !slices.Contains(s.Shards[:], 0) }

// Shards is how many parts the index has: one for each first byte of a key, as
// the directory has.
const Shards = 256

// Status returns what the index says of itself. It takes the same short time
// whatever the index holds. An index that was not made yet is fs.ErrNotExist; one
// that cannot be used now is cacheerr.ErrDamaged or a
// *cacheerr.FileLockTimeoutError.
func (x *Index) Status(ctx context.Context) (Status, error) {
	var status Status
	err := x.view(ctx, func(tx *bolt.Tx) error {
		status.FileBytes = tx.Size()
		b, err := openBatch(tx)
		if err != nil {
			return err
		}
		status.Totals, status.Shards = b.totals, b.shards
		made, why := b.meta.Get(keyMade), b.meta.Get(keyWhy)
		if len(made) != 8 {
			return damaged("no time of making")
		}
		status.Made = time.Unix(0, int64(binary.BigEndian.Uint64(made)))
		status.Why = string(why)
		return nil
	})
	return status, err
}

// perBatch is how many changes are committed at once: each dirties up to three
// pages of 4 KiB, which are in memory until then.
const perBatch = 1024

// Apply writes down what changed. It sorts changes. What is older than what the
// index knows changes nothing, so it does not matter in which order processes
// tell. An index that is missing or cannot be used is made anew, which is no
// error; one at which another process is at work for longer than
// [Options.Timeout] is a *cacheerr.FileLockTimeoutError.
func (x *Index) Apply(ctx context.Context, changes []Change) error {
	slices.SortStableFunc(changes, func(a, b Change) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return x.update(ctx, func(db *bolt.DB) error {
		for some := range slices.Chunk(changes, perBatch) {
			err := x.commit(ctx, db, func(b *batch) error {
				for _, change := range some {
					if err := b.apply(change, x.opts.Exact); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Reconcile makes the index say of some shards what files says: it sorts files,
// which are all of these shards, their keys beginning with one of these bytes.
// A use that only the index knows stays. All of it is one batch: some thousand
// files at once are quickest. Errors are those of [Index.Apply].
func (x *Index) Reconcile(ctx context.Context, shards []byte, files []Record) error {
	slices.SortFunc(files, func(a, b Record) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	of := make(map[byte][]Record)
	for len(files) > 0 {
		shard := files[0].Key[0]
		end := slices.IndexFunc(files, func(r Record) bool { return r.Key[0] != shard })
		if end < 0 {
			end = len(files)
		}
		of[shard], files = files[:end], files[end:]
	}
	return x.update(ctx, func(db *bolt.DB) error {
		return x.commit(ctx, db, func(b *batch) error {
			b.dense()
			for _, shard := range shards {
				if err := b.reconcile(shard, of[shard]); err != nil {
					return err
				}
				b.shards[shard] = max(1, x.opts.Clock().Unix())
			}
			return nil
		})
	})
}

// Shard returns the records of one shard, by key. Errors are those of
// [Index.Status].
func (x *Index) Shard(ctx context.Context, shard byte) ([]Record, error) {
	var records []Record
	err := x.view(ctx, func(tx *bolt.Tx) error {
		b, err := openBatch(tx)
		if err == nil {
			records, err = b.shard(shard)
		}
		return err
	})
	return records, err
}

// commit calls do in a transaction.
func (x *Index) commit(ctx context.Context, db *bolt.DB, do func(*batch) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return db.Update(func(tx *bolt.Tx) error {
		b, err := openBatch(tx)
		if err != nil {
			return err
		}
		if err := do(b); err != nil {
			return err
		}
		return b.finish()
	})
}

// update calls do on the open file and keeps the file compact. An index that
// is missing or cannot be used is made anew.
func (x *Index) update(ctx context.Context, do func(*bolt.DB) error) error {
	return lock.Files(x.path+".lock").With(ctx, lock.For(x.opts.Timeout), func() error {
		err := x.write(do)
		why := useless(err)
		if why == "" {
			return err
		}
		if err := x.renew(why); err != nil {
			return errors.Join(err, x.forget())
		}
		return x.write(do)
	})
}

// write calls do on the file that is there.
func (x *Index) write(do func(*bolt.DB) error) error {
	sparse := false
	err := x.open(x.path, false, func(db *bolt.DB) error {
		err := do(db)
		if err == nil {
			sparse = isSparse(db)
		}
		return err
	})
	if err == nil && sparse {
		err = x.compact()
	}
	return err
}

// view calls do in a transaction that only reads.
func (x *Index) view(ctx context.Context, do func(*bolt.Tx) error) error {
	return lock.Files(x.path+".lock").With(ctx, lock.For(x.opts.Timeout), func() error {
		return x.open(x.path, true, func(db *bolt.DB) error { return db.View(do) })
	})
}
