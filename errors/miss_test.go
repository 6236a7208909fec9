// SPDX-License-Identifier: Apache-2.0

package errors_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
)

func sentinels() []error {
	return []error{
		cacheerr.ErrMiss, cacheerr.ErrDamaged, cacheerr.ErrExpired, cacheerr.ErrClosed, cacheerr.ErrReadOnly,
	}
}

func TestMiss(t *testing.T) {
	t.Run("E6 a miss with a reason is a miss and not the other way round", func(t *testing.T) {
		for _, reason := range []error{cacheerr.ErrDamaged, cacheerr.ErrExpired} {
			if !errors.Is(reason, cacheerr.ErrMiss) {
				t.Errorf("%v is no miss", reason)
			}
			if errors.Is(cacheerr.ErrMiss, reason) {
				t.Errorf("a bare miss is %v", reason)
			}
		}
		if errors.Is(cacheerr.ErrDamaged, cacheerr.ErrExpired) {
			t.Error("damaged is expired")
		}
	})
	t.Run("E6 a miss is not an error of a tier", func(t *testing.T) {
		for _, miss := range []error{cacheerr.ErrMiss, cacheerr.ErrDamaged, cacheerr.ErrExpired} {
			if satisfies[cacheerr.BackendError](miss) {
				t.Errorf("%v is a BackendError", miss)
			}
		}
		for _, other := range []error{cacheerr.ErrClosed, cacheerr.ErrReadOnly} {
			if errors.Is(other, cacheerr.ErrMiss) {
				t.Errorf("%v is a miss", other)
			}
		}
	})
}

func TestMissReason(t *testing.T) {
	for _, test := range []struct {
		err  error
		want cacheerr.Reason
	}{
		{nil, ""},
		{cacheerr.ErrMiss, "absent"},
		{cacheerr.ErrDamaged, "damaged"},
		{cacheerr.ErrExpired, "expired"},
		{fmt.Errorf("stack: %w", cacheerr.ErrMiss), cacheerr.ReasonAbsent},
		{fmt.Errorf("stack: %w", cacheerr.ErrDamaged), cacheerr.ReasonDamaged},
		{fmt.Errorf("stack: %w", cacheerr.ErrExpired), cacheerr.ReasonExpired},
		{cacheerr.ErrClosed, "ill tier"},
		{context.Canceled, cacheerr.ReasonIllTier},
		{&cacheerr.BackendNotAvailableError{Tier: "redis"}, cacheerr.ReasonIllTier},
	} {
		if got := cacheerr.MissReason(test.err); got != test.want {
			t.Errorf("MissReason(%v) = %q, want %q", test.err, got, test.want)
		}
	}
}

//go:noinline
func get(found bool) error {
	if found {
		return nil
	}
	return cacheerr.ErrMiss
}

func TestMissAllocates(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func() bool
	}{
		{"E6 returning and testing a miss allocates nothing", func() bool {
			return errors.Is(get(false), cacheerr.ErrMiss)
		}},
		{"E6 testing a miss with a reason allocates nothing", func() bool {
			return errors.Is(cacheerr.ErrExpired, cacheerr.ErrMiss)
		}},
		{"E6 the reason of a miss allocates nothing", func() bool {
			return cacheerr.MissReason(get(false)) == cacheerr.ReasonAbsent &&
				cacheerr.MissReason(cacheerr.ErrDamaged) == cacheerr.ReasonDamaged &&
				cacheerr.MissReason(cacheerr.ErrExpired) == cacheerr.ReasonExpired &&
				cacheerr.MissReason(cacheerr.ErrClosed) == cacheerr.ReasonIllTier
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ok := true
			if allocs := testing.AllocsPerRun(100, func() { ok = ok && test.run() }); allocs != 0 {
				t.Errorf("%v allocations, want 0", allocs)
			}
			if !ok {
				t.Error("the answer is wrong")
			}
		})
	}
}
