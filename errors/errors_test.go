// SPDX-License-Identifier: Apache-2.0

package errors_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
)

func satisfies[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// categories returns the categories that err satisfies, as samples name them.
func categories(err error) string {
	var names []string
	for _, category := range []struct {
		name string
		ok   bool
	}{
		{"System", satisfies[cacheerr.SystemError](err)},
		{"Backend", satisfies[cacheerr.BackendError](err)},
		{"User", satisfies[cacheerr.UserError](err)},
		{"KeyEncoding", satisfies[cacheerr.KeyEncodingError](err)},
		{"ValueEncoding", satisfies[cacheerr.ValueEncodingError](err)},
		{"ValueDecoding", satisfies[cacheerr.ValueDecodingError](err)},
	} {
		if category.ok {
			names = append(names, category.name)
		}
	}
	return strings.Join(names, " ")
}

// asItself reports whether errors.As finds want's concrete type in err, and
// want in it.
func asItself(err error, want cacheerr.CacheError) bool {
	target := reflect.New(reflect.TypeOf(want))
	return errors.As(err, target.Interface()) && target.Elem().Interface() == want
}

func TestTree(t *testing.T) {
	for _, s := range samples() {
		name := reflect.TypeOf(s.err).Elem().Name()
		t.Run("E1 "+name, func(t *testing.T) {
			wrapped := fmt.Errorf("on the way: %w", s.err)
			if !asItself(wrapped, s.err) {
				t.Errorf("errors.As does not find the concrete type in %v", wrapped)
			}
			if !satisfies[cacheerr.CacheError](wrapped) {
				t.Error("it is no CacheError")
			}
			if got := categories(wrapped); got != s.categories {
				t.Errorf("categories = %q, want %q", got, s.categories)
			}
			if got := s.err.ErrorName(); got != name {
				t.Errorf("ErrorName = %q, want %q", got, name)
			}
		})
	}
	t.Run("E1 sentinels and foreign errors are in no branch", func(t *testing.T) {
		for _, err := range append(sentinels(), errCause) {
			if satisfies[cacheerr.CacheError](err) || categories(err) != "" {
				t.Errorf("%v is in a branch: %s", err, categories(err))
			}
		}
	})
}

func TestAccessors(t *testing.T) {
	execution := &cacheerr.BackendExecutionError{Tier: "disk", Op: "put"}
	if tier, op := execution.Backend(); tier != "disk" || op != "put" {
		t.Errorf("Backend = %q, %q, want disk, put", tier, op)
	}
	away := &cacheerr.BackendNotAvailableError{Tier: "redis"}
	if tier, op := away.Backend(); tier != "redis" || op != "" {
		t.Errorf("Backend = %q, %q, want redis and no operation", tier, op)
	}
	if got := (&cacheerr.KeyPicklingError{Type: "chan int"}).KeyType(); got != "chan int" {
		t.Errorf("KeyType = %q, want chan int", got)
	}
	if got := (&cacheerr.ValuePicklingError{Type: "func()"}).ValueType(); got != "func()" {
		t.Errorf("ValueType = %q, want func()", got)
	}
	if got := (&cacheerr.ValueUnPicklingError{Type: "Result"}).WantedType(); got != "Result" {
		t.Errorf("WantedType = %q, want Result", got)
	}
}

func TestTransient(t *testing.T) {
	want := map[string]bool{
		"LockTimeoutError":                         true,
		"FileLockTimeoutError":                     true,
		"DeterministicCachingIMCDumpConflictError": false,
		"BackendNotAvailableError":                 true,
		"BackendExecutionError":                    false,
		"QueueFullError":                           true,
		"TierFailures":                             false,
	}
	for _, s := range systemSamples() {
		name := s.err.ErrorName()
		if got := s.err.(cacheerr.SystemError).Transient(); got != want[name] {
			t.Errorf("Transient of %s = %v, want %v", name, got, want[name])
		}
	}
	failures := &cacheerr.TierFailures{Failures: []cacheerr.TierFailure{
		{Tier: "disk", Err: cacheerr.ErrReadOnly},
		{Tier: "redis", Err: &cacheerr.BackendNotAvailableError{Tier: "redis"}},
	}}
	if !failures.Transient() {
		t.Error("failures with a tier that may come back are not transient")
	}
}

func TestCauses(t *testing.T) {
	for _, s := range samples() {
		if !strings.Contains(s.message, errCause.Error()) {
			continue
		}
		t.Run("E4 "+s.err.ErrorName()+" keeps its cause", func(t *testing.T) {
			if !errors.Is(s.err, errCause) {
				t.Error("errors.Is does not find the cause")
			}
		})
	}
	t.Run("E4 every field Err is unwrapped", func(t *testing.T) {
		for _, s := range samples() {
			field := reflect.ValueOf(s.err).Elem().FieldByName("Err")
			if field.IsValid() && !errors.Is(s.err, field.Interface().(error)) {
				t.Errorf("%s does not unwrap to its Err", s.err.ErrorName())
			}
		}
	})
}

func TestTierFailures(t *testing.T) {
	away := &cacheerr.BackendNotAvailableError{Tier: "redis", Err: errors.Join(errCause, errors.New("and\r\nanother"))}
	err := error(&cacheerr.TierFailures{Failures: []cacheerr.TierFailure{
		{Tier: "disk", Err: cacheerr.ErrReadOnly}, {Tier: "redis", Err: away}, {Tier: "s3"},
	}})
	t.Run("E4 TierFailures unwraps to all", func(t *testing.T) {
		if !errors.Is(err, cacheerr.ErrReadOnly) || !errors.Is(err, errCause) || !asItself(err, away) {
			t.Errorf("a tier's error is not found in %v", err)
		}
	})
	t.Run("E4 TierFailures prints one line for each tier in order", func(t *testing.T) {
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != 3 {
			t.Fatalf("%d lines, want 3:\n%v", len(lines), err)
		}
		for i, want := range []string{"disk: the cache is read-only", `redis: tier "redis" is not available: the cause; and; another`, "s3"} {
			if !strings.HasPrefix(lines[i], want) || strings.Contains(lines[i], "\r") {
				t.Errorf("line %d = %q, want it to begin with %q", i, lines[i], want)
			}
		}
	})
}
