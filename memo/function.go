// SPDX-License-Identifier: Apache-2.0

package memo

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	cachectx "github.com/tiercecache/tierce/context"
	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
)

// Settings say how the parameters and results of one function become bytes, and
// what isolates them. The zero value works for plain data.
type Settings[P, R any] struct {
	// Params encodes parameters; nil means [encoding.CanonicalJSON].
	Params encoding.KeyEncoder[P]
	// Encode and Decode are the codec of results, both or none; nil means
	// [encoding.JSON]. For another codec: Encode: c.Encode, Decode: c.Decode.
	Encode func(result R) ([]byte, error)
	Decode func(data []byte) (R, error)
	// Version is the version of the function and of its codec. Raise it when
	// either changes: older results are then not seen any more.
	Version uint32
	// Isolation chooses forms of the recorder's Forms; the zero value all.
	Isolation cachectx.Schema
}

// Function is a function of a recorder, by name: its recorded results. The
// function itself is needed only to record: [Function.Record].
type Function[P, R any] struct {
	recorder  *Recorder
	name      string
	space     encoding.Keyspace
	settings  Settings[P, R]
	standard  bool                   // the parameters are encoded by the default
	isolation atomic.Pointer[string] // nil until it is known
}

// New returns the function of this name. Functions of one name, version and
// isolation are the same one, wherever they are made.
//
// Encode without Decode is a *cacheerr.CustomResultDecoderRequiredError, Decode
// without Encode a *cacheerr.CustomResultEncoderRequiredError.
func New[P, R any](r *Recorder, name string, settings Settings[P, R]) (*Function[P, R], error) {
	switch {
	case r == nil:
		return nil, errNil
	case name == "":
		return nil, errors.New("memo: the function has no name; give one that stays, such as its package and name")
	case settings.Encode != nil && settings.Decode == nil:
		return nil, &cacheerr.CustomResultDecoderRequiredError{Function: name}
	case settings.Encode == nil && settings.Decode != nil:
		return nil, &cacheerr.CustomResultEncoderRequiredError{Function: name}
	}
	f := &Function[P, R]{recorder: r, name: name, space: r.space, settings: settings, standard: settings.Params == nil}
	f.space.Schema = settings.Version
	if f.standard {
		f.settings.Params = encoding.CanonicalJSON[P]
	}
	if settings.Encode == nil {
		f.settings.Encode, f.settings.Decode = encoding.JSON[R]{}.Encode, encoding.JSON[R]{}.Decode
	}
	return f, nil
}

// Wrap returns fn recorded under name: [New] and [Function.Record].
func Wrap[P, R any](r *Recorder, name string, fn func(context.Context, P) (R, error), settings Settings[P, R]) (func(context.Context, P) (R, error), error) {
	if fn == nil {
		return nil, fmt.Errorf("memo: the function %q is nil", name)
	}
	f, err := New(r, name, settings)
	if err != nil {
		return nil, err
	}
	return f.Record(fn), nil
}

// Record returns fn recorded: the first call with some parameters runs it and
// records its result, later ones replay that.
//
// Parameters that cannot be encoded are a
// *cacheerr.CustomParamsEncoderRequiredError, or a cacheerr.KeyEncodingError if
// Settings have an encoder; a result that cannot be is a
// *cacheerr.CustomResultEncoderRequiredError. Nothing is recorded then, nor if
// fn fails or panics.
func (f *Function[P, R]) Record(fn func(context.Context, P) (R, error)) func(context.Context, P) (R, error) {
	return func(ctx context.Context, params P) (result R, err error) {
		if f.recorder.off && f.recorder.disabled == nil {
			return fn(ctx, params)
		}
		c, outcome, start := call{}, Failed, f.recorder.begin()
		err = errEnded
		defer func() { f.recorder.tell(c, outcome, start, err) }()
		result, outcome, err = f.record(ctx, &c, params, fn)
		return result, err
	}
}

// errEnded is what an observer is told of a call that did not return.
var errEnded = errors.New("memo: the function panicked or ended its goroutine")

// record is one call of a recorded function; c is filled in.
func (f *Function[P, R]) record(ctx context.Context, c *call, params P, fn func(context.Context, P) (R, error)) (result R, out Outcome, err error) {
	if *c, err = f.ask(ctx, params); err != nil {
		return result, Failed, err
	}
	body, err := f.recorder.keeper.near(ctx, c)
	if err == nil {
		if result, err = f.decode(body); err == nil {
			return result, Replay, nil
		}
		if !f.recorder.keeper.drop(ctx, c) {
			return result, Failed, err
		}
	}
	if interim, ok := f.recorder.interims.get(c.key).(R); ok {
		return interim, Interim, nil
	}
	return f.run(ctx, c, params, fn)
}

// run runs fn, or waits for the caller that does.
func (f *Function[P, R]) run(ctx context.Context, c *call, params P, fn func(context.Context, P) (R, error)) (result R, out Outcome, err error) {
	var own R
	body, out, err := f.recorder.share(ctx, c, func(ctx context.Context) (string, error) {
		start := time.Now()
		result, err := fn(ctx, params)
		c.inFunction = time.Since(start)
		if err != nil {
			return "", err
		}
		own = result
		return f.encode(result)
	})
	switch {
	case err != nil:
		return result, Failed, err
	case out == Unrecorded:
		return own, out, nil
	}
	result, err = f.decode(body)
	return result, outcomeOf(out, err), err
}

