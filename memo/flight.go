// SPDX-License-Identifier: Apache-2.0

package memo

import (
	"context"
	"fmt"
	"sync"

	"github.com/tiercecache/tierce/interfaces"
)

// PanicError says that a recorded function panicked. The caller whose call ran
// it sees the panic itself; those that waited for it get this.
type PanicError struct {
	Function string // name of the function
	Value    any    // what it panicked with
}

// Error implements error.
func (e *PanicError) Error() string {
	return fmt.Sprintf("recorded function %q panicked: %v", e.Function, e.Value)
}

// Unwrap returns the panic's value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// flights are the functions that run for a key.
type flights struct {
	mu    sync.Mutex
	byKey map[interfaces.Key]*flight // guarded by mu
}

// flight is one of them: who joins it gets its answer.
type flight struct {
	done chan struct{} // closed when it is over

	// To be read once done is closed.
	answered bool // false if the one that led it gave up: somebody else has to
	body     string
	outcome  Outcome
	err      error
}

// join returns the flight for key, and whether the caller leads it and must
// land it.
func (t *flights) join(key interfaces.Key) (f *flight, lead bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f = t.byKey[key]; f != nil {
		return f, false
	}
	if t.byKey == nil {
		t.byKey = make(map[interfaces.Key]*flight)
	}
	f = &flight{done: make(chan struct{})}
	t.byKey[key] = f
	return f, true
}

func (t *flights) land(key interfaces.Key, f *flight) {
	t.mu.Lock()
	delete(t.byKey, key)
	t.mu.Unlock()
	close(f.done)
}

// share returns the result that is recorded by now, or that of run, which one
// of all callers of the key runs.
func (r *Recorder) share(ctx context.Context, c *call, run func(context.Context) (string, error)) (string, Outcome, error) {
	for {
		f, lead := r.flights.join(c.key)
		if lead {
			return r.lead(ctx, c, f, run)
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return "", Failed, ctx.Err()
		}
		if f.answered {
			return f.body, Replay, f.err
		}
	}
}

// lead answers a flight. A leader whose context has ended answers nobody, nor
// does one whose goroutine ends.
func (r *Recorder) lead(ctx context.Context, c *call, f *flight, run func(context.Context) (string, error)) (string, Outcome, error) {
	defer r.flights.land(c.key, f)
	defer func() {
		if value := recover(); value != nil {
			f.answered, f.err = true, &PanicError{Function: c.function, Value: value}
			panic(value)
		}
	}()
	f.body, f.outcome, f.err = r.obtain(ctx, c, run)
	f.answered = f.err == nil || ctx.Err() == nil
	return f.body, f.outcome, f.err
}

// obtain gets the result, or runs the function when it is the caller's turn.
func (r *Recorder) obtain(ctx context.Context, c *call, run func(context.Context) (string, error)) (string, Outcome, error) {
	if body, err := r.keeper.far(ctx, c); !missed(err) {
		return body, outcomeOf(Replay, err), err
	}
	release, err := r.keeper.claim(ctx, c)
	if err != nil {
		return "", Failed, err
	}
	defer release()
	if body, err := r.keeper.far(ctx, c); !missed(err) { // it came while this one waited
		return body, outcomeOf(Replay, err), err
	}
	body, err := run(ctx)
	if err != nil {
		return "", Failed, err
	}
	winner, kept, err := r.keeper.keep(ctx, c, body)
	switch {
	case err == nil && kept:
		return winner, Recorded, nil
	case err == nil:
		return winner, RecordedLostRace, nil
	case r.keeper.forgives():
		return body, Unrecorded, nil
	default:
		return "", Failed, err
	}
}

func outcomeOf(outcome Outcome, err error) Outcome {
	if err != nil {
		return Failed
	}
	return outcome
}
