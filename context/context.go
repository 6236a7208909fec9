// SPDX-License-Identifier: Apache-2.0

// Package context, always imported as cachectx, is isolation: it says what of
// the world around a function belongs to the key of the function's result.
//
// A [Form] is one named piece of that world, found out by a probe: which
// compiler, which processor, which variables. Forms come in two groups: what
// counts when a result is made ([Compile]) and what counts when it is used
// ([Runtime]). A [Schema] chooses forms of each group; what they answer is an
// [Isolation], and its key goes into the key of the result. The zero Schema
// takes every form: the safe choice.
//
//	forms, err := cachectx.New(cachectx.Options{}, cachectx.GoToolchain(), cachectx.CPU(), cachectx.Env("GOFLAGS"))
//	key, err := forms.Key(ctx, cachectx.Schema{Runtime: cachectx.None()})
//
// Besides, a [Job] makes the key of one call of a C or C++ compiler, and
// refuses what such a key cannot see.
//
// # Keys
//
// An isolation key is the first 32 hex digits of the SHA-256 of the isolation
// as JSON, sorted and without spaces:
//
//	{"compile":{"go":{"value":...},"cuda":{"failed":"not-found"}},"key_schema":1,"runtime":null}
//
// It is the same in every process and on every machine where the chosen probes
// answer the same. A probe that fails stands in it with the kind of its error,
// never with its text: the same failure gives the same key, and no failure
// gives that of an answer. The version of this format, key_schema, is in it;
// the release of Tierce is not.
//
// # Concurrency
//
// A [Forms] may be used by many goroutines at the same time. It runs each probe
// once, whoever asks, all that are asked for at the same time.
package context

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Group is one of the two groups of forms.
type Group string

const (
	// Compile is what counts when a result is made: toolchains, targets,
	// variables that compilers read.
	Compile Group = "compile"
	// Runtime is what counts when a result is used or measured: operating
	// system, processor, device.
	Runtime Group = "runtime"
)

// Form is one named piece of context. The functions of this package that
// return a Form probe for real; anybody can make another, or change the name
// or the group of one.
type Form struct {
	// Name tells the form from the others of its group. It is in the key.
	Name string
	// Group is the group that the form belongs to.
	Group Group
	// Probe finds out. It returns anything that encoding/json takes, or why it
	// could not find out; it should end with ctx. Equal worlds give equal
	// values: no times, no temporary paths, no secrets.
	Probe func(ctx context.Context) (any, error)
}

// Options are the settings of [Forms]. The zero value works.
type Options struct {
	// Timeout is how long a probe may take; 0 means 10 s. One that takes
	// longer has failed with the kind "timeout".
	Timeout time.Duration
}

const defaultTimeout = 10 * time.Second

// Forms are forms whose probes have run, or will when they are first asked for.
// Make one for a process with [New], and let all ask it. There is nothing to
// close.
type Forms struct {
	timeout time.Duration
	probes  []*probe // in the order given to New
}

// New returns forms. It runs no probe. A form without name, group or probe, two
// of one name in one group, and a negative timeout are errors.
func New(opts Options, forms ...Form) (*Forms, error) {
	if opts.Timeout < 0 {
		return nil, fmt.Errorf("context: Timeout is %v, below zero; use 0 for the default of %v", opts.Timeout, defaultTimeout)
	}
	if opts.Timeout == 0 {
		opts.Timeout = defaultTimeout
	}
	f := &Forms{timeout: opts.Timeout}
	for i, form := range forms {
		if err := form.validate(); err != nil {
			return nil, fmt.Errorf("context: form %d, %q: %w", i, form.Name, err)
		}
		if f.find(form.Group, form.Name) != nil {
			return nil, fmt.Errorf("context: form %d, %q: another of the group %s has this name; give each its own", i, form.Name, form.Group)
		}
		f.probes = append(f.probes, &probe{form: form})
	}
	return f, nil
}

func (f Form) validate() error {
	switch {
	case f.Name == "":
		return errors.New("it has no name")
	case f.Group != Compile && f.Group != Runtime:
		return fmt.Errorf("its group is %q; use %q or %q", f.Group, Compile, Runtime)
	case f.Probe == nil:
		return errors.New("it has no probe")
	}
	return nil
}

// find returns the probe of a form, or nil.
func (f *Forms) find(group Group, name string) *probe {
	for _, p := range f.probes {
		if p.form.Group == group && p.form.Name == name {
			return p
		}
	}
	return nil
}
