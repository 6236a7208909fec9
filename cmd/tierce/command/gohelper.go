// SPDX-License-Identifier: Apache-2.0

package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/tiercecache/tierce/config"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/frontend/gocacheprog"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/ledger"
	"github.com/tiercecache/tierce/internal/lock"
	"github.com/tiercecache/tierce/tiers"
	"github.com/tiercecache/tierce/tiers/guard"
)

// reportVariable names the file to which a helper appends what it did, for the
// "tierce run" above it.
const reportVariable = "TIERCE_REPORT"

// busySuffix ends the name of the file beside the report on which helpers hold a
// shared lock until they have sent what nobody waited for.
const busySuffix = ".busy"

// helperArgs are the arguments with which "tierce run" has the helper started.
var helperArgs = []string{"go"}

func (a *app) goCommand() *cli.Command {
	return a.leaf(&cli.Command{
		Name:  "go",
		Usage: "serve the go command: GOCACHEPROG=\"tierce go\"",
		Description: `Serve the go command through its GOCACHEPROG protocol, on standard input and
output. "tierce run" starts it; by hand:

  GOCACHEPROG="tierce go" go build ./...`,
	}, func(ctx context.Context) error { return a.serveGo(ctx, os.Stdin, os.Stdout) })
}

// helper is one run of the GOCACHEPROG helper.
type helper struct {
	app      *app
	began    time.Time
	counters tally
	untold   tiers.Snapshot // what was counted and was not worth a report yet
	damage   damageLog
	entries  *gocacheprog.EntryObserver
	dir      string // Tierce's directory, "" if there is none

	server  *gocacheprog.Server
	stack   *tiers.Stack
	private interfaces.Cache
	release func() // lets the "tierce run" above go on; nil if it does not wait for this helper
}

// ballast is memory in bytes that a helper with a remote asks for and never
// touches, so that no page of it is taken: the garbage collector then lets as much
// garbage gather before it runs. Bodies that come from a remote are garbage at
// once; a second machine's build takes 7 to 10 % less processor time with it
// (docs/design/014).
const ballast = 64 << 20

// leastProcs is how many goroutines a helper with a remote runs at once at least,
// on however few processors. What the go command asks is then read when it comes:
// the kernel shares out the processors. With one for each, bodies that are
// decompressed and hashed have them all, and a request waits until Go's scheduler
// takes one away, after 10 ms (docs/design/014).
const leastProcs = 8

// serveGo serves one go command. The go command waits for standard output to be
// closed, so only what its user wants to know is done before that.
func (a *app) serveGo(ctx context.Context, in io.Reader, out io.WriteCloser) error {
	h := &helper{app: a, began: time.Now().UTC()}
	h.counters.cut(nil)
	// The go command decides when it is over: a Ctrl-C reaches it too, and it
	// then closes our standard input.
	signal.Ignore(notForHelper...)
	ctx = context.WithoutCancel(ctx)
	h.entries = gocacheprog.Entries(&both{&h.counters, &h.damage})
	cfg, err := a.load() // takes no time worth mentioning, unlike opening
	options := gocacheprog.Options{
		Open: func(ctx context.Context) (interfaces.Cache, error) {
			if err != nil {
				return nil, err
			}
			return h.open(ctx, cfg)
		},
		Private: h.openPrivate, Local: local(cfg), Observer: &h.counters, Entries: h.entries,
		Warn: func(text string) { fmt.Fprintln(a.stderr, "tierce:", text) },
	}
	if !options.Local {
		options.Verified, options.Build = directories(cfg) <= 1, buildName()
		defer runtime.KeepAlive(make([]byte, ballast))
		if runtime.GOMAXPROCS(0) < leastProcs {
			runtime.GOMAXPROCS(leastProcs)
		}
	}
	h.server = gocacheprog.New(options)
	err = h.server.Serve(ctx, in, out)
	h.report(ctx, h.asked)
	if err != nil { // said while somebody can hear it
		err = exitError{code: a.exit(err)}
	}
	closeErr := out.Close()
	a.letGo()
	h.server.Finish(ctx)
	lateErr := h.close()
	if h.release != nil {
		h.report(ctx, h.sent)
		h.release()
	}
	return cmp.Or(err, errors.Join(closeErr, lateErr))
}

