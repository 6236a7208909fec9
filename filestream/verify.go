// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"context"
	"errors"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// Verified is what [Cache.VerifyAll] found.
type Verified struct {
	Entries    int            // that were compared and are whole
	Bytes      int64          // of their bodies
	Unverified int            // without checksum: files of another tool
	Damaged    []*DamageError // in no order; each says whether it is gone
	Removed    int            // how many of the damaged are gone now
}

// VerifyAll compares every entry with its checksum, whatever the policy and
// whatever was verified before. With repair it removes what is damaged, which
// is all the repair that a cache needs. Progress may be nil. Verifying is not a
// use.
//
// What cannot be read ends it with a *cacheerr.BackendExecutionError, as does the
// context with its error, and Verified has what was found until then. What is
// damaged and cannot be removed does not end it: the error, with
// cacheerr.ErrReadOnly in it where that is why, comes when all was compared.
func (c *Cache) VerifyAll(ctx context.Context, repair bool, progress Progress) (Verified, error) {
	var found Verified
	if err := c.usable(ctx); err != nil {
		return found, err
	}
	for f, err := range c.files(ctx, progress) {
		if err != nil {
			return found, failed("verify", err)
		}
		if err := c.verifyOne(f, repair, &found); err != nil {
			return found, err
		}
	}
	for _, damage := range found.Damaged {
		if damage.Err != nil {
			return found, notWritten("verify", damage.Err)
		}
	}
	return found, nil
}

func (c *Cache) verifyOne(f file, repair bool, found *Verified) error {
	seen, err := c.compare(f.key)
	var damage *DamageError
	switch {
	case errors.As(err, &damage):
		found.Damaged = append(found.Damaged, damage)
		if repair {
			damage.Removed, damage.Err = c.removeIfSame(f.key, seen.info)
		}
		if damage.Removed {
			found.Removed++
		}
	case errors.Is(err, cacheerr.ErrMiss): // it went meanwhile
	case err != nil:
		return err
	case seen.bare || seen.head.Checksum == interfaces.Checksum{}:
		found.Unverified++
	default:
		found.Entries++
		found.Bytes += seen.head.Size
	}
	return nil
}

// compare compares one entry with its checksum.
func (c *Cache) compare(key interfaces.Key) (look, error) {
	return c.compareIf(key, func(seen look) bool { return seen.head.Checksum != interfaces.Checksum{} })
}

// compareOnce compares one entry with its checksum if the policy asks for it.
func (c *Cache) compareOnce(key interfaces.Key) (look, error) {
	return c.compareIf(key, c.mustVerify)
}

func (c *Cache) compareIf(key interfaces.Key, must func(look) bool) (look, error) {
	file, seen, err := c.openEntry(key)
	if err != nil {
		return seen, err
	}
	if must(seen) {
		err = c.verifyFile(file, key, seen)
	}
	_ = file.Close() // only read
	return seen, err
}
