// SPDX-License-Identifier: Apache-2.0

package errors_test

import (
	"errors"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
)

const sampleKey = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

var errCause = errors.New("the cause")

// sample is an error of every documented type, the categories that it satisfies
// besides CacheError, and its message.
type sample struct {
	err        cacheerr.CacheError
	categories string
	message    string
}

func samples() []sample {
	return append(systemSamples(), userSamples()...)
}

func systemSamples() []sample {
	return []sample{
		{
			&cacheerr.LockTimeoutError{Lock: "index", Timeout: time.Minute}, "System",
			`lock "index" was taken for all of 1m0s; wait longer, or see what its holder is doing`,
		},
		{
			&cacheerr.FileLockTimeoutError{Path: "dir/lock", Timeout: 0}, "System",
			`lock file "dir/lock" was taken and was not to be waited for; wait longer, or end the process that holds it; do not remove the file`,
		},
		{
			&cacheerr.DeterministicCachingIMCDumpConflictError{Path: "run.dump", Key: sampleKey}, "System",
			`dump "run.dump" has other bytes for key 9f86d081884c than this process recorded, and was left as it is; remove the dump that is wrong, or dump to another file`,
		},
		{
			&cacheerr.BackendNotAvailableError{Tier: "redis", Reason: "no answer in time", Err: errCause}, "System Backend",
			`tier "redis" is not available: no answer in time: the cause; check that it runs and can be reached, or take it out of the configuration`,
		},
		{
			&cacheerr.BackendExecutionError{Tier: "disk", Op: "put", Reason: "no space", Err: errCause}, "System Backend",
			`tier "disk" failed to put: no space: the cause; mend the tier, or take it out of the configuration`,
		},
		{
			&cacheerr.QueueFullError{Queue: "redis", Size: 1024}, "System",
			`queue to tier "redis" is full with 1024 entries and did not take one more; enlarge the queue, let writers wait, or see why the tier is slow`,
		},
		{
			&cacheerr.TierFailures{Failures: []cacheerr.TierFailure{
				{Tier: "disk", Err: cacheerr.ErrReadOnly},
				{Tier: "redis", Err: errCause},
			}}, "System",
			"disk: the cache is read-only and was not changed; write to another tier, or allow writing to this one\nredis: the cause",
		},
	}
}

func userSamples() []sample {
	return append([]sample{
		{
			&cacheerr.KeyPicklingError{Type: "chan int", Value: "0xc000", Err: errCause}, "User KeyEncoding",
			`key "0xc000" of type chan int cannot be encoded: the cause; use a key of plain data, or a key encoder for this type`,
		},
		{
			&cacheerr.ValuePicklingError{Type: "func()", Value: "0xc000", Err: errCause}, "User ValueEncoding",
			`value "0xc000" of type func() cannot be encoded: the cause; store a value of plain data, or use a result codec for this type`,
		},
		{
			&cacheerr.ValueUnPicklingError{First: []byte("{\x00"), Size: 31, Type: "Result", Err: errCause}, "User ValueDecoding",
			`31 bytes that begin with "{\x00" cannot be decoded as Result: the cause; read with the codec and type that the entry was written with`,
		},
		{
			&cacheerr.EntryTooLargeError{Requested: 11, Available: 10}, "User",
			`an entry of 11 bytes does not fit where at most 10 bytes do; raise the limit, or store less in one entry`,
		},
		{
			&cacheerr.CustomParamsEncoderRequiredError{Function: "compile", Err: errCause}, "User",
			`parameters of function "compile" cannot be made a key: the cause; give the recorder an encoder for these parameters`,
		},
		{
			&cacheerr.CustomResultEncoderRequiredError{Function: "compile", Err: errCause}, "User",
			`results of function "compile" cannot be stored without an encoder: the cause; give the recorder an encoder for this result, together with its decoder`,
		},
		{
			&cacheerr.CustomResultDecoderRequiredError{Function: "compile"}, "User",
			`results of function "compile" cannot be read without a decoder; give the recorder a decoder for this result, together with its encoder`,
		},
	}, deterministicSamples()...)
}

func deterministicSamples() []sample {
	return []sample{
		{
			&cacheerr.DeterministicCachingDisabledError{}, "User",
			`deterministic caching is switched off; switch it on, or use fast caching`,
		},
		{
			&cacheerr.DeterministicCachingRequiresStrongConsistencyError{Tier: "redis"}, "User",
			`deterministic caching cannot synchronize through tier "redis", which is not strongly consistent; use a tier that is, or local determinism`,
		},
		{
			&cacheerr.DeterministicCachingInvalidConfigurationError{Why: "no mode is chosen"}, "User",
			`deterministic caching is not configured rightly: no mode is chosen; choose exactly one mode, and give it what it needs`,
		},
		{
			&cacheerr.StrictDeterministicCachingKeyNotFoundError{Function: "compile", Key: sampleKey}, "User",
			`no result of function "compile" under key 9f86d081884c, and strict caching runs nothing; record it first with a mode that is not strict`,
		},
		{
			&cacheerr.StrictDeterministicCachingInsertionError{Function: "compile", Key: sampleKey}, "User",
			`result of function "compile" under key 9f86d081884c was not stored: strict caching stores nothing; insert with a mode that is not strict`,
		},
	}
}
