// SPDX-License-Identifier: Apache-2.0

package errors

import (
	"errors"
	"strings"
)

// BackendError is the category of a tier that failed. A Get through a stack
// never returns it: there, an ill tier is a miss that is counted.
//
// Returned when:
//   - a tier cannot be reached: [BackendNotAvailableError];
//   - a tier was reached and could not do it: [BackendExecutionError].
type BackendError interface {
	SystemError

	// Backend returns the name of the tier and of the operation ("get",
	// "put"); op is "" when the tier was not reached at all.
	Backend() (tier, op string)
}

// BackendNotAvailableError says that a tier cannot be used now.
//
// Returned when:
//   - the tier's far end cannot be reached, or does not answer in time;
//   - what the tier needs is not installed;
//   - the tier's breaker is open, or its budget of time is used up.
type BackendNotAvailableError struct {
	Tier   string `json:"tier"`   // name of the tier
	Reason string `json:"reason"` // why, in the few words under which statistics count it; may be ""
	Err    error  `json:"-"`      // cause; may be nil
}

// Error implements error.
func (e *BackendNotAvailableError) Error() string {
	what := "tier " + quote(e.Tier) + " is not available"
	if e.Reason != "" {
		what += ": " + e.Reason
	}
	return message(what, e.Err, "check that it runs and can be reached, or take it out of the configuration")
}

// Unwrap returns the cause.
func (e *BackendNotAvailableError) Unwrap() error { return e.Err }

// ErrorName implements [CacheError].
func (e *BackendNotAvailableError) ErrorName() string { return "BackendNotAvailableError" }

// Transient implements [SystemError]: true, the tier may come back.
func (e *BackendNotAvailableError) Transient() bool { return true }

// Backend implements [BackendError]; op is "".
func (e *BackendNotAvailableError) Backend() (tier, op string) { return e.Tier, "" }

// BackendExecutionError says that a tier was reached and an operation failed.
//
// Returned when:
//   - a file operation fails, for another reason than the entry's absence;
//   - a server answers with an error, or with what it must not answer;
//   - the body of an entry fails while a tier reads it.
type BackendExecutionError struct {
	Tier   string `json:"tier"`   // name of the tier
	Op     string `json:"op"`     // operation, as "get" or "put"
	Reason string `json:"reason"` // what went wrong, in the few words under which statistics count it; may be ""
	Err    error  `json:"-"`      // cause; may be nil
}

// Error implements error.
func (e *BackendExecutionError) Error() string {
	what := "tier " + quote(e.Tier) + " failed to " + e.Op
	if e.Reason != "" {
		what += ": " + e.Reason
	}
	return message(what, e.Err, "mend the tier, or take it out of the configuration")
}

// Unwrap returns the cause.
func (e *BackendExecutionError) Unwrap() error { return e.Err }

// ErrorName implements [CacheError].
func (e *BackendExecutionError) ErrorName() string { return "BackendExecutionError" }

// Transient implements [SystemError]: false, the tier was there and failed.
func (e *BackendExecutionError) Transient() bool { return false }

// Backend implements [BackendError].
func (e *BackendExecutionError) Backend() (tier, op string) { return e.Tier, e.Op }

// TierFailures says that several tiers failed, and why each.
//
// Returned when:
//   - a Put found no tier that took the entry;
//   - an operation on all tiers, as Delete, Clear or Close, failed in some.
type TierFailures struct {
	Failures []TierFailure `json:"failures"` // in the order of the tiers
}

// TierFailure is one tier of a [TierFailures] and its error.
type TierFailure struct {
	Tier string `json:"tier"` // name of the tier
	Err  error  `json:"-"`    // why it failed; never nil
}

// Error implements error: one line for each tier, in their order.
func (e *TierFailures) Error() string {
	var b strings.Builder
	for i, failure := range e.Failures {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(oneLine(failure.Tier))
		if failure.Err != nil {
			b.WriteString(": " + oneLine(Redact(failure.Err.Error())))
		}
	}
	return b.String()
}

// Unwrap returns the error of each tier, in their order.
func (e *TierFailures) Unwrap() []error {
	errs := make([]error, len(e.Failures))
	for i, failure := range e.Failures {
		errs[i] = failure.Err
	}
	return errs
}

// ErrorName implements [CacheError].
func (e *TierFailures) ErrorName() string { return "TierFailures" }

// Transient implements [SystemError]: whether that of any tier is, since one
// tier is enough.
func (e *TierFailures) Transient() bool {
	for _, failure := range e.Failures {
		if err, ok := errors.AsType[SystemError](failure.Err); ok && err.Transient() {
			return true
		}
	}
	return false
}
