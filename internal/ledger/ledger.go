// SPDX-License-Identifier: Apache-2.0

// Package ledger keeps statistics of many processes in one file: each appends
// a line when it ends, and whoever asks adds the lines up.
package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/tiercecache/tierce/internal/lock"
	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/tiers"
)

// Line is what one process did, or what several did together.
type Line struct {
	tiers.Snapshot
	Since   time.Time `json:"since"`           // when the first of them began
	Damaged []Damaged `json:"damaged_entries"` // the last that were found, at most [maxDamaged]
}

// Damaged names one damaged entry.
type Damaged struct {
	Time time.Time `json:"time"` // when it was met
	What string    `json:"what"` // which entry, and what was wrong with it
}

// maxDamaged is how many damaged entries are named; all are counted.
const maxDamaged = 20

// compactAt is the length in bytes at which a ledger is replaced by its sum:
// some hundred lines.
const compactAt = 256 << 10

// wait is how long an append waits for another; each takes microseconds.
const wait = lock.Wait(200 * time.Millisecond)

// add returns the sum of two lines, l being the older.
func (l Line) add(other Line) Line {
	sum := Line{Snapshot: l.Snapshot.Add(other.Snapshot), Since: l.Since}
	if l.Since.IsZero() || !other.Since.IsZero() && other.Since.Before(l.Since) {
		sum.Since = other.Since
	}
	sum.Damaged = append(append([]Damaged{}, l.Damaged...), other.Damaged...)
	sum.Damaged = sum.Damaged[max(0, len(sum.Damaged)-maxDamaged):]
	return sum
}

// Append adds line to the ledger at path, which is made if it is missing; its
// directory must be there. A ledger that other processes keep locked for a
// fifth of a second is a cacheerr.FileLockTimeoutError, and the line is lost.
func Append(ctx context.Context, path string, line Line) error {
	text, err := json.Marshal(Line{}.add(line)) // which names no more than maxDamaged
	if err != nil {
		return err
	}
	return locked(ctx, path, func() error {
		size, err := write(path, text)
		if err == nil && size > compactAt {
			err = compact(path)
		}
		return err
	})
}

// write adds a line to the file at path and returns how long that is then.
func write(path string, text []byte) (size int64, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	text = append(text, '\n')
	if torn(file, info.Size()) {
		text = append([]byte{'\n'}, text...)
	}
	n, err := file.Write(text)
	return info.Size() + int64(n), err
}

// torn reports whether a file of size bytes ends within a line: whoever wrote it
// crashed.
func torn(file *os.File, size int64) bool {
	last := []byte{'\n'}
	if size > 0 {
		_, _ = file.ReadAt(last, size-1) // that cannot be read: write on
	}
	return last[0] != '\n'
}

// Sum adds up the ledger at path, when whoever writes to it now is done. A
// missing one is empty; a line that cannot be read is left out.
func Sum(ctx context.Context, path string) (Line, error) {
	var sum Line
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return sum.add(Line{}), nil
	}
	err := locked(ctx, path, func() (err error) {
		sum, err = read(path)
		return err
	})
	if vfs.Refused(err) { // not ours to lock, but perhaps to read
		sum, err = read(path)
	}
	return sum, err
}

func locked(ctx context.Context, path string, do func() error) error {
	return lock.Files(path+".lock").With(ctx, wait, do)
}

func read(path string) (Line, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Line{}, err
	}
	sum := Line{}.add(Line{})
	for text := range bytes.Lines(text) {
		var line Line
		if json.Unmarshal(text, &line) == nil { // else torn by a crash
			sum = sum.add(line)
		}
	}
	return sum, nil
}

// compact replaces a ledger by one with a single line.
func compact(path string) error {
	sum, err := read(path)
	if err != nil {
		return err
	}
	text, err := json.Marshal(sum)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
