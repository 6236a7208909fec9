// SPDX-License-Identifier: Apache-2.0

package errors_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// overJSON returns err after a way through another process.
func overJSON(t *testing.T, err error) error {
	t.Helper()
	decoded, bad := cacheerr.FromJSON(cacheerr.ToJSON(err))
	if bad != nil {
		t.Fatalf("FromJSON: %v", bad)
	}
	return decoded
}

// fieldsOf returns the exported fields of a leaf but for its causes.
func fieldsOf(err error) string {
	v := reflect.ValueOf(err).Elem()
	var b strings.Builder
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; name != "Err" && name != "Failures" {
			fmt.Fprintf(&b, "%s=%#v ", name, v.Field(i).Interface())
		}
	}
	return b.String()
}

func TestJSONLeaves(t *testing.T) {
	for _, s := range samples() {
		t.Run("E5 "+s.err.ErrorName(), func(t *testing.T) {
			got := overJSON(t, fmt.Errorf("on the way: %w", s.err))
			found := reflect.New(reflect.TypeOf(s.err))
			if !errors.As(got, found.Interface()) {
				t.Fatalf("%#v has no %T", got, s.err)
			}
			leaf := found.Elem().Interface().(error)
			if fieldsOf(leaf) != fieldsOf(s.err) {
				t.Errorf("fields\n got %s\nwant %s", fieldsOf(leaf), fieldsOf(s.err))
			}
			if leaf.Error() != s.message || got.Error() != "on the way: "+s.message {
				t.Errorf("message\n got %s\nwant %s", got, s.message)
			}
			if categories(got) != s.categories {
				t.Errorf("categories = %q, want %q", categories(got), s.categories)
			}
		})
	}
}

func TestJSONSentinels(t *testing.T) {
	known := append(sentinels(), context.Canceled, context.DeadlineExceeded,
		fs.ErrNotExist, fs.ErrPermission, errors.ErrUnsupported)
	for _, sentinel := range known {
		t.Run("E5 "+sentinel.Error(), func(t *testing.T) {
			if got := overJSON(t, sentinel); got != sentinel {
				t.Errorf("got %#v, want itself", got)
			}
			wrapped := &cacheerr.BackendExecutionError{Tier: "disk", Err: fmt.Errorf("on the way: %w", sentinel)}
			got := overJSON(t, wrapped)
			for _, other := range known {
				if errors.Is(got, other) != errors.Is(wrapped, other) {
					t.Errorf("errors.Is(got, %v) = %v", other, errors.Is(got, other))
				}
			}
		})
	}
	t.Run("E5 nil", func(t *testing.T) {
		if got := overJSON(t, nil); got != nil {
			t.Errorf("got %v, want nil", got)
		}
	})
}

func TestJSONForeign(t *testing.T) {
	t.Run("E5 an error of the system is still the sentinel that it claims to be", func(t *testing.T) {
		_, err := os.Open(filepath.Join(t.TempDir(), "absent"))
		got := overJSON(t, err)
		if got.Error() != err.Error() || !errors.Is(got, fs.ErrNotExist) || errors.Is(got, fs.ErrPermission) {
			t.Errorf("got %v, want %v", got, err)
		}
	})
	t.Run("E5 a foreign error keeps its text and its causes", func(t *testing.T) {
		lock := &cacheerr.LockTimeoutError{Lock: "index"}
		err := errors.Join(errCause, fmt.Errorf("flush: %w", lock))
		got := overJSON(t, overJSON(t, err))
		found, ok := errors.AsType[*cacheerr.LockTimeoutError](got)
		if got.Error() != err.Error() || !ok || *found != *lock {
			t.Errorf("got %v, want %v", got, err)
		}
	})
	t.Run("E5 a leaf of a later version keeps its text and its causes", func(t *testing.T) {
		got, err := cacheerr.FromJSON([]byte(`{"error":"NewError","text":"it failed","fields":{"a":1},"causes":[{"error":"ErrClosed","text":""}]}`))
		if err != nil || got.Error() != "it failed" || !errors.Is(got, cacheerr.ErrClosed) {
			t.Errorf("got %v, %v", got, err)
		}
	})
	t.Run("E5 a foreign type that borrows a name stays foreign", func(t *testing.T) {
		got := overJSON(t, borrowed{errCause})
		if got.Error() != errCause.Error() || satisfies[cacheerr.CacheError](got) {
			t.Errorf("got %#v, want an opaque error", got)
		}
	})
}

type borrowed struct{ error }

func (borrowed) ErrorName() string { return "QueueFullError" }

