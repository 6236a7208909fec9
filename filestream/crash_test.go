// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/internal/vfs/faultfs"
	"github.com/tiercecache/tierce/internal/vfs/syncfs"
)

// outcomesEach is how many outcomes of each power failure are looked at, if
// there are more: what was synced, what is there, and one at random.
const outcomesEach = 3

// powerTest does something to a cache on a file system that forgets what was
// not synced, and has the power fail before each single operation of it.
type powerTest struct {
	name  string
	opts  filestream.Options
	run   func(ctx context.Context, c *filestream.Cache, s *promises) error
	leave bool // entries may be gone though nothing was said of them: an eviction
}

// promises are what was said about entries so far.
type promises struct {
	mu   sync.Mutex
	full bool                // a Put that was said to be done outlives a power failure
	may  map[string][]string // bodies, or gone, that an entry may have
	must map[string]bool     // whether one of these has to be there
}

// begin notes that an entry is about to have another body, or to be gone.
func (p *promises) begin(name, body string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.may[name] = append(p.may[name], body)
}

// done notes that it was said to have it. What was there before may come back,
// but for a body that was replaced with DurabilityFull.
func (p *promises) done(name, body string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.full && body != gone {
		p.may[name] = []string{body}
	}
	p.must[name] = p.full && body != gone
}

func (p *promises) clone() *promises {
	p.mu.Lock()
	defer p.mu.Unlock()
	may := make(map[string][]string)
	for name, bodies := range p.may {
		may[name] = slices.Clone(bodies)
	}
	return &promises{full: p.full, may: may, must: maps.Clone(p.must)}
}

func (p *promises) put(ctx context.Context, c *filestream.Cache, name, body string) error {
	p.begin(name, body)
	err := c.Put(ctx, named(name), interfaces.Text(body))
	if err == nil {
		p.done(name, body)
	}
	return err
}

var powerTests = []powerTest{
	{name: "Put", run: func(ctx context.Context, c *filestream.Cache, p *promises) error {
		return p.put(ctx, c, "new", oldBody)
	}},
	{name: "Put of an empty body", run: func(ctx context.Context, c *filestream.Cache, p *promises) error {
		return p.put(ctx, c, "new", "")
	}},
	{name: "Put that replaces, twice", run: func(ctx context.Context, c *filestream.Cache, p *promises) error {
		return errors.Join(p.put(ctx, c, "old", newBody), p.put(ctx, c, "old", "third"))
	}},
	{name: "Insert", run: func(ctx context.Context, c *filestream.Cache, p *promises) error {
		p.begin("new", oldBody)
		_, err := c.Insert(ctx, named("new"), interfaces.Text(oldBody))
		p.done("new", oldBody)
		return err
	}},
	{name: "Delete, and Put again", run: func(ctx context.Context, c *filestream.Cache, p *promises) error {
		p.begin("old", gone)
		err := c.Delete(ctx, named("old"))
		p.done("old", gone)
		return errors.Join(err, p.put(ctx, c, "old", newBody))
	}},
	{name: "Path", run: func(ctx context.Context, c *filestream.Cache, _ *promises) error {
		_, _, err := c.Path(ctx, named("old"))
		return err
	}},
	{name: "an eviction", opts: filestream.Options{MaxBytes: 40_000}, leave: true,
		run: func(ctx context.Context, c *filestream.Cache, _ *promises) error {
			done, err := c.Evict(ctx, nil)
			if err == nil && done.Entries == 0 {
				err = errors.New("nothing was evicted")
			}
			return err
		}},
	{name: "Put with a cap, and a flush of the usage", opts: filestream.Options{MaxBytes: 1 << 20},
		run: func(ctx context.Context, c *filestream.Cache, p *promises) error {
			err := p.put(ctx, c, "new", newBody)
			_, scanned := c.Usage(ctx, nil)
			return errors.Join(err, scanned, p.put(ctx, c, "old", newBody), c.Close())
		}},
	{name: "bringing the index up to date", run: func(ctx context.Context, c *filestream.Cache, p *promises) error {
		err := p.put(ctx, c, "new", newBody)
		c.Tell()
		return errors.Join(err, c.Tend(ctx), p.put(ctx, c, "old", newBody), c.Tend(ctx))
	}},
}

