// SPDX-License-Identifier: Apache-2.0

package errors

// DeterministicCachingDisabledError says that deterministic caching is used
// while it is switched off: answering without it would break its promise.
//
// Returned when:
//   - Get, Insert or a recorded function is called while it is switched off.
type DeterministicCachingDisabledError struct{}

// Error implements error.
func (e *DeterministicCachingDisabledError) Error() string {
	return message("deterministic caching is switched off", nil, e.Remedy())
}

// ErrorName implements [CacheError].
func (e *DeterministicCachingDisabledError) ErrorName() string {
	return "DeterministicCachingDisabledError"
}

// Remedy implements [UserError].
func (e *DeterministicCachingDisabledError) Remedy() string {
	return "switch it on, or use fast caching"
}

// DeterministicCachingRequiresStrongConsistencyError says that a tier cannot
// synchronize callers: two of them could be told different results.
//
// Returned when:
//   - deterministic caching is made over a tier without strong consistency.
type DeterministicCachingRequiresStrongConsistencyError struct {
	Tier string `json:"tier"` // name of the tier
}

// Error implements error.
func (e *DeterministicCachingRequiresStrongConsistencyError) Error() string {
	return message("deterministic caching cannot synchronize through tier "+quote(e.Tier)+", which is not strongly consistent",
		nil, e.Remedy())
}

// ErrorName implements [CacheError].
func (e *DeterministicCachingRequiresStrongConsistencyError) ErrorName() string {
	return "DeterministicCachingRequiresStrongConsistencyError"
}

// Remedy implements [UserError].
func (e *DeterministicCachingRequiresStrongConsistencyError) Remedy() string {
	return "use a tier that is, or local determinism"
}

// DeterministicCachingInvalidConfigurationError says that the settings of
// deterministic caching do not fit together.
//
// Returned when:
//   - no mode is chosen, or two that exclude each other;
//   - a mode lacks what it needs: a tier, or a dump to start from.
type DeterministicCachingInvalidConfigurationError struct {
	Why string `json:"why"` // what is wrong, in a few words
}

// Error implements error.
func (e *DeterministicCachingInvalidConfigurationError) Error() string {
	return message("deterministic caching is not configured rightly: "+e.Why, nil, e.Remedy())
}

// ErrorName implements [CacheError].
func (e *DeterministicCachingInvalidConfigurationError) ErrorName() string {
	return "DeterministicCachingInvalidConfigurationError"
}

// Remedy implements [UserError].
func (e *DeterministicCachingInvalidConfigurationError) Remedy() string {
	return "choose exactly one mode, and give it what it needs"
}

// StrictDeterministicCachingKeyNotFoundError says that a strict mode has no
// result and must not make one.
//
// Returned when:
//   - strictly pre-populated: the pre-populated memory does not have the key;
//   - strictly cached: the synchronizing tier does not have it either.
type StrictDeterministicCachingKeyNotFoundError struct {
	Function string `json:"function"` // name of the function
	Key      string `json:"key"`      // hex digits of the key
}

// Error implements error.
func (e *StrictDeterministicCachingKeyNotFoundError) Error() string {
	return message("no result of function "+quote(e.Function)+" under key "+shortKey(e.Key)+", and strict caching runs nothing",
		nil, e.Remedy())
}

// ErrorName implements [CacheError].
func (e *StrictDeterministicCachingKeyNotFoundError) ErrorName() string {
	return "StrictDeterministicCachingKeyNotFoundError"
}

// Remedy implements [UserError].
func (e *StrictDeterministicCachingKeyNotFoundError) Remedy() string {
	return "record it first with a mode that is not strict"
}

// StrictDeterministicCachingInsertionError says that a strict mode stores
// nothing.
//
// Returned when:
//   - Insert is called in a strict mode.
type StrictDeterministicCachingInsertionError struct {
	Function string `json:"function"` // name of the function
	Key      string `json:"key"`      // hex digits of the key
}

// Error implements error.
func (e *StrictDeterministicCachingInsertionError) Error() string {
	return message("result of function "+quote(e.Function)+" under key "+shortKey(e.Key)+" was not stored: strict caching stores nothing",
		nil, e.Remedy())
}

// ErrorName implements [CacheError].
func (e *StrictDeterministicCachingInsertionError) ErrorName() string {
	return "StrictDeterministicCachingInsertionError"
}

// Remedy implements [UserError].
func (e *StrictDeterministicCachingInsertionError) Remedy() string {
	return "insert with a mode that is not strict"
}
