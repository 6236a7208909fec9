// SPDX-License-Identifier: Apache-2.0

package memo

import (
	"time"

	"github.com/tiercecache/tierce/interfaces"
)

// Observer is told what happens in a [Recorder].
type Observer interface {
	// Observe is called by the goroutine of each call as it ends, by many at
	// the same time: it must be quick and must not call the Recorder.
	Observe(event Event)
}

// Event is how one call ended. It may be kept.
type Event struct {
	Function   string         // its name
	Key        interfaces.Key // zero if there was no key
	Outcome    Outcome        // how it ended
	Duration   time.Duration  // how long the call took
	InFunction time.Duration  // of it, in the function; 0 if this call did not run it
	Err        error          // what was returned, if that is an error
}

// Outcome is how a call ended.
type Outcome string

// The outcomes of recorded functions, of Get and of Insert.
const (
	Replay           Outcome = "replay"             // a recorded result was returned
	Recorded         Outcome = "recorded"           // the function ran, its result is recorded
	RecordedLostRace Outcome = "recorded-lost-race" // it ran, but another's result was recorded before
	Unrecorded       Outcome = "unrecorded"         // it ran, and the cache did not take its result
	Interim          Outcome = "interim"            // a result that is not final was returned
	Hit              Outcome = "hit"                // Get returned a recorded result
	Miss             Outcome = "miss"               // Get found none
	Inserted         Outcome = "inserted"           // Insert recorded its result
	NotInserted      Outcome = "not-inserted"       // Insert did not
	Failed           Outcome = "failed"             // see Event.Err
)

// begin returns the time, if anybody wants to know how long a call takes.
func (r *Recorder) begin() time.Time {
	if r.observer == nil {
		return time.Time{}
	}
	return time.Now()
}

func (r *Recorder) tell(c call, outcome Outcome, start time.Time, err error) {
	if r.observer == nil {
		return
	}
	r.observer.Observe(Event{
		Function: c.function, Key: c.key, Outcome: outcome, Duration: time.Since(start), InFunction: c.inFunction, Err: err,
	})
}
