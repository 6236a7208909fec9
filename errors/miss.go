// SPDX-License-Identifier: Apache-2.0

package errors

import "errors"

// These errors are misses: the cache has no entry to answer with, and nobody
// is to blame. errors.Is(err, ErrMiss) holds for each of them. Returning one
// and testing for it allocates nothing.
var (
	// ErrMiss is the answer that there is no entry. Bare, it means that the
	// key is absent.
	//
	// Returned when:
	//   - Get, Stat, Path or Delete is asked for a key that is absent.
	ErrMiss = errors.New("the cache has no such entry")

	// ErrDamaged is a miss: there was an entry, but its bytes are not those
	// that were stored.
	//
	// Returned when:
	//   - an entry is shorter or longer than its head says;
	//   - an entry does not match its checksum;
	//   - the head or frame of an entry cannot be read.
	ErrDamaged error = &missError{"the cache's entry is damaged and was not used"}

	// ErrExpired is a miss: there was an entry, but its time is over.
	//
	// Returned when:
	//   - an entry is older than the time to live that the tier was given.
	ErrExpired error = &missError{"the cache's entry has expired and was not used"}
)

// These errors say that a tier cannot be used in this way.
var (
	// ErrClosed says that a tier was used after its Close.
	//
	// Returned when:
	//   - any method of a closed tier but Close is called.
	ErrClosed = errors.New("the cache is closed; keep it open for as long as it is used")

	// ErrReadOnly says that a tier takes no writes. Its entries can be read.
	//
	// Returned when:
	//   - Put, Insert, Delete or Clear is called on a tier that is configured
	//     read-only, or whose storage does not let it write.
	ErrReadOnly = errors.New("the cache is read-only and was not changed; write to another tier, or allow writing to this one")
)

// missError is a miss with a reason.
type missError struct{ text string }

func (e *missError) Error() string { return e.text }

func (e *missError) Unwrap() error { return ErrMiss }

// Reason is why a Get did not hit: the label under which statistics count it.
type Reason string

const (
	// ReasonAbsent is a key that the cache does not have.
	ReasonAbsent Reason = "absent"
	// ReasonDamaged is an entry whose bytes are not those that were stored.
	ReasonDamaged Reason = "damaged"
	// ReasonExpired is an entry whose time is over.
	ReasonExpired Reason = "expired"
	// ReasonIllTier is a tier that could not answer.
	ReasonIllTier Reason = "ill tier"
)

// MissReason returns why a Get that returned err did not hit: [ReasonIllTier]
// for every error that is not a miss, and "" for nil. It allocates nothing.
func MissReason(err error) Reason {
	switch {
	case err == nil:
		return ""
	case err == ErrMiss: //nolint:errorlint // the usual answer, told without a walk
		return ReasonAbsent
	case errors.Is(err, ErrDamaged):
		return ReasonDamaged
	case errors.Is(err, ErrExpired):
		return ReasonExpired
	case errors.Is(err, ErrMiss):
		return ReasonAbsent
	default:
		return ReasonIllTier
	}
}
