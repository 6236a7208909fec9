// SPDX-License-Identifier: Apache-2.0

// Package memo records and replays functions: it runs a function once and
// answers from a cache after that.
//
//	recorder, err := memo.NewFast(cache, memo.Options{})
//	plan, err := memo.Wrap(recorder, "optimizer.plan", plan, memo.Settings[Query, Plan]{})
//	p, err := plan(ctx, query) // runs, records; from then on replays
//
// # Recorders
//
// [NewFast] records into any cache. Whatever is ill in it, the function runs
// and its result is returned. Two processes that miss at the same time may
// return different results, if the function does.
//
// [OpenDeterministic] promises one result for all: the first that is recorded
// in the tier that synchronizes its users is what each of them returns, byte for
// byte. It has modes ([Mode]), and what it recorded can be dumped to a file from
// which a later run is pre-populated.
//
// # Keys
//
// The key of a result is made from the name of the function, its encoded
// parameters and an isolation key of package cachectx. Results are encoded
// once, and every caller but the one that ran the function decodes its own
// copy.
//
// # Concurrency
//
// Everything may be called by many goroutines at the same time. Callers of
// different keys never wait for each other. Of the callers of one key one runs
// the function and the others wait, each as long as its context lasts: in one
// process always, in several if they name a directory for locks, on several
// machines in the mode [Global]. If the one that runs gives up, the next runs.
//
// # Errors
//
// A function's own error is returned as it is, and nothing is recorded. The
// errors of recording are those of package cacheerr; a function that panics is a
// [*PanicError] for those that waited for it.
package memo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	cachectx "github.com/tiercecache/tierce/context"
	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// Options are the settings of every recorder. The zero value works.
type Options struct {
	// Namespace keeps the keys of one owner apart from those of others in the
	// same cache; "" means "memo".
	Namespace string
	// Forms answer the isolation schemas of functions. Nil means that results
	// are not isolated.
	Forms *cachectx.Forms
	// LockDir is a directory for lock files, by which the processes of this
	// machine run a function once. It is made if it is missing, and has one
	// empty file for each key that was missed; it may be removed while nobody
	// uses it. "" means that processes do not wait for each other.
	LockDir string
	// Wait is how long to wait for another process that runs the function; 0
	// means as long as the caller's context lasts. After that the call is a
	// *cacheerr.FileLockTimeoutError.
	Wait time.Duration
	// Observer is told how each call ended; nil means nobody is.
	Observer Observer
	// Switch switches recording on and off: see [NewFast] and
	// [OpenDeterministic]. Its Variable is TIERCE_MEMO if it has none.
	Switch Switch
}

// Recorder records functions. Make one with [NewFast] or [OpenDeterministic];
// give it functions with [Wrap] or [New].
type Recorder struct {
	keeper   keeper
	space    encoding.Keyspace // but for the schema
	forms    *cachectx.Forms
	observer Observer
	off      bool  // functions run and nothing is recorded
	disabled error // if not nil, what every call returns
	flights  flights

	beginning flights // of functions with a deferred result
	interims  interims
}

// keeper is what tells one recorder from another: where results are kept, and
// who decides.
type keeper interface {
	// near returns a result that is here at no cost, or cacheerr.ErrMiss.
	near(ctx context.Context, c *call) (body string, err error)
	// far returns a result from wherever it may be. cacheerr.ErrMiss says that
	// the function may run.
	far(ctx context.Context, c *call) (body string, err error)
	// claim waits until the caller is the one to run the function, or the
	// result may have come.
	claim(ctx context.Context, c *call) (release func(), err error)
	// keep records a result and returns the one that counts, and whether it is
	// this one.
	keep(ctx context.Context, c *call, body string) (winner string, kept bool, err error)
	// forgives reports whether a result that could not be recorded is returned
	// all the same.
	forgives() bool
	// drop forgets a result that cannot be decoded, if that may be, and reports
	// whether the function may run.
	drop(ctx context.Context, c *call) bool
	// close lets go of what is held.
	close(ctx context.Context) error
}

// call is one question: a function and its parameters.
type call struct {
	function   string
	params     []byte
	isolation  string
	key        interfaces.Key
	inFunction time.Duration // how long the function took, if it ran
}

// NewFast returns a recorder into cache, which stays the caller's to close, and
// is best a stack with a memory tier in front. A cache without Insert is used
// with Put.
//
// While its Switch is off, Get misses, Insert says no, and recorded functions
// always run.
func NewFast(cache interfaces.Cache, opts Options) (*Recorder, error) {
	if isNil(cache) {
		return nil, errors.New("memo: the cache is nil; give one to record into")
	}
	locks, err := newLocks(opts)
	if err != nil {
		return nil, err
	}
	return newRecorder(&fast{cache: cache, locks: locks}, opts)
}

func newRecorder(k keeper, opts Options) (*Recorder, error) {
	on, err := opts.Switch.named(variable).On()
	if err != nil {
		return nil, err
	}
	r := &Recorder{keeper: k, forms: opts.Forms, observer: opts.Observer, off: !on}
	r.space.Namespace = opts.Namespace
	if r.space.Namespace == "" {
		r.space.Namespace = "memo"
	}
	return r, nil
}

func newLocks(opts Options) (locks, error) {
	if opts.Wait < 0 {
		return locks{}, fmt.Errorf("memo: Wait is %v, below zero; use 0 to wait as long as the context lasts", opts.Wait)
	}
	if opts.LockDir != "" {
		if err := os.MkdirAll(opts.LockDir, 0o777); err != nil {
			return locks{}, fmt.Errorf("memo: cannot make the directory for locks: %w", err)
		}
	}
	return locks{dir: opts.LockDir, wait: opts.Wait}, nil
}

func isNil(c interfaces.Cache) bool {
	v := reflect.ValueOf(c)
	return c == nil || v.Kind() == reflect.Pointer && v.IsNil()
}

// Close makes an end of the recorder: a deterministic one dumps what it
// recorded if it was told where, which may fail as [Recorder.Dump] does. The
// caches stay open.
func (r *Recorder) Close(ctx context.Context) error {
	if r == nil {
		return errNil
	}
	return r.keeper.close(ctx)
}

var errNil = errors.New("memo: the *Recorder is nil; make one with NewFast or OpenDeterministic")

// read returns the body of what get returned, in memory.
func read(entry interfaces.Entry, err error) (string, error) {
	if err != nil {
		return "", err
	}
	if text, ok := entry.Text(); ok {
		return text, nil
	}
	body, err := entry.Bytes()
	_ = entry.Close() // read to its end, or of no use
	return string(body), err
}

// missed reports whether err says that there is no result.
func missed(err error) bool { return errors.Is(err, cacheerr.ErrMiss) }
