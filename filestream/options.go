// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Options are the settings of a [Cache]. The zero value works.
type Options struct {
	// MaxBytes caps what the directory takes on disk, in bytes, temporary files
	// included. 0 is no cap; a negative cap is an error. It may be exceeded
	// by an eighth while an eviction runs.
	MaxBytes int64 `yaml:"max_bytes"`
	// MaxFiles caps the number of entries; 0 is no cap.
	MaxFiles int `yaml:"max_files"`
	// MaxAge is how long an entry stays that nobody uses, to an eighth of it; 0
	// is as long as there is room.
	MaxAge time.Duration `yaml:"max_age"`
	// MinFree is how much of the disk stays free, in bytes, for which entries go;
	// 0 is nothing. It is looked after at every 64th Put, and when the disk is
	// full.
	MinFree int64 `yaml:"min_free"`
	// LowWater is how far an eviction goes, in percent of the cap that was
	// exceeded; 0 is 90.
	LowWater int `yaml:"low_water"`
	// Index says what sizes and recency are kept in besides the files; "" is
	// [IndexBolt].
	Index Index `yaml:"index"`
	// Verify says when a body is compared with its checksum; "" is
	// [VerifyFirstRead].
	Verify Verify `yaml:"verify"`
	// Durability says what is synced before an entry is seen; "" is
	// [DurabilityNone].
	Durability Durability `yaml:"durability"`
	// Grace is how long an entry handed out by path is kept, since somebody
	// may read it without asking again; 0 is an hour.
	Grace time.Duration `yaml:"grace"`
	// Clock tells the time; nil is time.Now.
	Clock func() time.Time `yaml:"-"`
}

func (o Options) complete() (Options, error) {
	if o.MaxBytes < 0 {
		return o, fmt.Errorf("filestream: a cap of %d bytes keeps nothing; give a positive number of bytes, or 0 for no cap", o.MaxBytes)
	}
	if o.Grace < 0 {
		return o, fmt.Errorf("filestream: a grace of %v is in the past; give a positive duration, or 0 for an hour", o.Grace)
	}
	if err := o.checkLimits(); err != nil {
		return o, err
	}
	if err := o.Index.UnmarshalText([]byte(o.Index)); err != nil {
		return o, fmt.Errorf("filestream: index: %w", err)
	}
	if err := o.Verify.UnmarshalText([]byte(o.Verify)); err != nil {
		return o, fmt.Errorf("filestream: verify: %w", err)
	}
	if err := o.Durability.UnmarshalText([]byte(o.Durability)); err != nil {
		return o, fmt.Errorf("filestream: durability: %w", err)
	}
	if o.Grace == 0 {
		o.Grace = time.Hour
	}
	if o.LowWater == 0 {
		o.LowWater = 90
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o, nil
}

func (o Options) checkLimits() error {
	switch {
	case o.MaxFiles < 0:
		return fmt.Errorf("filestream: a cap of %d files keeps nothing; give a positive number, or 0 for no cap", o.MaxFiles)
	case o.MaxAge < 0:
		return fmt.Errorf("filestream: an age of %v is in the future; give a positive duration, or 0 for any age", o.MaxAge)
	case o.MinFree < 0:
		return fmt.Errorf("filestream: %d free bytes are less than none; give a positive number of bytes, or 0 for none", o.MinFree)
	case o.LowWater < 0 || o.LowWater > 100:
		return fmt.Errorf("filestream: a low-water mark of %d %%; give 1 to 100, or 0 for 90", o.LowWater)
	}
	return nil
}

// limited reports whether anything limits what the directory holds.
func (o Options) limited() bool {
	return o.MaxBytes > 0 || o.MaxFiles > 0 || o.MaxAge > 0 || o.MinFree > 0
}

// lookAfter is how old the last eviction may be before there is another though
// no cap is exceeded.
func (o Options) lookAfter() time.Duration {
	if o.MaxAge > 0 {
		return min(rescanAfter, max(o.MaxAge/8, time.Minute))
	}
	return rescanAfter
}

// Index says what sizes and recency are kept in besides the files.
type Index string

const (
	// IndexBolt is a bbolt file, state/index: what is oldest, and how much there
	// is, is known without looking at all files.
	IndexBolt Index = "bolt"
	// IndexNone is nothing: an eviction looks at every file, and each first use
	// in half of Grace sets a file's time of last use. It is for
	// directories on network file systems whose locks cannot be relied on.
	IndexNone Index = "none"
)

// UnmarshalText implements [encoding.TextUnmarshaler]: one of the two words, or
// nothing for the default.
func (i *Index) UnmarshalText(text []byte) (err error) {
	*i, err = word(text, IndexBolt, IndexBolt, IndexNone)
	return err
}

// Verify says when a body is compared with its checksum.
type Verify string

const (
	// VerifyAlways compares at each read.
	VerifyAlways Verify = "always"
	// VerifyFirstRead compares at the first read after the file was written by
	// somebody else, changed in any way, or the machine was started. That it has
	// not changed is told by inode, size and times (docs/design/004); where
	// the system does not tell them, it is the first read by each process.
	VerifyFirstRead Verify = "first-read"
	// VerifyNever trusts the disk. Damage of the head or the size is still
	// noticed.
	VerifyNever Verify = "never"
)

// UnmarshalText implements [encoding.TextUnmarshaler]: one of the three words,
// or nothing for the default.
func (v *Verify) UnmarshalText(text []byte) (err error) {
	*v, err = word(text, VerifyFirstRead, VerifyAlways, VerifyFirstRead, VerifyNever)
	return err
}

// Durability says what is synced before an entry is seen.
type Durability string

const (
	// DurabilityNone renames only: after a power failure recent entries may be
	// gone or damaged, and the damage is noticed.
	DurabilityNone Durability = "none"
	// DurabilityFile syncs the file before it is renamed.
	DurabilityFile Durability = "file"
	// DurabilityFull syncs the file, and after the rename its directory: an entry
	// that Put reported as stored survives a power failure.
	DurabilityFull Durability = "full"
)

// UnmarshalText implements [encoding.TextUnmarshaler]: one of the three words,
// or nothing for the default.
func (d *Durability) UnmarshalText(text []byte) (err error) {
	*d, err = word(text, DurabilityNone, DurabilityNone, DurabilityFile, DurabilityFull)
	return err
}

// word returns the one of words that text is; no text is fallback.
func word[W ~string](text []byte, fallback W, words ...W) (W, error) {
	switch {
	case len(text) == 0:
		return fallback, nil
	case slices.Contains(words, W(text)):
		return W(text), nil
	}
	known := make([]string, len(words))
	for i, w := range words {
		known[i] = string(w)
	}
	return fallback, fmt.Errorf("%q is not one of %s", text, strings.Join(known, ", "))
}
