// SPDX-License-Identifier: Apache-2.0

package boltindex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// damaged is a file that is no index, or is one no more.
func damaged(format string, args ...any) error {
	return fmt.Errorf("index: "+format+": %w", append(args, cacheerr.ErrDamaged)...)
}

// errTaken is a file whose lock somebody has who is none of us: we all take the
// lock file first.
var errTaken = errors.New("index: locked by another program")

// useless returns why a file has to be made anew, or nothing for other errors.
func useless(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there was none"
	case errors.Is(err, cacheerr.ErrDamaged), errors.Is(err, errTaken):
		return err.Error()
	}
	return ""
}

// open opens the file at path, makes sure that it may be trusted, calls do and
// closes it.
func (x *Index) open(path string, readOnly bool, do func(*bolt.DB) error) error {
	proven, err := x.trust(path)
	if err != nil {
		return err
	}
	var file *os.File
	err = contained(func() error {
		db, err := bolt.Open(path, 0o644, &bolt.Options{
			Timeout:      min(x.opts.Timeout, strangerWait),
			ReadOnly:     readOnly,
			NoSync:       true, // it is a hint, and a torn one is noticed
			NoGrowSync:   true,
			FreelistType: bolt.FreelistMapType,
			OpenFile: func(path string, flag int, mode os.FileMode) (_ *os.File, err error) {
				file, err = os.OpenFile(path, flag&^os.O_CREATE, mode)
				return file, err
			},
		})
		if err != nil {
			return opened(err)
		}
		err = do(db)
		if err == nil && !(proven && readOnly) { // else it is still as it was
			x.prove(file)
		}
		return errors.Join(err, db.Close())
	})
	if errors.Is(err, cacheerr.ErrDamaged) {
		if file != nil {
			_ = file.Close() // and with it the lock, which bbolt may not have let go of when it panicked
		}
		_ = x.forget()
	}
	return err
}

// strangerWait is how long somebody may have the file who did not take the lock
// file first.
const strangerWait = 200 * time.Millisecond

// opened is an error of bolt.Open in the terms of this package.
func opened(err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return errTaken
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, bolterrors.ErrChecksum):
		return damaged("%w", err)
	}
	return err
}

// contained calls do and returns its panic, or the fault of a mapped page that
// is gone, as damage.
func contained(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = damaged("%v", cause)
		}
	}()
	return do()
}

// trust returns nil if the file is proven to be as the last batch left it, or
// else looks through all of it.
func (x *Index) trust(path string) (proven bool, err error) {
	info, err := vfs.OS{}.Stat(path)
	if err != nil {
		return false, err
	}
	if path == x.path {
		if proof, err := os.ReadFile(x.proofPath()); err == nil && string(proof) == proofOf(info) {
			return true, nil
		}
	}
	return false, checkFile(path)
}

// prove writes down that the open file is as we left it.
func (x *Index) prove(file *os.File) {
	info, err := vfs.OS{}.Stat(x.path)
	if err != nil || !isAt(file, x.path) {
		return // replaced or deleted meanwhile, or not there yet
	}
	_ = os.WriteFile(x.proofPath(), []byte(proofOf(info)), 0o644) // without it the file is looked through
}

func isAt(file *os.File, path string) bool {
	open, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(open, there)
}

func (x *Index) proofPath() string { return x.path + ".proof" }

// forget takes back that the file may be trusted.
func (x *Index) forget() error {
	err := os.Remove(x.proofPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// proofOf is a digest of everything by which a file shows that it changed, and
// of the run of the machine: what was not synced before another is not proven.
func proofOf(info vfs.Info) string {
	b := []byte(vfs.BootID())
	for _, n := range []uint64{info.ID, uint64(info.Size), uint64(info.Modified), uint64(info.Changed)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	sum := encoding.Sum(interfaces.Key{}, b)
	return string(sum[:])
}

// renew puts an empty index in the place of what is there, whoever has it open
// or locked.
func (x *Index) renew(why string) error {
	return x.replace(func(db *bolt.DB) error {
		return db.Update(func(tx *bolt.Tx) error { return create(tx, x.opts.Clock(), why) })
	})
}

// replace has fill fill a new file and puts it in the place of the one that is
// there.
func (x *Index) replace(fill func(*bolt.DB) error) error {
	path := x.path + ".new-" + strconv.Itoa(os.Getpid())
	_ = os.Remove(path) // left by a process of the same number
	if err := x.fillNew(path, fill); err != nil {
		_ = os.Remove(path) // it may not even have been made
		return err
	}
	if info, err := (vfs.OS{}).Stat(x.path); err == nil {
		_ = os.WriteFile(x.proofPath(), []byte(proofOf(info)), 0o644) // without it the file is looked through
	}
	return nil
}

// fillNew has fill fill a new file at path and puts it in the place of the one
// that is there.
func (x *Index) fillNew(path string, fill func(*bolt.DB) error) error {
	db, err := bolt.Open(path, 0o644, &bolt.Options{NoSync: true, NoGrowSync: true, FreelistType: bolt.FreelistMapType, NoStatistics: true})
	if err == nil {
		err = errors.Join(fill(db), db.Close())
	}
	if err == nil {
		err = os.Rename(path, x.path)
	}
	return err
}

// sparseBytes is the length below which it does not matter what is free in the
// file.
const sparseBytes = 1 << 20

// isSparse reports whether three quarters of the file were free when it was
// opened.
func isSparse(db *bolt.DB) bool {
	all := int64(0)
	err := db.View(func(tx *bolt.Tx) error {
		all = tx.Size()
		return nil
	})
	free := int64(db.Stats().FreePageN) * int64(db.Info().PageSize)
	return err == nil && all > sparseBytes && free > all/4*3
}

// compact rewrites the file without what is free in it.
func (x *Index) compact() error {
	return x.open(x.path, true, func(from *bolt.DB) error {
		return x.replace(func(to *bolt.DB) error { return bolt.Compact(to, from, sparseBytes) })
	})
}
