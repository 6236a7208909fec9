// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memory"
)

func TestOptions(t *testing.T) {
	t.Run("M4 a negative cap is an error that says why", func(t *testing.T) {
		for name, opts := range map[string]memory.Options{
			"MaxBytes":   {MaxBytes: -1},
			"MaxEntries": {MaxEntries: -1},
		} {
			c, err := memory.New(opts)
			if c != nil || err == nil {
				t.Fatalf("New(%+v): no error", opts)
			}
			for _, part := range []string{name, "-1", "positive"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
		}
	})
	t.Run("M4 no cap means unbounded", func(t *testing.T) {
		c := open(t, memory.Options{})
		for i := range 10_000 {
			put(t, c, i, "body")
		}
		if n, err := c.Len(t.Context()); n != 10_000 || err != nil {
			t.Errorf("Len: %d, %v, want 10000", n, err)
		}
	})
	t.Run("the clock gives the time", func(t *testing.T) {
		now := time.Date(2024, 2, 29, 12, 0, 0, 1, time.FixedZone("elsewhere", 3600))
		c := open(t, memory.Options{Clock: func() time.Time { return now }})
		put(t, c, "a", "body")
		head, err := c.Stat(t.Context(), named("a"))
		if err != nil || head.Time != now.UTC() {
			t.Errorf("Stat: time %v, error %v, want %v", head.Time, err, now.UTC())
		}
	})
	t.Run("the default clock is this one", func(t *testing.T) {
		before := time.Now().Round(0)
		c := open(t, memory.Options{})
		put(t, c, "a", "body")
		head, err := c.Stat(t.Context(), named("a"))
		if err != nil || head.Time.Before(before) || head.Time != head.Time.Round(0).UTC() {
			t.Errorf("Stat: time %v, error %v, want now, in UTC and without a monotonic reading", head.Time, err)
		}
	})
}

func TestUnusable(t *testing.T) {
	calls := map[string]func(context.Context, *memory.Cache) error{
		"Get":  func(ctx context.Context, c *memory.Cache) error { _, err := c.Get(ctx, named("a")); return err },
		"Stat": func(ctx context.Context, c *memory.Cache) error { _, err := c.Stat(ctx, named("a")); return err },
		"Put":  func(ctx context.Context, c *memory.Cache) error { return c.Put(ctx, named("a"), interfaces.Text("b")) },
		"Insert": func(ctx context.Context, c *memory.Cache) error {
			_, err := c.Insert(ctx, named("a"), interfaces.Text("b"))
			return err
		},
		"Delete": func(ctx context.Context, c *memory.Cache) error { return c.Delete(ctx, named("a")) },
		"Len":    func(ctx context.Context, c *memory.Cache) error { _, err := c.Len(ctx); return err },
		"Clear":  func(ctx context.Context, c *memory.Cache) error { return c.Clear(ctx) },
		"List": func(ctx context.Context, c *memory.Cache) error {
			var last error
			for _, err := range c.List(ctx) {
				last = err
			}
			return last
		},
	}
	closed := open(t, memory.Options{})
	put(t, closed, "a", "body")
	if err := errors.Join(closed.Close(), closed.Close()); err != nil {
		t.Fatalf("Close twice: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	used := open(t, memory.Options{})
	put(t, used, "a", "body")
	for name, call := range calls {
		for kind, c := range map[string]*memory.Cache{"nil": nil, "zero": {}} {
			err := call(t.Context(), c)
			if _, ok := errors.AsType[*cacheerr.BackendNotAvailableError](err); !ok {
				t.Errorf("T10 %s of a %s cache: error %v, want a BackendNotAvailableError", name, kind, err)
			}
		}
		if err := call(t.Context(), closed); !errors.Is(err, cacheerr.ErrClosed) {
			t.Errorf("T10 %s of a closed cache: error %v, want ErrClosed", name, err)
		}
		if err := call(cancelled, used); !errors.Is(err, context.Canceled) {
			t.Errorf("T10 %s with a cancelled context: error %v, want that of the context", name, err)
		}
		if !has(t, used, "a") {
			t.Errorf("T10 %s with a cancelled context removed the entry", name)
		}
	}
	if err := (*memory.Cache)(nil).Close(); err == nil {
		t.Error("T10 Close of a nil cache: no error")
	}
}

// during returns an entry whose body is read after do was called.
func during(do func()) interfaces.Entry {
	hook := readerFunc(func([]byte) (int, error) { do(); return 0, io.EOF })
	return interfaces.Stream(io.MultiReader(hook, strings.NewReader("late")), 4)
}

// TestWhileReading tests what happens to a cache while it reads a body.
func TestWhileReading(t *testing.T) {
	t.Run("T3 the first Insert wins", func(t *testing.T) {
		c := open(t, memory.Options{})
		first := during(func() { put(t, c, "a", "early") })
		if inserted, err := c.Insert(t.Context(), named("a"), first); inserted || err != nil {
			t.Errorf("Insert that another overtook: %t, %v, want false", inserted, err)
		}
		entry, err := c.Get(t.Context(), named("a"))
		if text, _ := entry.Text(); text != "early" || err != nil {
			t.Errorf("Get: %q, %v, want the body that was first", text, err)
		}
	})
	t.Run("T10 Close", func(t *testing.T) {
		c := open(t, memory.Options{})
		err := c.Put(t.Context(), named("a"), during(func() { _ = c.Close() }))
		if !errors.Is(err, cacheerr.ErrClosed) {
			t.Errorf("Put: error %v, want ErrClosed", err)
		}
	})
	t.Run("T10 cancel", func(t *testing.T) {
		c := open(t, memory.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		if err := c.Put(ctx, named("a"), during(cancel)); err != context.Canceled { //nolint:errorlint // bare: the tier did not fail
			t.Errorf("Put: error %v, want that of the context", err)
		}
		if has(t, c, "a") {
			t.Error("a Put that failed stored something")
		}
	})
}

// TestEndOfList is T10 for what changes while a list is read.
func TestEndOfList(t *testing.T) {
	c := open(t, memory.Options{})
	for i := range 10 {
		put(t, c, i, "")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	listed := 0
	var last error
	for key, err := range c.List(ctx) {
		if last = err; err == nil {
			listed++
		} else if key != (interfaces.Key{}) {
			t.Errorf("key %v with the error, want none", key)
		}
		cancel()
	}
	if listed != 1 || !errors.Is(last, context.Canceled) {
		t.Errorf("a list cancelled after the first key: %d keys and error %v", listed, last)
	}
	for key := range c.List(t.Context()) {
		if err := c.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete of a listed key: %v", err)
		}
	}
	if n, err := c.Len(t.Context()); n != 0 || err != nil {
		t.Errorf("Len after deleting what is listed: %d, %v", n, err)
	}
}

func TestBadBody(t *testing.T) {
	c := open(t, memory.Options{})
	reason := errors.New("the reader's own error")
	wrong := interfaces.Head{Checksum: interfaces.Checksum{1}}
	short := interfaces.Text("abc")
	short.Size = 4
	for name, bad := range map[string]struct {
		entry interfaces.Entry
		cause error
	}{
		"shorter":        {interfaces.Stream(strings.NewReader("abc"), 4), io.ErrUnexpectedEOF},
		"shorter text":   {short, io.ErrUnexpectedEOF},
		"longer":         {interfaces.Stream(strings.NewReader("abc"), 2), nil},
		"far too short":  {interfaces.Stream(strings.NewReader("abc"), math.MaxInt64), nil},
		"failing":        {interfaces.Stream(readerFunc(func([]byte) (int, error) { return 0, reason }), 3), reason},
		"wrong checksum": {interfaces.Text("abc").WithHead(wrong), cacheerr.ErrDamaged},
	} {
		err := c.Put(t.Context(), named("a"), bad.entry)
		if err == nil || bad.cause != nil && !errors.Is(err, bad.cause) {
			t.Errorf("Put of a body that is %s: error %v, want one because of %v", name, err, bad.cause)
		}
		if failed, ok := errors.AsType[*cacheerr.BackendExecutionError](err); ok && (failed.Tier != "memory" || failed.Op != "put") {
			t.Errorf("Put of a body that is %s: %+v", name, failed)
		}
		if has(t, c, "a") {
			t.Errorf("Put of a body that is %s stored something", name)
		}
	}
}

// TestNoAlias is M5.
func TestNoAlias(t *testing.T) {
	c := open(t, memory.Options{})
	ours := []byte("the body that was put")
	const body = "the body that was put"
	var kept [][]byte // where a reader that breaks its contract wrote
	source := strings.NewReader(body)
	rude := readerFunc(func(p []byte) (int, error) { kept = append(kept, p); return source.Read(p) })
	for name, entry := range map[string]interfaces.Entry{
		"bytes":  interfaces.Bytes(ours),
		"buffer": interfaces.Stream(bytes.NewReader(ours), int64(len(ours))),
		"rude":   interfaces.Stream(rude, interfaces.SizeUnknown),
	} {
		if err := c.Put(t.Context(), named(name), entry); err != nil {
			t.Fatal(err)
		}
	}
	clear(ours)
	for _, p := range kept {
		clear(p)
	}
	for _, name := range []string{"bytes", "buffer", "rude"} {
		for range 2 { // the second time after the caller changed what it got
			entry, err := c.Get(t.Context(), named(name))
			if err != nil {
				t.Fatal(err)
			}
			got, err := entry.Bytes()
			if string(got) != body || err != nil {
				t.Errorf("M5 %s: body %q, error %v, want %q", name, got, err, body)
			}
			clear(got)
		}
	}
}

func TestAllocations(t *testing.T) {
	ctx := t.Context()
	c := open(t, memory.Options{})
	for _, entries := range []int{1, 100, 1000} { // moved by each hit, and not
		for i := range entries {
			put(t, c, i, "body")
		}
		keys := []interfaces.Key{named(0), named(entries / 2)}
		allocs := testing.AllocsPerRun(1000, func() {
			for _, key := range keys {
				if entry, err := c.Get(ctx, key); err != nil || entry.Size != 4 {
					t.Fatal("no hit")
				}
			}
		})
		if allocs != 0 {
			t.Errorf("M6 a hit among %d entries: %v allocations, want 0", entries, allocs/2)
		}
	}
	absent := named("absent")
	if allocs := testing.AllocsPerRun(1000, func() { _, _ = c.Get(ctx, absent) }); allocs != 0 {
		t.Errorf("a miss: %v allocations, want 0", allocs)
	}
}

// TestStress is M6, for the race detector: whatever many goroutines do, each
// hit is the body of its key, and the sums are right in the end.
func TestStress(t *testing.T) {
	const keys, most, size = 300, 150, 100
	c := open(t, room(most, size))
	body := func(i int) string { return strings.Repeat(string(rune('a'+i%26)), size) }
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			ctx := t.Context()
			for n := range 3000 {
				i := (n*7 + g*31) % keys
				var err error
				switch (n + g) % 16 {
				case 0, 1, 2, 3:
					err = c.Put(ctx, named(i), interfaces.Text(body(i)))
				case 4:
					_, err = c.Insert(ctx, named(i), interfaces.Stream(strings.NewReader(body(i)), size))
				case 5:
					err = c.Delete(ctx, named(i))
				case 6:
					_, err = c.Stat(ctx, named(i))
				case 7:
					if n%500 == 7 {
						err = c.Clear(ctx)
					}
				default:
					entry, getErr := c.Get(ctx, named(i))
					if text, _ := entry.Text(); getErr == nil && text != body(i) {
						t.Errorf("M6 body of %d is %q", i, text)
					}
					err = getErr
				}
				if err != nil && !errors.Is(err, cacheerr.ErrMiss) {
					t.Errorf("M6 operation %d: %v", n, err)
				}
			}
		})
	}
	group.Wait()
	for i := range most {
		put(t, c, i, body(i))
	}
	listed := 0
	for _, err := range c.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		listed++
	}
	if n, err := c.Len(t.Context()); n != most || listed != most || err != nil {
		t.Errorf("M6 full: %d entries and %d listed, error %v, want %d", n, listed, err, most)
	}
}

