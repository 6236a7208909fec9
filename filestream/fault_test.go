// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/internal/vfs/faultfs"
)

// errnos are what a full disk, a broken one, missing rights and too many open
// files say.
var errnos = []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EACCES, syscall.EMFILE}

// The entries of a directory before an operation, and what is put.
var (
	oldBody   = blocks(5, "old ")
	newBody   = strings.Repeat("new ", 35_000) // more than one write
	largeBody = strings.Repeat("large ", 12_000)
)

const (
	smallBody = "other"
	gone      = "no such entry" // instead of a body
)

// script fails one call of a file system.
type script struct {
	mu     sync.Mutex
	armed  bool
	at     int // which call fails, from 1
	err    error
	n      int // calls so far
	failed faultfs.Call
	calls  []faultfs.Call // from then on
}

func (s *script) hook(call faultfs.Call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.armed {
		return nil
	}
	s.n++
	switch {
	case s.n > s.at:
		s.calls = append(s.calls, call)
	case s.n == s.at:
		s.failed = call
		return faultfs.Fail(call.N, s.err, new(faultfs.Call))(call)
	}
	return nil
}

func (s *script) arm(armed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = armed
}

// trial is an operation of which each call is failed once.
type trial struct {
	name  string
	opts  filestream.Options
	run   func(context.Context, *filestream.Cache) error
	allow func(failed bool) map[string][]string // bodies that an entry may have afterwards; not named: as before
	reads bool                                  // it only reads, which needs no right to write
	hurt  bool                                  // there is a damaged entry, which is removed
}

func unchanged(bool) map[string][]string { return nil }

// either allows the second body, and the first too if the operation failed.
func either(name, before, after string) func(bool) map[string][]string {
	return func(failed bool) map[string][]string {
		if failed {
			return map[string][]string{name: {before, after}}
		}
		return map[string][]string{name: {after}}
	}
}

func putTrials() []trial {
	entry := func() interfaces.Entry {
		return interfaces.Stream(strings.NewReader(newBody), interfaces.SizeUnknown).WithHead(interfaces.Head{Size: -1, Tag: "new"})
	}
	putAs := func(name string) func(context.Context, *filestream.Cache) error {
		return func(ctx context.Context, c *filestream.Cache) error { return c.Put(ctx, named(name), entry()) }
	}
	insertAs := func(name string, want bool) func(context.Context, *filestream.Cache) error {
		return func(ctx context.Context, c *filestream.Cache) error {
			got, err := c.Insert(ctx, named(name), entry())
			if err == nil && got != want {
				err = fmt.Errorf("Insert says %t", got)
			}
			return err
		}
	}
	placeAs := func(name string) func(context.Context, *filestream.Cache) error {
		return func(ctx context.Context, c *filestream.Cache) error {
			_, err := c.Place(ctx, named(name), entry())
			return err
		}
	}
	full := filestream.Options{Durability: filestream.DurabilityFull}
	return []trial{
		{name: "Place", opts: full, run: placeAs("new"), allow: either("new", gone, newBody)},
		{name: "Place of what is there", run: placeAs("old"), allow: unchanged},
		{name: "Put", opts: full, run: putAs("new"), allow: either("new", gone, newBody)},
		{name: "Put that replaces", opts: full, run: putAs("old"), allow: either("old", oldBody, newBody)},
		{name: "Put with a cap", opts: filestream.Options{MaxBytes: 1 << 30}, run: putAs("new"), allow: either("new", gone, newBody)},
		{name: "Insert", opts: full, run: insertAs("new", true), allow: either("new", gone, newBody)},
		{name: "Insert of what is there", run: insertAs("old", false), allow: unchanged},
		{name: "Insert for a damaged one", run: insertAs("damaged", true), allow: either("damaged", gone, newBody), hurt: true},
		{name: "PutBatch", run: func(ctx context.Context, c *filestream.Cache) error {
			return c.PutBatch(ctx, []interfaces.Item{{Key: named("old"), Entry: entry()}, {Key: named("new"), Entry: entry()}})
		}, allow: func(failed bool) map[string][]string {
			if failed {
				return map[string][]string{"old": {oldBody, newBody}, "new": {gone, newBody}}
			}
			return map[string][]string{"old": {newBody}, "new": {newBody}}
		}},
	}
}

