// SPDX-License-Identifier: Apache-2.0

package memo

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tiercecache/tierce/interfaces"
)

// Deferred is a result that is ready later. Whoever has it calls
// [Deferred.Finalize] or [Deferred.Abandon], once, from any goroutine.
type Deferred[R any] struct {
	finish func(ctx context.Context, result R) (R, error)
	leave  func() // ends the interim

	mu    sync.Mutex
	ended bool // guarded by mu
}

// ErrFinalized is what a [Deferred] says that was finalized or abandoned before,
// or whose function failed.
var ErrFinalized = errors.New("memo: the deferred result was finalized or abandoned before; do that once")

// Finalize records the result and returns the one that counts, which may be
// another's with a deterministic recorder. A second time it is [ErrFinalized]. If
// recording fails, that is the error, and the next caller runs the function.
func (d *Deferred[R]) Finalize(ctx context.Context, result R) (R, error) {
	if !d.end() {
		var none R
		return none, ErrFinalized
	}
	defer d.leave()
	return d.finish(ctx, result)
}

// Abandon says that there will be no result: nothing is recorded, and the next
// caller runs the function. A second time it does nothing.
func (d *Deferred[R]) Abandon() {
	if d.end() {
		d.leave()
	}
}

// end reports whether nobody ended d before.
func (d *Deferred[R]) end() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := !d.ended
	d.ended = true
	return first
}

// unlessEnded calls do if d has not ended, which it then does not meanwhile.
func (d *Deferred[R]) unlessEnded(do func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.ended {
		do()
	}
}

// RecordDeferred returns fn recorded as [Function.Record] does, but that fn
// returns an interim result, and the one to be recorded is finalized when it is
// ready: later, or before fn returns. Until then callers in this process are
// given the interim result, with which no mode promises anything. Other processes
// may run fn too; the first result that is finalized counts.
func (f *Function[P, R]) RecordDeferred(fn func(ctx context.Context, params P, final *Deferred[R]) (interim R, err error)) func(context.Context, P) (R, error) {
	return func(ctx context.Context, params P) (result R, err error) {
		r := f.recorder
		if r.off && r.disabled == nil {
			itself := func(_ context.Context, result R) (R, error) { return result, nil }
			return fn(ctx, params, &Deferred[R]{finish: itself, leave: func() {}})
		}
		start := r.begin()
		c, err := f.ask(ctx, params)
		outcome := Failed
		defer func() { r.tell(c, outcome, start, err) }()
		for err == nil {
			if result, outcome, err = f.known(ctx, &c); !missed(err) {
				return result, err
			}
			flight, lead := r.beginning.join(c.key)
			if lead {
				result, outcome, err = f.begin(ctx, &c, flight, params, fn)
				return result, err
			}
			select {
			case <-flight.done:
				err = flight.err
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		return result, err
	}
}

// known returns a recorded or an interim result, or cacheerr.ErrMiss.
func (f *Function[P, R]) known(ctx context.Context, c *call) (result R, outcome Outcome, err error) {
	body, err := f.recorder.keeper.near(ctx, c)
	if err != nil {
		if interim, ok := f.recorder.interims.get(c.key).(R); ok {
			return interim, Interim, nil
		}
		body, err = f.recorder.keeper.far(ctx, c)
	}
	if err == nil {
		result, err = f.decode(body)
	}
	return result, outcomeOf(Replay, err), err
}

// begin runs fn for those who wait for flight.
func (f *Function[P, R]) begin(ctx context.Context, c *call, flight *flight, params P, fn func(context.Context, P, *Deferred[R]) (R, error)) (R, Outcome, error) {
	r, key := f.recorder, c.key
	defer r.beginning.land(key, flight)
	if result, outcome, err := f.known(ctx, c); !missed(err) { // it came since
		return result, outcome, err
	}
	asked := *c
	final := &Deferred[R]{
		finish: func(ctx context.Context, result R) (R, error) { return f.finish(ctx, asked, result) },
		leave:  func() { r.interims.remove(key) },
	}
	returned := false
	defer func() {
		if !returned { // it panics, or its goroutine ends
			final.end()
		}
	}()
	start := time.Now()
	interim, err := fn(ctx, params, final)
	c.inFunction = time.Since(start)
	returned = true
	if err != nil {
		final.end()
		if ctx.Err() == nil {
			flight.err = err
		}
		return interim, Failed, err
	}
	final.unlessEnded(func() { r.interims.put(key, interim) })
	if result, replay, err := f.known(ctx, c); err == nil {
		return result, replay, nil // the final one, if there is one by now
	}
	return interim, Interim, nil
}

// finish records the final result of a call.
func (f *Function[P, R]) finish(ctx context.Context, c call, result R) (R, error) {
	start, outcome := f.recorder.begin(), Failed
	body, err := f.encode(result)
	if err == nil {
		var kept bool
		if body, kept, err = f.recorder.keeper.keep(ctx, &c, body); err == nil {
			outcome = RecordedLostRace
			if kept {
				outcome = Recorded
			}
			result, err = f.decode(body)
		}
	}
	f.recorder.tell(c, outcome, start, err)
	return result, err
}

// interims are the results that are not final, by key.
type interims struct {
	mu    sync.Mutex
	byKey map[interfaces.Key]any // guarded by mu
}

// get returns the interim result for key, or nil.
func (i *interims) get(key interfaces.Key) any {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.byKey[key]
}

func (i *interims) put(key interfaces.Key, interim any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.byKey == nil {
		i.byKey = make(map[interfaces.Key]any)
	}
	i.byKey[key] = interim
}

func (i *interims) remove(key interfaces.Key) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.byKey, key)
}
