// SPDX-License-Identifier: Apache-2.0

package memo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// Mode says among whom a deterministic recorder makes results agree, and
// whether it runs functions.
type Mode string

const (
	// Local makes the processes of this machine agree, through a tier that
	// they share: a directory.
	Local Mode = "local"
	// Global makes machines agree, through a remote tier.
	Global Mode = "global"
	// StrictlyCached runs no function: it answers from what it was pre-populated
	// with, or from the tier that synchronizes.
	StrictlyCached Mode = "strict-cached"
	// StrictlyPrepopulated runs no function and asks no tier: it answers from
	// what it was pre-populated with.
	StrictlyPrepopulated Mode = "strict"
)

// known returns an error that lists the modes, unless m is one.
func (m Mode) known() error {
	switch m {
	case Local, Global, StrictlyCached, StrictlyPrepopulated:
		return nil
	}
	return fmt.Errorf("there is no mode %q; use %s, %s, %s or %s", m, Local, Global, StrictlyPrepopulated, StrictlyCached)
}

const defaultLease = 10 * time.Second

// DeterministicOptions are the settings of [OpenDeterministic]. Mode must be
// set, and what the mode needs.
type DeterministicOptions struct {
	Options
	// Mode is the mode. Local needs Sync and LockDir, Global and StrictlyCached
	// need Sync, StrictlyPrepopulated needs Prepopulate and takes no Sync.
	Mode Mode
	// Sync is the tier that synchronizes: one layer of a stack
	// ([tiers.Stack.Layers]) or a tier of its own, with Insert and strong
	// consistency. Results are as lasting as its entries: one that it evicts is
	// made again, and may be another. It stays the caller's to close.
	Sync tiers.Layer
	// Lease is how long the others wait at most for one that was to run a
	// function and was killed; 0 means 10 s. Who runs one says so four times in
	// that time, however long it takes. Only for Global.
	Lease time.Duration
	// Prepopulate are paths of dumps to start from. A key with other bytes in
	// another of them is a *cacheerr.DeterministicCachingIMCDumpConflictError.
	Prepopulate []string
	// Dump is the path of the dump that Close makes; "" means none.
	Dump string
	// Deterministic switches deterministic recording as Switch switches all
	// recording; its Variable is TIERCE_DETERMINISTIC if it has none.
	Deterministic Switch
}

