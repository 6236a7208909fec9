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

// usage is how many bytes the directory takes on disk: what the file
// state/usage says, and what this process added since. The file is a hint. What
// a killed process did not write down makes it too small, until the next scan
// of the directory puts it right.
type usage struct {
	fs         vfs.FS
	path, lock string
	now        func() time.Time

	// floor is the size up to which evicting again is in vain: the last
	// eviction had to keep so much.
	floor atomic.Int64

	mu      sync.Mutex
	base    record // what the file said last
	known   bool   // whether it said anything
	asked   bool   // whether it was read at all
	pending int64  // added since, and not written down
	added   int64  // all that ever came in this process, for scans
}

// record is the content of the file.
type record struct {
	bytes   int64 // on disk
	scanned int64 // when the directory was last scanned, Unix seconds
}

// usageLine is the file's only line, of fixed length so that it is written over
// in place; one that was torn does not parse.
const usageLine = "tierce usage 1: %20d bytes, scanned %20d\n"

// maxBytes is more than any disk has, and leaves room for adding.
const maxBytes = 1 << 60

// busy is how long a process waits for another that writes the file: it holds
// the lock for some microseconds.
const busy = lock.Wait(time.Second)

// add notes that n bytes came, or went.
func (u *usage) add(n int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pending += n
	u.added += max(0, n)
}

// mark returns where a scan begins: what comes after it may or may not be seen
// by the scan, and is counted in any case.
func (u *usage) mark() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.added
}

// unwritten returns how many bytes came that other processes do not know of.
func (u *usage) unwritten() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pending
}

// total returns the bytes on disk, never less than none, and whether that is
// known.
func (u *usage) total() (int64, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.asked {
		u.base, u.known = u.read()
		u.asked = true
	}
	return max(0, u.base.bytes+u.pending), u.known
}

// scanned returns when the directory was last scanned.
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
	if _, err := fmt.Sscanf(string(buf[:n]), usageLine, &r.bytes, &r.scanned); err != nil || r.bytes < 0 || r.bytes > maxBytes {
		return record{}, false
	}
	return r, true
}

// flush writes down what came and went, if the file's lock is free in time.
func (u *usage) flush(ctx context.Context, wait lock.Wait) error {
	if u.unwritten() == 0 {
		return nil
	}
	return u.update(ctx, wait, func(r record, known bool) (record, bool) {
		r.bytes = max(0, r.bytes+u.pending)
		return r, known // what was never scanned stays unknown
	})
}

// set writes down what a scan of the directory, begun at mark, found. It is a
// hint: without it the next process scans again.
func (u *usage) set(ctx context.Context, bytes, mark int64) {
	_ = u.update(ctx, busy, func(record, bool) (record, bool) {
		return record{bytes: max(0, bytes+u.added-mark), scanned: u.now().Unix()}, true
	})
}

// update changes the file under its lock.
func (u *usage) update(ctx context.Context, wait lock.Wait, change func(record, bool) (record, bool)) error {
	err := lock.Files(u.lock).With(ctx, wait, func() error {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.asked = true
		u.base, u.known = change(u.read())
		u.pending = 0
		if !u.known {
			return nil
		}
		return u.write()
	})
	if errors.Is(err, fs.ErrNotExist) || vfs.Refused(err) {
		return nil // a directory without state, or that is not ours to write: no hint
	}
	return err
}

func (u *usage) write() error {
	file, err := u.fs.OpenShared(u.path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(offsetWriter{file}, usageLine, u.base.bytes, u.base.scanned)
	return errors.Join(err, file.Close())
}

type offsetWriter struct{ file vfs.File }

func (w offsetWriter) Write(b []byte) (int, error) { return w.file.WriteAt(b, 0) }
