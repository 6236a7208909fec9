// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/internal/pause"
)

// How often a lock file that is taken is looked at: soon at first, since most
// are held for moments, then seldom enough to cost nothing.
const (
	firstPoll = time.Millisecond
	lastPoll  = 50 * time.Millisecond
)

// Files returns the lock over the files at paths. It excludes other processes
// of the machine, and other goroutines of this one, but it orders no accesses to
// memory: guard that with a name. The system lets go of the locks of a process
// that dies.
//
// A file is created, empty, where there is none; its directory must be there.
// It is never removed, since somebody may hold it or wait for it: nobody else
// may remove it either. Paths are told apart by their text after
// [filepath.Abs]. A file that cannot be opened for writing, or be locked, is an
// [fs.PathError].
func Files(paths ...string) Lock {
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = absolute(path)
	}
	return newLock(names, func(ctx context.Context, path string, until limit) (func(), error) {
		return takeFile(ctx, path, until, (*flock.Flock).TryLock)
	})
}

// Shared is [Files] for one file and many holders: it excludes none of its kind,
// but those of Files.
func Shared(path string) Lock {
	return newLock([]string{absolute(path)}, func(ctx context.Context, path string, until limit) (func(), error) {
		return takeFile(ctx, path, until, (*flock.Flock).TryRLock)
	})
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path) // no working directory: opening the file says so
}

func takeFile(ctx context.Context, path string, until limit, try func(*flock.Flock) (bool, error)) (release func(), err error) {
	// Open for writing: network file systems lock nothing else. Whoever may
	// write to the directory's files may lock, so the umask decides.
	file := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o666))
	for poll := firstPoll; ; poll = min(2*poll, lastPoll) {
		locked, err := try(file)
		if err != nil {
			return nil, lockError(path, err)
		}
		if locked {
			// Should unlocking fail, the lock goes with the open file.
			return func() { _ = file.Unlock() }, nil
		}
		left := until.left()
		if left <= 0 {
			return nil, &cacheerr.FileLockTimeoutError{Path: path, Timeout: until.timeout}
		}
		if err := pause.For(ctx, min(poll, left)); err != nil {
			return nil, err
		}
	}
}

// lockError gives err the path, if it does not have it yet.
func lockError(path string, err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	return &fs.PathError{Op: "lock", Path: path, Err: err}
}