// Get returns the recorded result for params, or cacheerr.ErrMiss. Bytes that
// do not decode are a cacheerr.ValueDecodingError; a fast recorder drops them, so
// that the next call of the function runs it.
func (f *Function[P, R]) Get(ctx context.Context, params P) (R, error) {
	start := f.recorder.begin()
	c, result, err := f.get(ctx, params)
	outcome := Hit
	switch {
	case missed(err):
		outcome = Miss
	case err != nil:
		outcome = Failed
	}
	f.recorder.tell(c, outcome, start, err)
	return result, err
}

func (f *Function[P, R]) get(ctx context.Context, params P) (c call, result R, err error) {
	if c, err = f.ask(ctx, params); err != nil {
		return c, result, err
	}
	if f.recorder.off {
		return c, result, cacheerr.ErrMiss
	}
	body, err := f.recorder.keeper.near(ctx, &c)
	if missed(err) {
		body, err = f.recorder.keeper.far(ctx, &c)
	}
	if err != nil {
		return c, result, err
	}
	if result, err = f.decode(body); err != nil {
		_ = f.recorder.keeper.drop(ctx, &c)
	}
	return c, result, err
}

// Insert records result for params if nothing is recorded for them, and reports
// whether it did. In a strict mode it is a
// *cacheerr.StrictDeterministicCachingInsertionError.
func (f *Function[P, R]) Insert(ctx context.Context, params P, result R) (inserted bool, err error) {
	return f.InsertWithCost(ctx, params, result, 0)
}

// InsertWithCost is [Function.Insert] of a result that it took so long to make: a
// hit saves that.
func (f *Function[P, R]) InsertWithCost(ctx context.Context, params P, result R, cost time.Duration) (inserted bool, err error) {
	start := f.recorder.begin()
	c, err := f.ask(ctx, params)
	c.inFunction = cost
	if err == nil && !f.recorder.off {
		inserted, err = f.insert(ctx, &c, result)
	}
	outcome := NotInserted
	switch {
	case err != nil:
		outcome = Failed
	case inserted:
		outcome = Inserted
	}
	f.recorder.tell(c, outcome, start, err)
	return inserted, err
}

func (f *Function[P, R]) insert(ctx context.Context, c *call, result R) (bool, error) {
	body, err := f.encode(result)
	if err != nil {
		return false, err
	}
	_, kept, err := f.recorder.keeper.keep(ctx, c, body)
	return kept, err
}

// ask returns the question that params are.
func (f *Function[P, R]) ask(ctx context.Context, params P) (c call, err error) {
	c.function = f.name
	if f.recorder.disabled != nil {
		return c, f.recorder.disabled
	}
	if err := ctx.Err(); err != nil {
		return c, err
	}
	isolation := f.isolation.Load()
	if isolation == nil {
		if isolation, err = f.isolate(ctx); err != nil {
			return c, err
		}
	}
	c.isolation = *isolation
	if c.params, err = f.settings.Params(params); err != nil {
		return c, f.unkeyable(err)
	}
	c.key, err = f.space.Key([]byte(f.name), c.params, []byte(c.isolation))
	return c, err
}

// isolate finds out the isolation key and remembers it.
func (f *Function[P, R]) isolate(ctx context.Context) (*string, error) {
	key := cachectx.Isolation{}.Key()
	if f.recorder.forms != nil {
		var err error
		if key, err = f.recorder.forms.Key(ctx, f.settings.Isolation); err != nil {
			return nil, err
		}
	}
	f.isolation.Store(&key)
	return &key, nil
}

// Isolation returns what the forms that isolate the function answer, for people:
// the zero Isolation if its recorder has none.
func (f *Function[P, R]) Isolation(ctx context.Context) (cachectx.Isolation, error) {
	if f.recorder.forms == nil {
		return cachectx.Isolation{}, nil
	}
	return f.recorder.forms.Isolation(ctx, f.settings.Isolation)
}

func (f *Function[P, R]) unkeyable(err error) error {
	if _, ok := errors.AsType[cacheerr.KeyEncodingError](err); !ok {
		err = &cacheerr.KeyPicklingError{Type: reflect.TypeFor[P]().String(), Value: "…", Err: err}
	}
	if f.standard {
		return &cacheerr.CustomParamsEncoderRequiredError{Function: f.name, Err: err}
	}
	return err
}

func (f *Function[P, R]) encode(result R) (string, error) {
	data, err := f.settings.Encode(result)
	if err == nil {
		return string(data), nil
	}
	if _, ok := errors.AsType[cacheerr.ValueEncodingError](err); !ok {
		err = &cacheerr.ValuePicklingError{Type: reflect.TypeFor[R]().String(), Value: "…", Err: err}
	}
	return "", &cacheerr.CustomResultEncoderRequiredError{Function: f.name, Err: err}
}

func (f *Function[P, R]) decode(body string) (R, error) {
	result, err := f.settings.Decode([]byte(body))
	if err == nil {
		return result, nil
	}
	var none R
	if _, ok := errors.AsType[cacheerr.ValueDecodingError](err); !ok {
		err = &cacheerr.ValueUnPicklingError{
			First: []byte(body[:min(len(body), 32)]), Size: int64(len(body)), Type: reflect.TypeFor[R]().String(), Err: err,
		}
	}
	return none, err
}
