// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tiercecache/tierce/internal/lock"
	"github.com/tiercecache/tierce/internal/vfs"
)

// usage is how much the directory holds: what the file state/usage says, and
// what this process added since. The file is a hint. What a killed process did
// not write down makes it too small, until the next eviction puts it right.
type usage struct {
	fs         vfs.FS
	path, lock string
	now        func() time.Time
	changes    *changes // written down under the same lock
	fresh      bool     // this process has made the directory: what no file tells is nothing

	// floor is the size up to which evicting again is in vain: the last
	// eviction had to keep so much. fileFloor is the same for the number.
	floor, fileFloor atomic.Int64

	mu      sync.Mutex
	base    record // what the file said last
	known   bool   // whether it said anything
	asked   bool   // whether it was read at all
	pending amount // added since, and not written down
	added   amount // all that ever came in this process, for scans
}

// amount is what files are, or were, in the directory.
type amount struct {
	bytes int64 // on disk
	files int64
}

func (a amount) plus(b amount) amount { return amount{a.bytes + b.bytes, a.files + b.files} }

func (a amount) minus(b amount) amount { return amount{a.bytes - b.bytes, a.files - b.files} }

// floored is an amount that is never less than none.
func (a amount) floored() amount { return amount{max(0, a.bytes), max(0, a.files)} }

// record is the content of the file.
type record struct {
	amount
	scanned int64 // when that was last found to be so, Unix seconds
}

// usageLine is the file's only line, of fixed length so that it is written over
// in place; one that was torn does not parse.
const usageLine = "tierce usage 2: %20d bytes, %20d files, scanned %20d\n"

// maxBytes is more than any disk has, and leaves room for adding.
const maxBytes = 1 << 60

// busy is how long a process waits for another that writes the file: it holds
// the lock for some microseconds.
const busy = lock.Wait(time.Second)

// add notes that something came, or went.
func (u *usage) add(bytes, files int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := amount{bytes, files}
	u.pending = u.pending.plus(n)
	u.added = u.added.plus(n.floored())
}

// mark returns where a scan begins: what comes after it may or may not be seen
// by the scan, and is counted in any case.
func (u *usage) mark() amount {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.added
}

// unwritten returns how many bytes came that other processes do not know of.
func (u *usage) unwritten() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pending.bytes
}

// total returns what there is, never less than nothing, and whether that is
// known.
func (u *usage) total() (amount, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.asked {
		u.base, u.known, _ = u.know()
		u.asked = true
	}
	return u.base.plus(u.pending).floored(), u.known
}

// scanned returns when the file was last put right.
func (u *usage) scanned() time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return time.Unix(u.base.scanned, 0)
}

func (u *usage) read() (record, bool) {
	file, err := u.fs.Open(u.path)
	if err != nil {
		return record{}, false
	}
	var buf [128]byte
	n, _ := file.ReadAt(buf[:], 0) // shorter than the buffer, as it should be
	_ = file.Close()               // only read
	var r record
	_, err = fmt.Sscanf(string(buf[:n]), usageLine, &r.bytes, &r.files, &r.scanned)
	if err != nil || min(r.bytes, r.files) < 0 || max(r.bytes, r.files) > maxBytes {
		return record{}, false
	}
	return r, true
}

// flush writes down what came and went, and the changes, if the file's lock is
// free in time. It returns the length of the changes' file, 0 if none were
// written: those that cannot be are a hint less.
func (u *usage) flush(ctx context.Context, wait lock.Wait) (length int64, err error) {
	u.mu.Lock()
	nothing := u.pending == amount{}
	u.mu.Unlock()
	if nothing && !u.changes.some() {
		return 0, nil
	}
	err = u.update(ctx, wait, u.plusPending, func() error {
		length, _ = u.changes.write()
		return nil
	})
	return length, hint(err)
}

// plusPending is what the file says with what is pending here; what was never
// scanned stays unknown.
func (u *usage) plusPending(r record, known bool) (record, bool) {
	r.amount = r.plus(u.pending).floored()
	return r, known
}

// set writes down what a scan of the directory, begun at mark, found. It is a
// hint: without it the next process scans again.
func (u *usage) set(ctx context.Context, found, mark amount) {
	_ = u.update(ctx, busy, func(record, bool) (record, bool) {
		return record{found.plus(u.added).minus(mark).floored(), u.now().Unix()}, true
	}, func() error { return nil })
}

// take writes down everything, puts the changes of all processes aside to be
// merged, and returns what the file said then.
func (u *usage) take(ctx context.Context) (before amount, known bool, err error) {
	err = u.update(ctx, busy, func(r record, ok bool) (record, bool) {
		r, ok = u.plusPending(r, ok)
		before, known = r.amount, ok
		return r, ok
	}, func() error {
		if _, err := u.changes.write(); err != nil {
			return err
		}
		return u.changes.take()
	})
	return before, known, err
}

// correct writes down that there was so much when the file said before: what
// came and went since is kept.
func (u *usage) correct(ctx context.Context, found, before amount, known bool) {
	_ = u.update(ctx, busy, func(r record, still bool) (record, bool) {
		if !known || !still {
			r.amount, before = amount{}, amount{}
		}
		return record{r.plus(found).minus(before).plus(u.pending).floored(), u.now().Unix()}, true
	}, func() error { return nil })
}

// update changes the file under its lock, and then calls do.
func (u *usage) update(ctx context.Context, wait lock.Wait, change func(record, bool) (record, bool), do func() error) error {
	return lock.Files(u.lock).With(ctx, wait, func() error {
		if err := u.rewrite(change); err != nil {
			return err
		}
		return do()
	})
}

func (u *usage) rewrite(change func(record, bool) (record, bool)) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked = true
	r, known, first := u.know()
	u.base, u.known = change(r, known)
	u.pending = amount{}
	if !u.known {
		return nil
	}
	err := u.write()
	if !first {
		return err
	}
	u.fresh, u.known = false, err == nil // what was never told stays unknown, as without this
	return nil
}

// know returns what the file says. Of a directory that is new to everybody that is
// nothing, for the first time.
func (u *usage) know() (r record, known, first bool) {
	if r, known = u.read(); known || !u.fresh {
		return r, known, false
	}
	return record{scanned: u.now().Unix()}, true, true
}

// hint makes nothing of an error that means that there is no place for hints: a
// directory without state, or that is not ours to write.
func hint(err error) error {
	if errors.Is(err, fs.ErrNotExist) || vfs.Refused(err) {
		return nil
	}
	return err
}

func (u *usage) write() error {
	file, err := u.fs.OpenShared(u.path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(offsetWriter{file}, usageLine, u.base.bytes, u.base.files, u.base.scanned)
	return errors.Join(err, file.Close())
}

type offsetWriter struct{ file vfs.File }

func (w offsetWriter) Write(b []byte) (int, error) { return w.file.WriteAt(b, 0) }
