// SPDX-License-Identifier: Apache-2.0

// Package errors, always imported as cacheerr, is the documented set of errors
// of Tierce.
//
// # Testing for an error
//
// A sentinel is tested with [errors.Is], a type with [errors.As] or
// [errors.AsType]. A type is a leaf or a category. Leaves are structs, used as
// pointers (*cacheerr.LockTimeoutError), whose exported fields say what
// happened. Categories are interfaces, as [net.Error] is: a leaf satisfies its
// own category and every one above it, and no other.
//
//	CacheError
//	├── SystemError
//	│   ├── LockTimeoutError
//	│   ├── FileLockTimeoutError
//	│   ├── DeterministicCachingIMCDumpConflictError
//	│   ├── BackendError
//	│   │   ├── BackendNotAvailableError
//	│   │   └── BackendExecutionError
//	│   ├── QueueFullError
//	│   └── TierFailures
//	└── UserError
//	    ├── KeyEncodingError
//	    │   └── KeyPicklingError
//	    ├── ValueEncodingError
//	    │   └── ValuePicklingError
//	    ├── ValueDecodingError
//	    │   └── ValueUnPicklingError
//	    ├── EntryTooLargeError
//	    ├── CustomParamsEncoderRequiredError
//	    ├── CustomResultEncoderRequiredError
//	    ├── CustomResultDecoderRequiredError
//	    ├── DeterministicCachingDisabledError
//	    ├── DeterministicCachingRequiresStrongConsistencyError
//	    ├── DeterministicCachingInvalidConfigurationError
//	    ├── StrictDeterministicCachingKeyNotFoundError
//	    └── StrictDeterministicCachingInsertionError
//
// A miss is not in the tree: it is an answer, not a failure. [ErrMiss] is one
// bare sentinel; [ErrDamaged] and [ErrExpired] are misses with a reason, and
// [MissReason] names the reason of any of them.
//
// # Messages
//
// A message says what failed, on what, why, and what to do. Keys and values in
// it are shortened, and it has no passwords: see [Redact]. The cause is kept
// for errors.Is and errors.As. Programs look at types and fields, never at
// messages, which may change.
//
// # Between processes
//
// [ToJSON] and [FromJSON] carry an error with its type, fields and causes to
// another process, which tests for it in the same way.
package errors

// CacheError is the category of every documented error that is not a sentinel.
//
// Returned when:
//   - something around the cache failed: see [SystemError];
//   - the caller has to change something: see [UserError].
type CacheError interface {
	error

	// ErrorName returns the documented name of the error's type, such as
	// "LockTimeoutError". Statistics count by it and JSON carries it.
	ErrorName() string
}