func TestJSONFailures(t *testing.T) {
	t.Run("E5 TierFailures keeps each tier's error in order", func(t *testing.T) {
		got := overJSON(t, &cacheerr.TierFailures{Failures: []cacheerr.TierFailure{
			{Tier: "disk", Err: cacheerr.ErrReadOnly}, {Tier: "none"}, {Tier: "redis", Err: &cacheerr.QueueFullError{Size: 3}},
		}})
		failures, ok := got.(*cacheerr.TierFailures)
		if !ok || len(failures.Failures) != 3 {
			t.Fatalf("got %#v", got)
		}
		for i, tier := range []string{"disk", "none", "redis"} {
			if failures.Failures[i].Tier != tier {
				t.Errorf("tier %d = %q, want %q", i, failures.Failures[i].Tier, tier)
			}
		}
		full, ok := failures.Failures[2].Err.(*cacheerr.QueueFullError)
		if failures.Failures[0].Err != cacheerr.ErrReadOnly || failures.Failures[1].Err != nil || !ok || full.Size != 3 {
			t.Errorf("failures = %#v", failures.Failures)
		}
	})
}

func TestJSONForm(t *testing.T) {
	err := &cacheerr.BackendExecutionError{Tier: "disk", Op: "put", Err: cacheerr.ErrReadOnly}
	want := `{"error":"BackendExecutionError",` +
		`"text":"tier \"disk\" failed to put: ` + cacheerr.ErrReadOnly.Error() + `; mend the tier, or take it out of the configuration",` +
		`"fields":{"tier":"disk","op":"put","reason":""},` +
		`"causes":[{"error":"ErrReadOnly","text":"` + cacheerr.ErrReadOnly.Error() + `"}]}`
	if got := string(cacheerr.ToJSON(err)); got != want {
		t.Errorf("ToJSON\n got %s\nwant %s", got, want)
	}
}

func nested(depth int) string {
	return strings.Repeat(`{"text":"a","causes":[`, depth) + `{"text":"a"}` + strings.Repeat(`]}`, depth)
}

func TestJSONHostile(t *testing.T) {
	for _, test := range []struct{ name, data, want string }{
		{"nothing", "", "unexpected end"},
		{"not JSON", "ErrMiss", "invalid character"},
		{"more behind it", `{"text":"a"} {}`, "invalid character"},
		{"not an object", `[1]`, "cannot unmarshal array"},
		{"a field of another type", `{"error":"QueueFullError","fields":{"size":"many"}}`, "fields of a QueueFullError"},
		{"no fields", `{"error":"QueueFullError"}`, "fields of a QueueFullError"},
		{"a cause that is bad", `{"text":"a","causes":[{"error":"QueueFullError"}]}`, "fields of a QueueFullError"},
		{"causes without tiers", `{"error":"TierFailures","fields":{},"causes":[{"text":"a"}]}`, "1 causes for 0 tiers"},
		{"tiers without causes", `{"error":"TierFailures","fields":{"failures":[{"tier":"a"}]}}`, "0 causes for 1 tiers"},
		{"deep", nested(33), "deeper than 32"},
		{"very deep", nested(1 << 20), "exceeded max depth"},
	} {
		t.Run("E5 refuses "+test.name, func(t *testing.T) {
			got, err := cacheerr.FromJSON([]byte(test.data))
			if err == nil || got != nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "as JSON") {
				t.Errorf("FromJSON = %v, %v, want an error with %q", got, err, test.want)
			}
		})
	}
	t.Run("E5 what ToJSON nests FromJSON takes", func(t *testing.T) {
		err := error(&cacheerr.LockTimeoutError{Lock: "deep"})
		for range 100 {
			err = fmt.Errorf("a: %w", err)
		}
		got := overJSON(t, err)
		if got.Error() != err.Error() {
			t.Errorf("message = %q, want %q", got, err)
		}
	})
}

func FuzzFromJSON(f *testing.F) {
	for _, s := range samples() {
		f.Add(cacheerr.ToJSON(fmt.Errorf("on the way: %w", s.err)))
	}
	for _, err := range sentinels() {
		f.Add(cacheerr.ToJSON(err))
	}
	f.Add([]byte("null"))
	f.Add([]byte(nested(33)))
	f.Add([]byte(`{"error":"TierFailures","fields":null,"causes":[null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		decoded, err := cacheerr.FromJSON(data)
		if (decoded != nil) && (err != nil) {
			t.Fatalf("both an answer and an error: %v, %v", decoded, err)
		}
		if err != nil || decoded == nil {
			return
		}
		again := overJSON(t, decoded)
		if first, second := cacheerr.ToJSON(decoded), cacheerr.ToJSON(again); string(first) != string(second) {
			t.Errorf("not the same again:\n%s\n%s", first, second)
		}
	})
}
