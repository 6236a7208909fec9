// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/lock"
)

// leftoverFile is the file in which a helper leaves the keys that it could not
// write behind, one after the other, to the next one for the directory. It is a
// hint: a key under which there is nothing is skipped, and the file may be
// removed at any time.
type leftoverFile string

func leftoverOf(dir string) leftoverFile { return leftoverFile(filepath.Join(dir, "state", "behind")) }

const (
	// maxLeftover is the largest leftover file in bytes: 32,768 keys. What would
	// be more is given up.
	maxLeftover = 1 << 20
	// leftoverWait is how long a helper waits for another that has the file,
	// which takes microseconds.
	leftoverWait = lock.Wait(100 * time.Millisecond)
)

// take returns the keys that were left, once: the file is empty then. Whatever
// fails, there are none.
func (f leftoverFile) take(ctx context.Context) (keys []interfaces.Key) {
	if _, err := os.Stat(string(f)); err != nil {
		return nil
	}
	_ = f.locked(ctx, func() error {
		text, err := os.ReadFile(string(f))
		if err == nil {
			err = os.Remove(string(f))
		}
		if err != nil {
			return err
		}
		for text := range slices.Chunk(text[:min(len(text), maxLeftover)], interfaces.KeySize) {
			if len(text) == interfaces.KeySize {
				keys = append(keys, interfaces.Key(text))
			}
		}
		return nil
	})
	return keys
}

// keep leaves keys.
func (f leftoverFile) keep(ctx context.Context, keys []interfaces.Key) {
	if len(keys) == 0 {
		return
	}
	text := make([]byte, 0, len(keys)*interfaces.KeySize)
	for _, key := range keys {
		text = append(text, key[:]...)
	}
	_ = f.locked(ctx, func() error { return f.write(text) }) // entries that are not sent are no error
}

func (f leftoverFile) write(text []byte) (err error) {
	file, err := os.OpenFile(string(f), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	at := info.Size() - info.Size()%interfaces.KeySize // a part of a key was written by one that was killed
	if room := max(0, maxLeftover-at); int64(len(text)) > room {
		text = text[:room]
	}
	_, err = file.WriteAt(text, at)
	return err
}

func (f leftoverFile) locked(ctx context.Context, do func() error) error {
	return lock.Files(string(f)+".lock").With(ctx, leftoverWait, do)
}
