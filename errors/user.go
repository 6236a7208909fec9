// SPDX-License-Identifier: Apache-2.0

package errors

import "fmt"

// UserError is the category of what the caller has to change: the same call
// fails again.
//
// Returned when:
//   - a key or value does not go through its encoder: [KeyEncodingError],
//     [ValueEncodingError], [ValueDecodingError];
//   - an entry is too large: [EntryTooLargeError];
//   - a recorded function lacks an encoder or decoder:
//     [CustomParamsEncoderRequiredError], [CustomResultEncoderRequiredError],
//     [CustomResultDecoderRequiredError];
//   - deterministic caching is used in a way that it forbids:
//     [DeterministicCachingDisabledError] and those after it.
type UserError interface {
	CacheError

	// Remedy returns what the caller has to change, in a few words.
	Remedy() string
}

// EntryTooLargeError says that an entry can never fit. Nothing was stored or
// evicted.
//
// Returned when:
//   - an entry is larger than the cap of a tier;
//   - an entry is larger than the largest that a tier or its policy takes.
type EntryTooLargeError struct {
	Requested int64 `json:"requested"` // size of the entry in bytes
	Available int64 `json:"available"` // the most that fits, in bytes
}

// Error implements error.
func (e *EntryTooLargeError) Error() string {
	return message(fmt.Sprintf("an entry of %d bytes does not fit where at most %d bytes do", e.Requested, e.Available),
		nil, e.Remedy())
}

// ErrorName implements [CacheError].
func (e *EntryTooLargeError) ErrorName() string { return "EntryTooLargeError" }

// Remedy implements [UserError].
func (e *EntryTooLargeError) Remedy() string { return "raise the limit, or store less in one entry" }
