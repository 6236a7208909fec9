// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// Options are what a [Stack] may be told besides its layers. The zero value
// works.
type Options struct {
	// Observer is told of everything; nil means nobody is.
	Observer Observer
	// Timed asks for [Event].Duration: two readings of Clock for each event.
	Timed bool
	// Clock returns the time, also the one an entry is first stored at; nil
	// means [time.Now].
	Clock func() time.Time

	// Verify, if set, is asked about every entry that a far layer answers a Get
	// with, before a near layer or a caller has it. Far are the layers beyond
	// those whose bodies are files on this machine, and never the nearest. It
	// returns the entry as it is; or one whose body fails when it is read, for a
	// stream; or why the entry cannot be what the key stands for, with
	// cacheerr.ErrDamaged in it: then the layer loses it.
	Verify func(key interfaces.Key, entry interfaces.Entry) (interfaces.Entry, error)

	// QueueSize is how many keys may wait to be written behind; 0 means 4096.
	QueueSize int
	// QueueWait makes a Put wait for room in a full queue, at most until its
	// context ends. Otherwise the key is dropped and an event says so.
	// Promotions never wait.
	QueueWait bool
	// Workers is how many keys are written behind at the same time; 0 means 4.
	Workers int
	// DrainTimeout is how long Close lets the queue drain; 0 means
	// [DefaultDrainTimeout], less not at all. It is cut to what is left of the
	// budget of a layer's tier that has one: a method Left() time.Duration.
	DrainTimeout time.Duration
	// Leftover, if set, is called by Close with the keys that were not written
	// behind: there was no room or no time, or the tier failed. There are no more
	// than QueueSize. A later stack over the same tiers may be given them as
	// Resume.
	Leftover func(keys []interfaces.Key)
	// Resume has keys that an earlier stack has left over: they are written
	// behind if a layer still has them. They take up half of the queue at most.
	Resume []interfaces.Key
}

// DefaultDrainTimeout is how long Close lets the queue drain unless
// [Options] say otherwise: as long as a build may wait for a remote in all.
const DefaultDrainTimeout = 5 * time.Second

// The defaults of [Options]. A waiting key costs about 100 bytes.
const (
	defaultQueueSize = 4096
	defaultWorkers   = 4
)

// Stack is tiers in order, nearest first, and itself a cache. It may be used by
// many goroutines at the same time.
type Stack struct {
	layers   []Layer
	first    interfaces.Cache // the tier of layer 0
	pathers  []pather         // those of layers that have paths, in order
	decider  int              // place of the layer that decides an Insert, below 0 if none
	far      int              // place of the first far layer, which there may not be
	verifier func(interfaces.Key, interfaces.Entry) (interfaces.Entry, error)
	observer Observer
	timed    bool
	clock    func() time.Time
	flights  flights
	queue    *queue // nil when no layer is written behind
	left     *leftover
	leftover func([]interfaces.Key)
	drain    time.Duration
	closed   atomic.Bool
}

var (
	_ interfaces.Cache       = (*Stack)(nil)
	_ interfaces.Inserter    = (*Stack)(nil)
	_ interfaces.Deleter     = (*Stack)(nil)
	_ interfaces.Statter     = (*Stack)(nil)
	_ interfaces.Lener       = (*Stack)(nil)
	_ interfaces.Clearer     = (*Stack)(nil)
	_ interfaces.Lister      = (*Stack)(nil)
	_ interfaces.Pather      = (*Stack)(nil)
	_ interfaces.BatchGetter = (*Stack)(nil)
	_ interfaces.BatchPutter = (*Stack)(nil)
	_ interfaces.Pinger      = (*Stack)(nil)
	_ interfaces.Consistent  = (*Stack)(nil)
	_ io.Closer              = (*Stack)(nil)
)

// ErrNotDrained is what a [Stack] that was closed says of keys that were still
// waiting to be written behind when DrainTimeout was over.
var ErrNotDrained = errors.New("not written behind before the stack was closed; allow more time to drain, or see why the tier is slow")

var errNil = errors.New("tiers: the *Stack is nil; make one with tiers.New")