func TestPowerFailure(t *testing.T) {
	for _, durability := range []filestream.Durability{filestream.DurabilityNone, filestream.DurabilityFile, filestream.DurabilityFull} {
		for _, kind := range []string{"attributes", "no attributes"} {
			for _, test := range powerTests {
				t.Run("F3 "+test.name+", "+string(durability)+", "+kind, func(t *testing.T) {
					test.opts.Durability = durability
					w := &outage{T: t, powerTest: test, plain: kind == "no attributes", random: rand.New(rand.NewPCG(1, 2))}
					w.play()
				})
			}
		}
	}
}

// outage is one power test being made.
type outage struct {
	*testing.T
	powerTest
	plain  bool
	random *rand.Rand
	dir    string
}

// image is what is found after a power failure.
type image struct {
	what string // the operation before which it came
	fs   *syncfs.FS
	said *promises
}

// mount returns the file system as the cache is to see it.
func (w *outage) mount(fsys vfs.FS) vfs.FS {
	if w.plain {
		return plainFS{fsys}
	}
	return fsys
}

// play runs the test once, with a power failure before each operation and at
// the end, and checks what each of them leaves.
func (w *outage) play() {
	w.Helper()
	w.dir = filepath.Join(w.TempDir(), "cache")
	mustDo(w, os.MkdirAll(filepath.Join(w.dir, "state"), 0o700)) // for the locks, which are the system's own
	disk := syncfs.New()
	said := &promises{full: w.opts.Durability == filestream.DurabilityFull, may: map[string][]string{}, must: map[string]bool{}}
	mustDo(w, w.fill(disk, said))
	var images []image
	fail := func(call faultfs.Call) error {
		if strings.HasPrefix(call.Op, "read") || call.Op == "stat" || call.Op == "attr" || call.Op == "open" {
			return nil // it changes nothing, so there is nothing new to lose
		}
		for after := range disk.Crashes(outcomesEach, w.random) {
			images = append(images, image{call.String(), after, said.clone()})
		}
		return nil
	}
	c, err := filestream.OpenFS(w.Context(), w.dir, w.opts, faultfs.New(w.mount(disk), fail))
	mustDo(w, err, w.run(w.Context(), c, said))
	c.Wait()
	mustDo(w, fail(faultfs.Call{Op: "the end"}), c.Close(), fail(faultfs.Call{Op: "Close"}))
	defer filestream.SetMachineRun(w.random.Uint64())() // the machine starts again
	for i, image := range images {
		// The index is the system's own: what it says is of another power failure,
		// or it is gone, or not all there.
		made := i%4 == 0
		if made {
			mustDo(w, os.RemoveAll(indexPath(w.dir)))
		}
		if w.check(image, made); w.Failed() {
			break // the others would say the same
		}
	}
	if n := disk.Opened(); n != 0 || len(images) < 10 {
		w.Errorf("%d files are open after %d power failures", n, len(images))
	}
}

// fill makes the entries that are there before, and has them on the disk for
// sure; what was stored by a full Put is there without that.
func (w *outage) fill(disk *syncfs.FS, said *promises) error {
	opts := filestream.Options{Durability: w.opts.Durability}
	c, err := filestream.OpenFS(w.Context(), w.dir, opts, w.mount(disk))
	if err != nil {
		return err
	}
	for name, body := range map[string]string{"old": oldBody, "other": smallBody, "large": largeBody} {
		err = errors.Join(err, said.put(w.Context(), c, name, body))
	}
	if w.opts.Durability != filestream.DurabilityFull {
		disk.SyncAll()
	}
	return errors.Join(err, c.Close())
}

