// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"errors"
	"fmt"
	"io/fs"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// Damage is what was wrong with an entry's file.
type Damage string

const (
	// BadHead is a head that cannot be read or that was made for a body of
	// another length: the file was truncated or grew.
	BadHead Damage = "length or head"
	// BadBody is a body that does not match its checksum.
	BadBody Damage = "checksum"
	// NotAFile is something else than a regular file in the entry's place.
	NotAFile Damage = "not a regular file"
)

// DamageError is a miss because of damage: errors.Is(err, cacheerr.ErrMiss)
// and errors.Is(err, cacheerr.ErrDamaged) hold. The file was removed, if it
// could be, so that the next Put heals the entry.
type DamageError struct {
	Key     interfaces.Key
	Path    string // of the entry's file
	Damage  Damage // what was wrong
	Removed bool   // the file is gone; if not, Err says why, or it was not the same any more
	Err     error  // of the removal; nil if it went well or was not tried
}

// Error implements error.
func (e *DamageError) Error() string {
	return fmt.Sprintf("entry %s is damaged (%s) and was not used: %s", e.Key.Short(), e.Damage, e.Path)
}

// Unwrap returns cacheerr.ErrDamaged.
func (e *DamageError) Unwrap() error { return cacheerr.ErrDamaged }

// dropDamaged removes the file of a damaged entry, or what is in its place, if
// it is still the one that was looked at, and returns damage. A directory that
// is not empty stays.
func (c *Cache) dropDamaged(key interfaces.Key, seen vfs.Info, damage error) error {
	if e, ok := damage.(*DamageError); ok { //nolint:errorlint // made a few lines up, never wrapped
		e.Removed, e.Err = c.removeIfSame(key, seen) // kept as it is if that is refused: still a miss
	}
	return damage
}

// removeIfSame removes an entry's file only if it is still the one that was
// looked at, and reports whether it did: another process may have replaced it
// since (F7).
func (c *Cache) removeIfSame(key interfaces.Key, seen vfs.Info) (gone bool, err error) {
	return c.removeUnless(key, seen, func(vfs.Info) bool { return false })
}

// removeUnless is removeIfSame, but for a file that keep, told what the file is
// like now, wants to stay.
func (c *Cache) removeUnless(key interfaces.Key, seen vfs.Info, keep func(vfs.Info) bool) (gone bool, err error) {
	path := c.entryPath(key)
	c.appear()
	err = c.heads.paired(func() error {
		now, err := c.fs.Stat(path)
		if err != nil || !now.Same(seen) || keep(now) {
			return err
		}
		if err := c.fs.Remove(path); err != nil {
			return err
		}
		gone = true
		c.heads.drop(key)
		return nil
	})
	if gone && seen.Regular { // nothing else was counted
		c.usage.add(-seen.Disk, -1)
		c.changes.removed(key, seen.Modified)
	}
	if errors.Is(err, fs.ErrNotExist) { // somebody else was faster
		return false, nil
	}
	return gone, err
}