// local reports whether the configured tiers wait for nothing but this machine's
// memory and its one directory. A second directory may be a share.
func local(cfg config.Config) bool {
	for _, tier := range cfg.Tiers {
		if tier.Type != "memory" && tier.Type != "filestream" {
			return false
		}
	}
	return directories(cfg) <= 1
}

// directories returns how many of the configured tiers are directories.
func directories(cfg config.Config) (n int) {
	for _, tier := range cfg.Tiers {
		if tier.Type == "filestream" {
			n++
		}
	}
	return n
}

func (h *helper) open(ctx context.Context, cfg config.Config) (interfaces.Cache, error) {
	h.dir = cfg.Dir
	opts := tiers.Options{Observer: h.entries, Verify: h.server.Verify}
	if left := leftoverOf(cfg.Dir); !local(cfg) {
		opts.Resume = left.take(ctx)
		opts.Leftover = func(keys []interfaces.Key) { left.keep(ctx, keys) }
	}
	stack, err := cfg.Open(ctx, h.app.registry, opts)
	if err != nil {
		return nil, err
	}
	h.stack = stack
	charge(ctx, stack)
	compare(stack)
	if slices.ContainsFunc(stack.Layers(), func(l tiers.Layer) bool { return l.Behind }) {
		h.hold(ctx)
	}
	return stack, nil
}

// hold makes the "tierce run" above wait until what is written behind is sent.
func (h *helper) hold(ctx context.Context) {
	h.release = func() {}
	if path := os.Getenv(reportVariable); path != "" {
		if release, err := lock.Shared(path+busySuffix).Acquire(ctx, lock.Try); err == nil {
			h.release = release
		}
	}
}

// both hands events to two observers.
type both [2]tiers.Observer

func (b *both) Observe(event tiers.Event) {
	b[0].Observe(event)
	b[1].Observe(event)
}

// privatePrefix begins the names of the directories that stand in for a cache
// that takes nothing. Their files may be read after the helper has gone, so they
// stay for a day.
const privatePrefix = "tierce-private-"

func (h *helper) openPrivate(ctx context.Context) (interfaces.Cache, error) {
	sweepTemporary(privatePrefix)
	dir, err := os.MkdirTemp("", privatePrefix)
	if err != nil {
		return nil, err
	}
	cache, err := filestream.Open(ctx, dir, filestream.Options{})
	if err != nil {
		return nil, err
	}
	h.private = cache
	return cache, nil
}

// sweepTemporary removes yesterday's temporary directories whose names begin
// with prefix.
func sweepTemporary(prefix string) {
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	for _, dir := range old {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.RemoveAll(dir) // somebody else's stays
		}
	}
}

// report writes down what this helper did since the last time, if that is worth
// it: for the directory, and for the "tierce run" that waits for it.
func (h *helper) report(ctx context.Context, worth func(tiers.Snapshot) bool) {
	h.untold = h.untold.Add(h.counters.cut(h.stack))
	if !worth(h.untold) {
		return
	}
	line := ledger.Line{Snapshot: h.untold, Since: h.began, Damaged: h.damage.take()}
	h.untold = tiers.Snapshot{}
	dir := h.dir
	if h.stack == nil {
		dir = ""
	}
	writeDown(ctx, dir, line)
}

// writeDown adds to the statistics of the "tierce run" above this process, if
// there is one, and of a directory, if that is not "". They are not worth an
// error.
func writeDown(ctx context.Context, dir string, line ledger.Line) {
	if path := os.Getenv(reportVariable); path != "" {
		_ = ledger.Append(ctx, path, line)
	}
	if dir != "" {
		_ = ledger.Append(ctx, ledgerPath(dir), line)
	}
}

// mostMakers is how many compilers of a build are taken to run at the same time at
// most, on however many processors: the longer a remote is waited for then.
const mostMakers = 4

// compare has what hits of remote tiers take be compared with what they save: a
// build can do without them.
func compare(stack *tiers.Stack) {
	for _, l := range stack.Layers() {
		if guarded, ok := l.Tier.(*guard.Cache); ok {
			guarded.Compare(min(runtime.NumCPU(), mostMakers))
		}
	}
}