// OpenDeterministic returns a recorder with which everybody gets one result.
// The first that is recorded counts; a result that was recorded, fetched or
// pre-populated stays in memory, as long as the recorder lives.
//
// Settings that do not fit together are a
// *cacheerr.DeterministicCachingInvalidConfigurationError, a Sync that is not
// strongly consistent is a
// *cacheerr.DeterministicCachingRequiresStrongConsistencyError, a dump that cannot
// be read a [*DumpError] or an [fs.PathError].
//
// While one of its Switches is off, every call is a
// *cacheerr.DeterministicCachingDisabledError: answering without determinism
// would break its promise.
func OpenDeterministic(ctx context.Context, opts DeterministicOptions) (*Recorder, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	locks, err := newLocks(opts.Options)
	if err != nil {
		return nil, err
	}
	k := &deterministic{mode: opts.Mode, sync: opts.Sync, locks: locks, dump: opts.Dump, results: make(map[interfaces.Key]result)}
	r, err := newRecorder(k, opts.Options)
	if err != nil {
		return nil, err
	}
	r.space.Namespace += "/deterministic" // a fast recorder's results are nobody's promise
	k.leases = leases{tier: opts.Sync.Tier, namespace: r.space.Namespace + "/lease", length: opts.Lease}
	if k.leases.length == 0 {
		k.leases.length = defaultLease
	}
	on, err := opts.Deterministic.named(deterministicVariable).On()
	if err != nil {
		return nil, err
	}
	if r.off || !on {
		r.off, r.disabled = true, &cacheerr.DeterministicCachingDisabledError{}
	}
	for _, path := range opts.Prepopulate {
		if err := k.prepopulate(ctx, path); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (o *DeterministicOptions) validate() error {
	invalid := func(format string, args ...any) error {
		return &cacheerr.DeterministicCachingInvalidConfigurationError{Why: fmt.Sprintf(format, args...)}
	}
	switch o.Mode {
	case Local, Global, StrictlyCached:
		if isNil(o.Sync.Tier) {
			return invalid("mode %s has no tier that synchronizes", o.Mode)
		}
	case StrictlyPrepopulated:
		if o.Sync.Tier != nil {
			return invalid("mode %s asks no tier, and has %q to synchronize", o.Mode, o.Sync.Name)
		}
		if len(o.Prepopulate) == 0 {
			return invalid("mode %s has no dump to start from", o.Mode)
		}
		return nil
	case "":
		return invalid("no mode is chosen")
	default:
		return invalid("%v", o.Mode.known())
	}
	_, inserter := o.Sync.Tier.(interfaces.Inserter)
	switch {
	case !inserter || interfaces.ConsistencyOf(o.Sync.Tier) != interfaces.ConsistencyStrong:
		return &cacheerr.DeterministicCachingRequiresStrongConsistencyError{Tier: o.Sync.Name}
	case o.Mode == Local && o.LockDir == "":
		return invalid("mode %s has no directory for locks", o.Mode)
	case o.Mode != StrictlyCached && o.Sync.ReadOnly:
		return invalid("mode %s records, and its tier %q is read-only", o.Mode, o.Sync.Name)
	case o.Lease < 0:
		return invalid("a lease of %v is below zero", o.Lease)
	}
	return nil
}

// deterministic keeps results in memory and in the tier that decides.
type deterministic struct {
	mode   Mode
	sync   tiers.Layer
	locks  locks
	leases leases
	dump   string

	mu      sync.RWMutex
	results map[interfaces.Key]result // guarded by mu
}

// result is a result and what a person wants to know of it.
type result struct {
	function  string
	isolation string
	params    string
	body      string
}

// strict reports whether no function runs.
func (k *deterministic) strict() bool {
	return k.mode == StrictlyCached || k.mode == StrictlyPrepopulated
}

func (k *deterministic) near(_ context.Context, c *call) (string, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if r, ok := k.results[c.key]; ok {
		return r.body, nil
	}
	return "", cacheerr.ErrMiss
}

func (k *deterministic) far(ctx context.Context, c *call) (string, error) {
	if body, err := k.near(ctx, c); err == nil {
		return body, nil
	}
	err := cacheerr.ErrMiss
	if k.mode != StrictlyPrepopulated {
		var body string
		if body, err = k.fetch(ctx, c); err == nil {
			return k.remember(c, body), nil
		}
	}
	if missed(err) && k.strict() {
		return "", &cacheerr.StrictDeterministicCachingKeyNotFoundError{Function: c.function, Key: c.key.String()}
	}
	return "", err
}

// fetch asks the tier that decides.
func (k *deterministic) fetch(ctx context.Context, c *call) (string, error) {
	return read(k.sync.Tier.Get(ctx, c.key))
}

// remember keeps a result in memory and returns the one that was first there.
func (k *deterministic) remember(c *call, body string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if r, ok := k.results[c.key]; ok {
		return r.body
	}
	k.results[c.key] = result{function: c.function, isolation: c.isolation, params: string(c.params), body: body}
	return body
}

func (k *deterministic) claim(ctx context.Context, c *call) (release func(), err error) {
	unlock, err := k.locks.acquire(ctx, c.key)
	if err != nil || k.mode != Global {
		return unlock, err
	}
	end, err := k.leases.acquire(ctx, c.key, func() (bool, error) {
		_, err := interfaces.Stat(ctx, k.sync.Tier, c.key)
		if missed(err) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		unlock()
		return nil, err
	}
	return func() {
		defer unlock()
		end()
	}, nil
}

// tries is how often a result is recorded anew that is neither taken nor there.
const tries = 3

var errEvasive = errors.New("it has an entry when one is inserted and none when that is read; see what evicts so soon")

func (k *deterministic) keep(ctx context.Context, c *call, body string) (string, bool, error) {
	if k.strict() {
		return "", false, &cacheerr.StrictDeterministicCachingInsertionError{Function: c.function, Key: c.key.String()}
	}
	if first, err := k.near(ctx, c); err == nil {
		return first, false, nil
	}
	entry := entryOf(c, body)
	entry.Tag = tagOf(c)
	for range tries {
		kept, err := interfaces.Insert(ctx, k.sync.Tier, c.key, entry)
		if err != nil {
			return "", false, err
		}
		if kept {
			return k.remember(c, body), true, nil
		}
		winner, err := k.fetch(ctx, c)
		if err == nil {
			return k.remember(c, winner), false, nil
		}
		if !missed(err) {
			return "", false, err
		}
	}
	return "", false, &cacheerr.BackendExecutionError{Tier: k.sync.Name, Op: "insert", Err: errEvasive}
}

// forgives: a result that nobody else may see must not be returned.
func (k *deterministic) forgives() bool { return false }

// drop drops nothing: others have decoded it, and must go on getting it.
func (k *deterministic) drop(context.Context, *call) bool { return false }

func (k *deterministic) close(ctx context.Context) error {
	if k.dump == "" {
		return nil
	}
	return k.dumpTo(ctx, k.dump)
}
