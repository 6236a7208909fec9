// SPDX-License-Identifier: Apache-2.0

package errors

import (
	"fmt"
	"time"
)

// SystemError is the category of what is not the caller's doing: locks, files,
// machines, other processes.
//
// Returned when:
//   - a lock was not to be had: [LockTimeoutError], [FileLockTimeoutError];
//   - two dumps disagree: [DeterministicCachingIMCDumpConflictError];
//   - a tier failed: [BackendError], or several did: [TierFailures];
//   - write-behind cannot take more: [QueueFullError].
type SystemError interface {
	CacheError

	// Transient reports whether the same call may succeed later though the
	// caller changes nothing.
	Transient() bool
}

// LockTimeoutError says that a lock of this process was not free in time.
//
// Returned when:
//   - the lock stayed taken for as long as the caller would wait;
//   - the lock was taken and the caller would not wait at all.
type LockTimeoutError struct {
	Lock    string        `json:"lock"`       // name of the lock
	Timeout time.Duration `json:"timeout_ns"` // how long the caller would wait, 0 for not at all
}

// Error implements error.
func (e *LockTimeoutError) Error() string {
	return message("lock "+quote(e.Lock)+" was taken "+forHowLong(e.Timeout), nil,
		"wait longer, or see what its holder is doing")
}

// ErrorName implements [CacheError].
func (e *LockTimeoutError) ErrorName() string { return "LockTimeoutError" }

// Transient implements [SystemError]: true, the holder may let go.
func (e *LockTimeoutError) Transient() bool { return true }

// FileLockTimeoutError says that a lock file was not free in time.
//
// Returned when:
//   - another holder, in this process or another, kept the lock for as long as
//     the caller would wait;
//   - the lock was taken and the caller would not wait at all.
type FileLockTimeoutError struct {
	Path    string        `json:"path"`       // path of the lock file
	Timeout time.Duration `json:"timeout_ns"` // how long the caller would wait, 0 for not at all
}

// Error implements error.
func (e *FileLockTimeoutError) Error() string {
	return message(fmt.Sprintf("lock file %q was taken %s", e.Path, forHowLong(e.Timeout)), nil,
		"wait longer, or end the process that holds it; do not remove the file")
}

// ErrorName implements [CacheError].
func (e *FileLockTimeoutError) ErrorName() string { return "FileLockTimeoutError" }

// Transient implements [SystemError]: true, the holder may let go.
func (e *FileLockTimeoutError) Transient() bool { return true }

func forHowLong(timeout time.Duration) string {
	if timeout <= 0 {
		return "and was not to be waited for"
	}
	return "for all of " + timeout.String()
}

// DeterministicCachingIMCDumpConflictError says that the dump of an in-memory
// cache cannot be merged with the one that is there. That one is as it was.
//
// Returned when:
//   - the dump in memory and the dump on disk have different bytes for one key.
type DeterministicCachingIMCDumpConflictError struct {
	Path string `json:"path"` // path of the dump on disk
	Key  string `json:"key"`  // hex digits of the first key in conflict
}

// Error implements error.
func (e *DeterministicCachingIMCDumpConflictError) Error() string {
	return message(fmt.Sprintf("dump %q has other bytes for key %s than this process recorded, and was left as it is",
		e.Path, shortKey(e.Key)), nil, "remove the dump that is wrong, or dump to another file")
}

// ErrorName implements [CacheError].
func (e *DeterministicCachingIMCDumpConflictError) ErrorName() string {
	return "DeterministicCachingIMCDumpConflictError"
}

// Transient implements [SystemError]: false, the two dumps stay different.
func (e *DeterministicCachingIMCDumpConflictError) Transient() bool { return false }

// QueueFullError says that write-behind did not take an entry. The nearer
// tiers have it.
//
// Returned when:
//   - as many keys wait as the queue holds, and its policy is not to wait.
type QueueFullError struct {
	Queue string `json:"queue"` // name of the tier that the queue leads to
	Size  int    `json:"size"`  // how many keys the queue holds
}

// Error implements error.
func (e *QueueFullError) Error() string {
	return message(fmt.Sprintf("queue to tier %s is full with %d entries and did not take one more", quote(e.Queue), e.Size), nil,
		"enlarge the queue, let writers wait, or see why the tier is slow")
}

// ErrorName implements [CacheError].
func (e *QueueFullError) ErrorName() string { return "QueueFullError" }

// Transient implements [SystemError]: true, the queue drains.
func (e *QueueFullError) Transient() bool { return true }