// heap returns the bytes that are in use on the heap.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// TestMemory tests what the sum in bytes cannot know of.
func TestMemory(t *testing.T) {
	const size = 17 << 20 // more than is allocated on a claim
	c := open(t, memory.Options{})
	stream := func(claimed int64) interfaces.Entry {
		return interfaces.Stream(io.LimitReader(endless{}, size), claimed)
	}
	before := heap()
	for name, claimed := range map[string]int64{"known": size, "unknown": interfaces.SizeUnknown} {
		if err := c.Put(t.Context(), named(name), stream(claimed)); err != nil {
			t.Fatal(err)
		}
		if used := heap() - before; used > size+size/8+1<<20 {
			t.Errorf("a body of %d bytes, size %s, takes %d", size, name, used)
		}
		read(t, c, name)
		if err := c.Delete(t.Context(), named(name)); err != nil {
			t.Fatal(err)
		}
		if used := heap() - before; used > 1<<20 {
			t.Errorf("%d bytes are in use after Delete", used)
		}
	}
	if err := c.Put(t.Context(), named("a"), stream(size)); err != nil {
		t.Fatal(err)
	}
	if err := c.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if used := heap() - before; used > 1<<20 {
		t.Errorf("%d bytes are in use after Clear", used)
	}
}

// TestMemoryOfMany tests that entries which stay do not keep those alive that
// went.
func TestMemoryOfMany(t *testing.T) {
	const entries, size = 600, 64 << 10 // the index has just grown
	c := open(t, memory.Options{})
	body := bytes.Repeat([]byte("b"), size)
	before := heap()
	for i := range entries {
		if err := c.Put(t.Context(), named(i), interfaces.Bytes(body)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range entries / 2 {
		if err := c.Delete(t.Context(), named(i)); err != nil {
			t.Fatal(err)
		}
	}
	if used := heap() - before; used > (entries/2+10)*size {
		t.Errorf("%d bytes are in use, want the %d of what was not deleted", used, entries/2*size)
	}
	before = heap()
	for range 20_000 {
		put(t, c, "a", "")
		if err := c.Delete(t.Context(), named("a")); err != nil {
			t.Fatal(err)
		}
	}
	if used := heap() - before; used > 64<<10 {
		t.Errorf("%d more bytes are in use after an entry came and went many times", used)
	}
}

// TestChecksum tests that an entry leaves with its checksum, for the next tier.
func TestChecksum(t *testing.T) {
	c := open(t, memory.Options{})
	put(t, c, "a", "body")
	head, err := c.Stat(t.Context(), named("a"))
	if sum := encoding.SumString(named("a"), "body"); err != nil || head.Checksum != sum {
		t.Errorf("checksum %x, error %v, want %x", head.Checksum, err, sum)
	}
}