// check opens the cache after a power failure and looks at each entry.
func (w *outage) check(found image, made bool) {
	w.Helper()
	opts := filestream.Options{MaxBytes: w.opts.MaxBytes}
	if w.leave {
		opts.MaxBytes = 0 // what is put now stays
	}
	c, err := filestream.OpenFS(w.Context(), w.dir, opts, w.mount(found.fs))
	if err != nil {
		w.Errorf("before %s: Open: %v", found.what, err)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(found.said.may)) {
		w.checkEntry(c, found, name)
	}
	for name := range found.said.may {
		if err := c.Put(w.Context(), named(name), interfaces.Text("healed")); err != nil {
			w.Errorf("before %s: Put afterwards: %v", found.what, err)
		}
		wantHit(w, c, name, "healed")
	}
	verified, err := c.VerifyAll(w.Context(), true, nil)
	if err != nil || len(verified.Damaged) > 0 || verified.Unverified > 0 {
		w.Errorf("before %s: VerifyAll afterwards: %+v and error %v", found.what, verified, err)
	}
	w.checkUsage(c, found, made)
	mustDo(w, c.Close())
	if n := found.fs.Opened(); n != 0 {
		w.Errorf("before %s: %d files are open", found.what, n)
	}
}

// checkEntry checks one entry against what was said of it, as far as the
// durability promises.
func (w *outage) checkEntry(c *filestream.Cache, found image, name string) {
	w.Helper()
	changing := len(found.said.may[name]) > 1
	body, err := get(w, c, name)
	what := fmt.Sprintf("before %s: %s is %s and error %v", found.what, name, brief(body), err)
	if err == nil {
		if !slices.Contains(found.said.may[name], body) {
			w.Errorf("%s, want one of %d others", what, len(found.said.may[name]))
		}
		return
	}
	if !errors.Is(err, cacheerr.ErrMiss) {
		w.Errorf("%s, want a miss", what)
	}
	damaged := errors.Is(err, cacheerr.ErrDamaged)
	// Where the head is a file, both cannot be replaced at once (docs/design/005).
	split := w.plain && (changing || !found.said.must[name] || w.leave)
	switch {
	case w.opts.Durability == filestream.DurabilityNone: // a miss of any kind is what was promised
	case damaged && !split:
		w.Errorf("%s, want it whole or absent", what)
	case w.leave, slices.Contains(found.said.may[name], gone), damaged:
	case found.said.must[name]:
		w.Errorf("%s, but it was stored", what)
	}
}

// checkUsage checks that the count of bytes, whatever was left of it, is put
// right as soon as the index is made anew, and that what is known is used.
func (w *outage) checkUsage(c *filestream.Cache, found image, made bool) {
	w.Helper()
	if !made {
		return
	}
	c.Wait() // for an eviction that began because the usage was not known
	usage, err := c.Usage(w.Context(), nil)
	total, known := c.Total()
	n, lenErr := c.Len(w.Context())
	if err != nil || lenErr != nil || !known || usage.Bytes != total || usage.Entries != n {
		w.Errorf("before %s: F8 Usage %+v, counted %d, known %t, %d entries, errors %v, %v", found.what, usage, total, known, n, err, lenErr)
	}
}

// TestPowerFailureSweep checks that what a power failure left in tmp goes as
// what a killed writer leaves.
func TestPowerFailureSweep(t *testing.T) {
	w := &outage{T: t, random: rand.New(rand.NewPCG(1, 2)), dir: filepath.Join(t.TempDir(), "cache")}
	disk, later := syncfs.New(), time.Now().Add(2*time.Hour)
	mustDo(t, os.MkdirAll(filepath.Join(w.dir, "state"), 0o700))
	left := 0
	c, err := filestream.OpenFS(t.Context(), w.dir, filestream.Options{}, faultfs.New(disk, func(call faultfs.Call) error {
		if call.Op != "rename" {
			return nil
		}
		after := disk.Crash(func(n int) int { return n - 1 })
		names, err := after.ReadDir(filepath.Join(w.dir, "tmp"))
		mustDo(t, err)
		left += len(names)
		c, err := filestream.OpenFS(t.Context(), w.dir, filestream.Options{Clock: func() time.Time { return later }}, after)
		mustDo(t, err, c.Close())
		if names, err := after.ReadDir(filepath.Join(w.dir, "tmp")); err != nil || len(names) > 0 {
			t.Errorf("F5 two hours later tmp has %v, error %v", names, err)
		}
		return nil
	}))
	mustDo(t, err)
	put(t, c, "key", oldBody)
	mustDo(t, c.Close())
	if left == 0 {
		t.Error("nothing was left in tmp")
	}
}
