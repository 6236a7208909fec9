// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/tiercecache/tierce/interfaces"
)

// Registry names the types of tiers that a configuration may have. It is an
// ordinary map: a program of one's own adds a tier to [Builtin] by one line.
type Registry map[string]Factory

// Factory opens a tier. It calls [Raw.Decode] before it opens anything, and
// returns that method's error as it is. The caller closes the tier. [Typed]
// makes one.
type Factory func(ctx context.Context, raw Raw) (interfaces.Cache, error)

// Raw is what a configuration says of one tier, as its Factory gets it.
type Raw struct {
	Dir  string // Tierce's directory, absolute; it may not exist yet
	Name string // the layer's name
	call *attempt
}

// attempt is one call of a Factory.
type attempt struct {
	decoder  decoder
	field    string // name of the options, for messages
	node     node
	checking bool // stop after decoding
	remote   bool // the tier waits for another machine

	options  reflect.Value // the struct that was decoded; not valid before
	standard reflect.Value // what was in it before
}

// errChecked ends a Factory's call when nothing is to be opened.
var errChecked = errors.New("config: only checking; a Factory returns this error of Raw.Decode as it is")

// Decode sets the struct that options points to from the configuration. What
// is in it already are the defaults. A field is called by its Go name in
// snake_case (max_bytes for MaxBytes), or by its yaml tag. An int64 is a size
// in bytes of more than 0, such as 64MiB; a field whose name begins with max_
// is a cap, and none stands for 0. Durations are such as 60s. [Path],
// [Secret], types with UnmarshalText (which need MarshalText unless they are
// strings), structs, pointers, slices and maps work too; functions, channels
// and interfaces are left out.
//
// If options has a method Validate() error, it is called when all is set.
//
// The error is an [*Error]. When a configuration is only checked or printed,
// Decode returns an error although all is well, to keep the Factory from
// opening anything.
func (r Raw) Decode(options any) error {
	v := reflect.ValueOf(options)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("config: Decode needs a pointer to a struct, not %T", options)
	}
	if r.call == nil {
		return nil // a Raw of the caller's own configures nothing
	}
	return r.call.decode(v.Elem())
}

// decode sets the struct v and keeps what it was and is.
func (a *attempt) decode(v reflect.Value) error {
	a.standard = reflect.New(v.Type()).Elem()
	a.standard.Set(v)
	a.options = v
	if a.node.kind != absent {
		if err := a.decoder.value(a.field, a.node, v); err != nil {
			return err
		}
	}
	if validator, ok := v.Addr().Interface().(interface{ Validate() error }); ok {
		if err := validator.Validate(); err != nil {
			e := a.node.errorf(a.field, "%v", err)
			e.Err = err
			return e
		}
	}
	if a.checking {
		return errChecked
	}
	return nil
}

// Typed returns the Factory of a tier whose package has a struct of options and
// a function that opens it: the options of the configuration are decoded over
// defaults (see [Raw.Decode]), then open is called.
func Typed[O any, T interfaces.Cache](defaults O, open func(context.Context, O) (T, error)) Factory {
	return func(ctx context.Context, raw Raw) (interfaces.Cache, error) {
		options := defaults
		if err := raw.Decode(&options); err != nil {
			return nil, err
		}
		cache, err := open(ctx, options)
		if err != nil {
			return nil, err // not cache: a nil T would be an interface that is not nil
		}
		return cache, nil
	}
}
