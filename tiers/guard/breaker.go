// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// When a tier that does not fail always is left alone: half of what it was asked
// failed, if that was enough to tell.
const (
	rateWindow   = 10 * time.Second
	rateBucket   = time.Second
	rateRequests = 20
)

// breaker leaves a tier alone that failed too often.
type breaker struct {
	breaker *gobreaker.TwoStepCircuitBreaker[any] // nil if nothing opens it
	last    atomic.Pointer[error]                 // what failed last
}

// errNoVerdict is how an operation ended that tells nothing about the tier.
var errNoVerdict = errors.New("the tier is neither well nor ill")

func newBreaker(opts Options) *breaker {
	if opts.Failures < 0 {
		return &breaker{}
	}
	return &breaker{breaker: gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		MaxRequests: 1, Interval: rateWindow, BucketPeriod: rateBucket, Timeout: opts.Pause,
		ReadyToTrip: func(n gobreaker.Counts) bool {
			return n.ConsecutiveFailures >= uint32(opts.Failures) || //nolint:gosec // a few
				n.Requests >= rateRequests && 2*n.TotalFailures >= n.Requests
		},
		IsExcluded: func(err error) bool { return err == errNoVerdict }, //nolint:errorlint // never wrapped
	})}
}

// allow returns what must be called with the verdict on an operation, or false
// if the operation may not begin.
func (b *breaker) allow() (done func(error), ok bool) {
	if b == nil || b.breaker == nil {
		return func(error) {}, true
	}
	tell, err := b.breaker.Allow()
	if err != nil {
		return nil, false
	}
	return func(verdict error) {
		if verdict != nil && verdict != errNoVerdict { //nolint:errorlint // never wrapped
			b.keep(verdict)
		}
		tell(verdict)
	}, true
}

// keep remembers what failed.
func (b *breaker) keep(failure error) { b.last.Store(&failure) }

// cause returns what failed last.
func (b *breaker) cause() error {
	if last := b.last.Load(); last != nil {
		return *last
	}
	return nil
}

// verdict returns what err, with which an operation ended whose caller has ctx,
// tells about the tier: nil that it is well, errNoVerdict nothing, anything else
// that it is ill.
func verdict(ctx context.Context, err error) error {
	switch {
	case err == nil || errors.Is(err, cacheerr.ErrMiss):
		return nil
	case ctx.Err() != nil, errors.Is(err, errors.ErrUnsupported), errors.Is(err, cacheerr.ErrReadOnly), errors.Is(err, cacheerr.ErrClosed):
		return errNoVerdict
	}
	if _, ok := errors.AsType[cacheerr.UserError](err); ok {
		return errNoVerdict
	}
	if away, ok := errors.AsType[*cacheerr.BackendNotAvailableError](err); ok && (away.Reason == BudgetUsed || away.Reason == TooBusy) {
		return errNoVerdict
	}
	return err
}

// mayPass reports whether what failed with err may work the next moment.
func mayPass(err error) bool {
	ill, ok := errors.AsType[cacheerr.SystemError](err)
	return ok && ill.Transient()
}