// New returns a Stack of layers, nearest first. It owns them from then on: the
// caller closes the Stack and no tier. If New fails, because the layers or opts
// make no sense, it owns nothing.
func New(opts Options, layers ...Layer) (*Stack, error) {
	if err := validate(layers); err != nil {
		return nil, err
	}
	if opts.QueueSize < 0 || opts.Workers < 0 {
		return nil, fmt.Errorf("tiers: QueueSize is %d and Workers is %d; use 0 for the default, or more", opts.QueueSize, opts.Workers)
	}
	s := &Stack{layers: slices.Clone(layers), observer: opts.Observer, timed: opts.Timed, clock: opts.Clock, drain: opts.DrainTimeout}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.drain == 0 {
		s.drain = DefaultDrainTimeout
	}
	s.first = s.layers[0].Tier
	s.pathers, s.decider, s.verifier = pathersOf(s.layers), deciderOf(s.layers), opts.Verify
	s.far = farOf(s.pathers)
	for _, l := range s.layers {
		s.observe(Event{Op: OpOpen, Layer: l.Name, Remote: l.Remote, Result: Done})
	}
	if s.queue = s.newQueue(opts); s.queue != nil {
		s.left, s.leftover = newLeftover(opts, cap(s.queue.room)), opts.Leftover
		s.resume(opts.Resume)
	}
	return s, nil
}

// Layers returns the layers, nearest first. Their tiers remain the Stack's: the
// caller must not close them, and what it changes in them the Stack does not
// know.
func (s *Stack) Layers() []Layer { return slices.Clone(s.layers) }

// check returns why the Stack cannot be used, or nil.
func (s *Stack) check(ctx context.Context) error {
	if s == nil {
		return errNil
	}
	if s.closed.Load() {
		return cacheerr.ErrClosed
	}
	return ctx.Err()
}

// stamp returns entry with the time at which it is first stored, the same for
// all layers.
func (s *Stack) stamp(entry interfaces.Entry) interfaces.Entry {
	if entry.Time.IsZero() {
		entry.Time = s.clock().Round(0).UTC()
	}
	return entry
}

// Close lets the queue drain for at most DrainTimeout, gives up what is left,
// and closes all layers. What failed is a [cacheerr.TierFailures], in which a
// layer that was not sent everything has an [ErrNotDrained]. Operations that
// are under way may end with cacheerr.ErrClosed. A second Close does nothing.
func (s *Stack) Close() error {
	if s == nil {
		return errNil
	}
	if s.closed.Swap(true) {
		return nil
	}
	left := s.drainQueue()
	var failures failures
	for _, l := range s.layers {
		if l.Behind && left > 0 {
			failures.add(l.Name, fmt.Errorf("%d entries were %w", left, ErrNotDrained))
		}
		if err := interfaces.Close(l.Tier); err != nil {
			failures.add(l.Name, err)
			s.observe(Event{Op: OpClose, Layer: l.Name, Result: Failed, Err: err})
		}
	}
	return failures.err()
}

// tellDrain is how long a drain must have taken to be worth telling.
const tellDrain = time.Millisecond

// drainQueue drains the queue, tells how long that took, and returns how many
// keys were given up.
func (s *Stack) drainQueue() (left int) {
	if s.queue == nil {
		return 0
	}
	start := s.clock()
	left = s.queue.drain(s.drainTime())
	if took := s.clock().Sub(start); took >= tellDrain {
		s.eachBehind(Event{Op: OpClose, Result: Waited, Duration: took})
	}
	if s.left != nil {
		keys := s.left.all()
		for _, key := range keys {
			s.eachBehind(Event{Op: OpClose, Key: key, Result: Left})
		}
		s.leftover(keys)
	}
	return left
}

// drainTime returns how long the queue may drain: as the options say, and no
// longer than its layers may still be waited for.
func (s *Stack) drainTime() time.Duration {
	limit := s.drain
	for _, l := range s.layers {
		if patient, ok := l.Tier.(interface{ Left() time.Duration }); ok && l.Behind {
			limit = min(limit, patient.Left())
		}
	}
	return limit
}

// eachBehind tells event of each layer that is written behind.
func (s *Stack) eachBehind(event Event) {
	for _, l := range s.layers {
		if event.Layer = l.Name; l.Behind {
			s.observe(event)
		}
	}
}

// failures gathers the errors of layers.
type failures []cacheerr.TierFailure

func (f *failures) add(layer string, err error) {
	*f = append(*f, cacheerr.TierFailure{Tier: layer, Err: err})
}

// err returns the failures as one error, or nil when there are none.
func (f failures) err() error {
	if len(f) == 0 {
		return nil
	}
	return &cacheerr.TierFailures{Failures: f}
}