func readTrials() []trial {
	getAs := func(name, want string) func(context.Context, *filestream.Cache) error {
		return func(ctx context.Context, c *filestream.Cache) error { return readAll(ctx, c, name, want) }
	}
	path := func(ctx context.Context, c *filestream.Cache) error {
		path, _, err := c.Path(ctx, named("old"))
		if err != nil {
			return err
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != oldBody {
			return fmt.Errorf("Path names a file of %s and error %v", brief(string(got)), err)
		}
		return nil
	}
	return []trial{
		{name: "Get of a tiny one", run: getAs("other", smallBody), allow: unchanged, reads: true},
		{name: "Get", run: getAs("old", oldBody), allow: unchanged, reads: true},
		{name: "Get of a large one", run: getAs("large", largeBody), allow: unchanged, reads: true},
		{name: "Path", run: path, allow: unchanged, reads: true},
		{name: "Path for the second time", run: func(ctx context.Context, c *filestream.Cache) error {
			if err := path(ctx, c); err != nil {
				return err
			}
			return path(ctx, c)
		}, allow: unchanged, reads: true},
		{name: "Stat", run: func(ctx context.Context, c *filestream.Cache) error {
			_, err := c.Stat(ctx, named("old"))
			return err
		}, allow: unchanged, reads: true},
		{name: "Len", run: func(ctx context.Context, c *filestream.Cache) error {
			_, err := c.Len(ctx)
			return err
		}, allow: unchanged, reads: true},
		{name: "Usage", run: func(ctx context.Context, c *filestream.Cache) error {
			_, err := c.Usage(ctx, nil)
			return err
		}, allow: unchanged, reads: true},
	}
}

func readAll(ctx context.Context, c *filestream.Cache, name, want string) error {
	entry, err := c.Get(ctx, named(name))
	if err != nil {
		return err
	}
	got, err := io.ReadAll(entry.Reader())
	if err := errors.Join(err, entry.Close()); err != nil {
		return &cacheerr.BackendExecutionError{Tier: "the body", Op: "read", Reason: err.Error(), Err: err}
	}
	if string(got) != want {
		return fmt.Errorf("Get returned %s", brief(string(got)))
	}
	return nil
}

func removeTrials() []trial {
	maybe := func(name, body string) []string { return []string{body, gone} }
	return []trial{
		{name: "Delete", run: func(ctx context.Context, c *filestream.Cache) error {
			return c.Delete(ctx, named("old"))
		}, allow: either("old", oldBody, gone)},
		{name: "Clear", run: func(ctx context.Context, c *filestream.Cache) error {
			return c.Clear(ctx)
		}, allow: func(failed bool) map[string][]string {
			if failed {
				return map[string][]string{"old": maybe("old", oldBody), "other": maybe("other", smallBody), "large": maybe("large", largeBody)}
			}
			return map[string][]string{"old": {gone}, "other": {gone}, "large": {gone}}
		}},
		{name: "Evict", opts: filestream.Options{MaxBytes: 1}, run: func(ctx context.Context, c *filestream.Cache) error {
			_, err := c.Evict(ctx, nil)
			return err
		}, allow: func(bool) map[string][]string { // what goes meanwhile is left out
			return map[string][]string{"old": maybe("old", oldBody), "other": maybe("other", smallBody), "large": maybe("large", largeBody)}
		}},
		{name: "VerifyAll", run: func(ctx context.Context, c *filestream.Cache) error {
			_, err := c.VerifyAll(ctx, true, nil)
			return err
		}, allow: either("damaged", gone, gone), hurt: true},
	}
}

// TestFaults fails the first call of each operation, then the second, and so
// on, with each error, until the operation completes without reaching it.
func TestFaults(t *testing.T) {
	for kind, fs := range eachFS {
		for _, trial := range slices.Concat(putTrials(), readTrials(), removeTrials()) {
			t.Run("F3 F10 "+trial.name+", "+kind, func(t *testing.T) {
				p := &patient{T: t, trial: trial, fs: fs(), plain: kind == "no attributes", dir: t.TempDir()}
				errnos := errnos
				if p.plain {
					errnos = errnos[1:3] // which the tier tells apart; the rest is shown already
				}
				for _, errno := range errnos {
					for n := 1; p.once(n, errno); n++ {
					}
				}
			})
		}
	}
}

// patient is the directory in which a trial is made again and again.
type patient struct {
	*testing.T
	trial
	fs    vfs.FS
	plain bool // heads are files
	dir   string
	state map[string]string // bodies that are there
}

// once fails call n, and reports whether the operation came so far.
func (p *patient) once(n int, errno syscall.Errno) bool {
	p.Helper()
	p.prepare()
	files := openFiles(p.T)
	fault := &script{at: n, err: errno}
	c, err := filestream.OpenFS(p.Context(), p.dir, p.opts, faultfs.New(p.fs, fault.hook))
	mustDo(p, err)
	fault.arm(true)
	err = p.run(p.Context(), c)
	fault.arm(false)
	mustDo(p, c.Close())
	what := fmt.Sprintf("%v with %q", fault.failed, errno)
	p.checkError(what, fault, err)
	p.checkEntries(what, err)
	if left := names(p, filepath.Join(p.dir, "tmp")); len(left) > 0 {
		if fault.failed.Op != "remove" {
			p.Errorf("%s: temporary files %v are left", what, left)
		}
		for _, name := range left {
			mustDo(p, os.Remove(filepath.Join(p.dir, "tmp", name)))
		}
	}
	if now := openFiles(p.T); now != files {
		p.Errorf("%s: %d files were open before, %d are now", what, files, now)
	}
	return fault.failed.N != 0
}

// prepare makes three whole entries, and a damaged one if the trial is about it,
// none of them verified.
func (p *patient) prepare() {
	p.Helper()
	c, err := filestream.OpenFS(p.Context(), p.dir, filestream.Options{}, p.fs)
	mustDo(p, err)
	for name, body := range map[string]string{"old": oldBody, "other": smallBody, "large": largeBody} {
		if p.state[name] != body {
			put(p, c, name, body)
		}
	}
	if p.hurt {
		put(p, c, "damaged", oldBody)
		mustDo(p, os.Truncate(entryPath(p.dir, named("damaged")), 100))
	}
	if err := c.Delete(p.Context(), named("new")); !errors.Is(err, cacheerr.ErrMiss) {
		mustDo(p, err)
	}
	verified := filepath.Join(p.dir, "state", "verified")
	mustDo(p, c.Close(), os.WriteFile(verified, nil, 0o600))
}

// openFiles returns how many files this process has open, or 0 where the
// system does not list them.
func openFiles(t *testing.T) int {
	t.Helper()
	const list = "/proc/self/fd"
	if !exists(list) {
		return 0
	}
	return len(names(t, list))
}

// checkError checks that a failed operation says what failed and on what, as
// an error of the tier, and that a fault was not passed over in silence.
func (p *patient) checkError(what string, fault *script, err error) {
	p.Helper()
	failed := fault.failed
	switch {
	case failed.N == 0:
		if err != nil {
			p.Errorf("without a fault: %v", err)
		}
		return
	case err == nil:
		if p.mustSurface(failed) {
			p.Errorf("%s: no error", what)
		}
		return
	}
	var backend cacheerr.BackendError
	switch {
	case !errors.As(err, &backend):
		p.Errorf("%s: error %v (%T), want a BackendError", what, err, err)
	case !errors.Is(err, fault.err):
		p.Errorf("%s: error %v, want the system's as its cause", what, err)
	case !strings.Contains(err.Error(), failed.Op) || !strings.Contains(err.Error(), failed.Path):
		p.Errorf("%s: error %v does not name operation and path", what, err)
	}
	refused := fault.err == syscall.EACCES && slices.Contains([]string{"create", "mkdirall", "rename", "move", "remove"}, failed.Op)
	if readOnly := errors.Is(err, cacheerr.ErrReadOnly); refused && !readOnly || readOnly && p.reads {
		p.Errorf("%s: error %v; it says read-only: %t", what, err, readOnly)
	}
	for _, call := range fault.calls {
		if call.Op == failed.Op && call.Path == failed.Path {
			p.Errorf("%s: tried again, which only Windows needs", what)
		}
	}
}

// mustSurface reports whether the failure of a call makes the operation fail.
// The others are looks and hints, without which it can do: state, the sweep of
// tmp, times, the size of what was replaced, and directories of other people.
func (p *patient) mustSurface(call faultfs.Call) bool {
	name, err := filepath.Rel(p.dir, call.Path)
	mustDo(p, err)
	if name == "tmp" || name == "heads" || strings.HasPrefix(name, "state") || strings.HasPrefix(name, "..") {
		return false
	}
	switch call.Op {
	case "create", "write", "setattr", "sync", "rename", "move", "syncdir", "mkdirall", "open", "read", "readdir":
		return true
	}
	return false
}

// checkEntries checks that every entry is one of those that are allowed, whole,
// and that one which is not what it was can be put again.
func (p *patient) checkEntries(what string, err error) {
	p.Helper()
	want := map[string][]string{"old": {oldBody}, "other": {smallBody}, "large": {largeBody}, "new": {gone}}
	for name, bodies := range p.allow(err != nil) {
		want[name] = bodies
	}
	c, err := filestream.OpenFS(p.Context(), p.dir, filestream.Options{Verify: filestream.VerifyAlways}, p.fs)
	mustDo(p, err)
	p.state = make(map[string]string)
	for name, bodies := range want {
		got, err := get(p, c, name)
		if errors.Is(err, cacheerr.ErrMiss) {
			got, err = gone, nil
		}
		p.state[name] = got
		if err != nil || !slices.Contains(bodies, got) {
			p.Errorf("%s: %s is now %s and error %v", what, name, brief(got), err)
		}
		if head, err := c.Stat(p.Context(), named(name)); err == nil && (head.Tag == "new") != (got == newBody) {
			p.Errorf("%s: %s has the body %s and the tag %q", what, name, brief(got), head.Tag)
		}
		if len(bodies) > 1 || bodies[0] != got {
			put(p, c, name, "healed")
			wantHit(p, c, name, "healed")
			p.state[name] = "healed"
		}
	}
	mustDo(p, c.Close())
}