// charge charges remote tiers with what the processes before this one have waited
// for them in vain, under the same "tierce run": a build has one budget, of however
// many commands it is.
func charge(ctx context.Context, stack *tiers.Stack) {
	path := os.Getenv(reportVariable)
	if path == "" || !slices.ContainsFunc(stack.Layers(), func(l tiers.Layer) bool { return l.Remote }) {
		return
	}
	sum, err := ledger.Sum(ctx, path)
	if err != nil {
		return // a budget of its own, then
	}
	for _, l := range stack.Layers() {
		guarded, ok := l.Tier.(*guard.Cache)
		i := slices.IndexFunc(sum.Tiers, func(t tiers.TierSnapshot) bool { return t.Name == l.Name })
		if ok && i >= 0 && sum.Tiers[i].Remote != nil {
			guarded.Charge(time.Duration(sum.Tiers[i].Remote.VainSeconds*float64(time.Second)), time.Since(sum.Since))
		}
	}
}

// asked reports whether the go command has asked for anything.
func (h *helper) asked(s tiers.Snapshot) bool { return s.Gets+s.Puts > 0 }

// sent reports whether anything became of what was to be written behind.
func (h *helper) sent(s tiers.Snapshot) bool {
	for _, t := range s.Tiers {
		if t.Puts+t.Errors > 0 || t.Remote != nil && t.Remote.Left > 0 {
			return true
		}
	}
	return s.Dropped > 0 || s.WaitedSeconds > 0
}

func ledgerPath(dir string) string { return filepath.Join(dir, "state", "ledger.jsonl") }

func (h *helper) close() error {
	var errs []error
	if h.stack != nil {
		// What could not be sent is left to the next helper, and told.
		if err := h.stack.Close(); !errors.Is(err, tiers.ErrNotDrained) {
			errs = append(errs, err)
		}
	}
	if h.private != nil {
		errs = append(errs, interfaces.Close(h.private))
	}
	return errors.Join(errs...)
}

// letGo lets go of standard error, which somebody may be reading to its end.
// What is still to be done is not worth waiting for.
func (a *app) letGo() {
	a.stderr = io.Discard
	_ = os.Stderr.Close()
}

// maxDamage is how many damaged entries a helper names; it counts all.
const maxDamage = 20

// damageLog is an observer that remembers the damaged entries that were met
// last.
type damageLog struct {
	mu   sync.Mutex
	seen []ledger.Damaged
}

// Observe implements [tiers.Observer].
func (d *damageLog) Observe(event tiers.Event) {
	if event.Err == nil || event.Layer == "" || !errors.Is(event.Err, cacheerr.ErrDamaged) {
		return
	}
	what := event.Layer + ": " + event.Err.Error()
	if damage, ok := errors.AsType[*filestream.DamageError](event.Err); ok {
		what = damage.Error()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = d.seen[max(0, len(d.seen)-maxDamage):]
	d.seen = append(d.seen, ledger.Damaged{Time: time.Now().UTC(), What: what})
}

// take returns what was met since the last time.
func (d *damageLog) take() []ledger.Damaged {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := d.seen
	d.seen = nil
	return seen
}

// tally counts what happens, from one report to the next. It must be cut before
// it is used.
type tally struct {
	since atomic.Pointer[tiers.Counters]
}

// Observe implements [tiers.Observer].
func (t *tally) Observe(event tiers.Event) { t.since.Load().Observe(event) }

// cut returns what was counted since the last time, and begins anew with the
// layers of stack, if that is not nil.
func (t *tally) cut(stack *tiers.Stack) tiers.Snapshot {
	fresh := new(tiers.Counters)
	if stack != nil {
		for _, l := range stack.Layers() {
			fresh.Observe(tiers.Event{Op: tiers.OpOpen, Layer: l.Name, Remote: l.Remote, Result: tiers.Done})
		}
	}
	if before := t.since.Swap(fresh); before != nil {
		return before.Snapshot()
	}
	return tiers.Snapshot{}
}
