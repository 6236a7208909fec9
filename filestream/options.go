// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"fmt"
	"time"
)

// Options are the settings of a [Cache]. The zero value works.
type Options struct {
	// MaxBytes caps what the directory takes on disk, in bytes, temporary files
	// included. 0 is no cap; a negative cap is an error. It may be exceeded
	// by an eighth while an eviction runs.
	MaxBytes int64 `yaml:"max_bytes"`
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
	if err := o.Verify.UnmarshalText([]byte(o.Verify)); err != nil {
		return o, fmt.Errorf("filestream: verify: %w", err)
	}
	if err := o.Durability.UnmarshalText([]byte(o.Durability)); err != nil {
		return o, fmt.Errorf("filestream: durability: %w", err)
	}
	if o.Grace == 0 {
		o.Grace = hour
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o, nil
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
func (v *Verify) UnmarshalText(text []byte) error {
	switch word := Verify(text); word {
	case "":
		*v = VerifyFirstRead
	case VerifyAlways, VerifyFirstRead, VerifyNever:
		*v = word
	default:
		return fmt.Errorf("%q is not one of always, first-read, never", word)
	}
	return nil
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
func (d *Durability) UnmarshalText(text []byte) error {
	switch word := Durability(text); word {
	case "":
		*d = DurabilityNone
	case DurabilityNone, DurabilityFile, DurabilityFull:
		*d = word
	default:
		return fmt.Errorf("%q is not one of none, file, full", word)
	}
	return nil
}
