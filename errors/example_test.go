// SPDX-License-Identifier: Apache-2.0

package errors_test

import (
	"errors"
	"fmt"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// A caller looks at what it can act on: the miss, then a category, then a leaf.
func Example() {
	for _, err := range []error{
		cacheerr.ErrDamaged,
		&cacheerr.BackendExecutionError{Tier: "disk", Op: "get", Reason: "input/output error"},
		fmt.Errorf("put: %w", &cacheerr.EntryTooLargeError{Requested: 2048, Available: 1024}),
	} {
		if errors.Is(err, cacheerr.ErrMiss) {
			fmt.Println("miss:", cacheerr.MissReason(err))
		} else if backend, ok := errors.AsType[cacheerr.BackendError](err); ok {
			tier, op := backend.Backend()
			fmt.Println("ill tier:", tier, op)
		} else if large, ok := errors.AsType[*cacheerr.EntryTooLargeError](err); ok {
			fmt.Println("too large by", large.Requested-large.Available, "bytes")
		}
	}
	// Output:
	// miss: damaged
	// ill tier: disk get
	// too large by 1024 bytes
}

// An error goes to another process as JSON and is tested for there.
func ExampleFromJSON() {
	document := cacheerr.ToJSON(&cacheerr.QueueFullError{Queue: "redis", Size: 1024})

	decoded, err := cacheerr.FromJSON(document)
	if err != nil {
		fmt.Println(err)
		return
	}
	full, ok := errors.AsType[*cacheerr.QueueFullError](decoded)
	fmt.Println(ok, full.Queue, full.Size)
	// Output: true redis 1024
}

func ExampleRedact() {
	fmt.Println(cacheerr.Redact("dial redis://user:secret@host:6379: connection refused"))
	// Output: dial redis://user:xxxxx@host:6379: connection refused
}
