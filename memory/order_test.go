// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memory"
)

func named(name any) interfaces.Key { return encoding.RawKey(fmt.Append(nil, name)) }

func put(tb testing.TB, c *memory.Cache, name any, body string) {
	tb.Helper()
	if err := c.Put(tb.Context(), named(name), interfaces.Text(body)); err != nil {
		tb.Fatalf("Put %v: %v", name, err)
	}
}

// read gets name, which counts as a use, and reports whether it was a hit.
func read(tb testing.TB, c *memory.Cache, name any) bool {
	tb.Helper()
	_, err := c.Get(tb.Context(), named(name))
	if err != nil && !errors.Is(err, cacheerr.ErrMiss) {
		tb.Fatalf("Get %v: %v", name, err)
	}
	return err == nil
}

// has reports whether name is there, which does not count as a use.
func has(tb testing.TB, c *memory.Cache, name any) bool {
	tb.Helper()
	_, err := c.Stat(tb.Context(), named(name))
	if err != nil && !errors.Is(err, cacheerr.ErrMiss) {
		tb.Fatalf("Stat %v: %v", name, err)
	}
	return err == nil
}

// want checks which of the one-letter names of all are there.
func want(t *testing.T, c *memory.Cache, all, there string) {
	t.Helper()
	var got strings.Builder
	for _, name := range all {
		if has(t, c, string(name)) {
			got.WriteRune(name)
		}
	}
	if got.String() != there {
		t.Errorf("entries %q, want %q", got.String(), there)
	}
}

// room is the cap for n entries with bodies of size bytes.
func room(n, size int) memory.Options {
	return memory.Options{MaxBytes: int64(n * (size + memory.Overhead))}
}

func TestEviction(t *testing.T) {
	body := strings.Repeat("b", 1000)
	t.Run("M1 bytes are capped exactly", func(t *testing.T) {
		for _, short := range []int64{0, 1} {
			opts := room(4, 1000)
			opts.MaxBytes -= short
			c := open(t, opts)
			for _, name := range "abcd" {
				put(t, c, string(name), body)
			}
			want(t, c, "abcd", "abcd"[short:])
		}
	})
	t.Run("M1 a tag counts", func(t *testing.T) {
		c := open(t, room(4, 1000))
		for _, name := range "abcd" {
			entry := interfaces.Text(body).WithHead(interfaces.Head{Tag: "t"})
			if err := c.Put(t.Context(), named(string(name)), entry); err != nil {
				t.Fatal(err)
			}
		}
		want(t, c, "abcd", "bcd")
	})
	t.Run("M1 entries are capped", func(t *testing.T) {
		c := open(t, memory.Options{MaxEntries: 3})
		for _, name := range "abcde" {
			put(t, c, string(name), "")
		}
		want(t, c, "abcde", "cde")
	})
	t.Run("M1 a read promotes, a look does not", func(t *testing.T) {
		c := open(t, room(3, 1000))
		for _, name := range "abc" {
			put(t, c, string(name), body)
		}
		read(t, c, "a")
		if !has(t, c, "b") {
			t.Fatal("b is not there")
		}
		if inserted, err := c.Insert(t.Context(), named("b"), interfaces.Text(body)); inserted || err != nil {
			t.Fatalf("Insert of a present key: %t, %v", inserted, err)
		}
		put(t, c, "d", body)
		want(t, c, "abcd", "acd")
	})
	t.Run("M1 reads after one write keep their order", func(t *testing.T) {
		c := open(t, room(3, 1000))
		for _, name := range "abc" {
			put(t, c, string(name), body)
		}
		for _, name := range "cabcbab" {
			read(t, c, string(name))
		}
		put(t, c, "d", body)
		put(t, c, "e", body)
		want(t, c, "abcde", "bde")
	})
}

func TestOverwrite(t *testing.T) {
	t.Run("M2 replaces the size", func(t *testing.T) {
		c := open(t, room(3, 1000))
		put(t, c, "a", strings.Repeat("a", 1000))
		for i := range 100 {
			put(t, c, "b", strings.Repeat("b", 10*i))
		}
		for range 100 {
			put(t, c, "c", strings.Repeat("c", 1000))
		}
		want(t, c, "abc", "abc")
	})
	t.Run("M2 growing evicts the others", func(t *testing.T) {
		c := open(t, room(3, 1000))
		for _, name := range "abc" {
			put(t, c, string(name), strings.Repeat("b", 1000))
		}
		put(t, c, "c", strings.Repeat("c", 1001))
		want(t, c, "abc", "bc")
		put(t, c, "c", strings.Repeat("c", 1000))
		put(t, c, "a", strings.Repeat("a", 1000))
		want(t, c, "abc", "abc")
	})
}

func TestTooLarge(t *testing.T) {
	opts := room(3, 1000)
	most := opts.MaxBytes - memory.Overhead
	unread := func(size int64) interfaces.Entry {
		return interfaces.Stream(readerFunc(func([]byte) (int, error) {
			t.Error("a body is read whose size is above the cap")
			return 0, errors.New("not to be read")
		}), size)
	}
	for name, entry := range map[string]interfaces.Entry{
		"text":              interfaces.Text(strings.Repeat("x", int(most)+1)),
		"size above cap":    unread(most + 1),
		"size of any kind":  unread(1 << 62),
		"of unknown size":   interfaces.Stream(endless{}, interfaces.SizeUnknown),
		"by its tag":        interfaces.Text(strings.Repeat("x", int(most))).WithHead(interfaces.Head{Tag: "t"}),
		"stream by its tag": unread(most).WithHead(interfaces.Head{Size: most, Tag: "t"}),
	} {
		t.Run("M3 too big evicts nobody, "+name, func(t *testing.T) {
			c := open(t, opts)
			for _, name := range "abc" {
				put(t, c, string(name), strings.Repeat("b", 1000))
			}
			for _, key := range []string{"new", "b"} { // what was under b stays
				err := c.Put(t.Context(), named(key), entry)
				tooLarge, ok := errors.AsType[*cacheerr.EntryTooLargeError](err)
				if !ok {
					t.Fatalf("Put: error %v, want an EntryTooLargeError", err)
				}
				if limit := most - int64(len(entry.Tag)); tooLarge.Available != limit || tooLarge.Requested <= limit {
					t.Errorf("Put: %+v, want more than %d requested and %[2]d available", tooLarge, limit)
				}
			}
			if _, err := c.Insert(t.Context(), named("new"), entry); err == nil {
				t.Error("Insert: no error")
			}
			want(t, c, "abc", "abc")
			if has(t, c, "new") {
				t.Error("the entry that is too big survived")
			}
		})
	}
	t.Run("M3 as big as the cap fits", func(t *testing.T) {
		c := open(t, opts)
		put(t, c, "a", "small")
		put(t, c, "b", strings.Repeat("b", int(most)))
		want(t, c, "ab", "b")
	})
	t.Run("M3 a cap that holds nothing", func(t *testing.T) {
		c := open(t, memory.Options{MaxBytes: 1})
		for _, entry := range []interfaces.Entry{{}, interfaces.Stream(strings.NewReader(""), interfaces.SizeUnknown)} {
			err := c.Put(t.Context(), named("a"), entry)
			if tooLarge, ok := errors.AsType[*cacheerr.EntryTooLargeError](err); !ok || tooLarge.Available != 0 {
				t.Errorf("Put: error %v, want an EntryTooLargeError with 0 available", err)
			}
		}
	})
}

// TestOrderModel is M1: below 64 entries the order is exactly that of a list.
func TestOrderModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const most = 50
	c := open(t, memory.Options{MaxEntries: most})
	var model []int // least recent first
	use := func(name int) bool {
		i := slices.Index(model, name)
		if i >= 0 {
			model = append(slices.Delete(model, i, i+1), name)
		}
		return i >= 0
	}
	for range 20_000 {
		name := random.IntN(3 * most / 2)
		switch random.IntN(8) {
		case 0, 1, 2:
			put(t, c, name, "")
			if !use(name) {
				model = append(model, name)
			}
			model = model[max(0, len(model)-most):]
		case 3:
			err := c.Delete(t.Context(), named(name))
			if use(name) != (err == nil) {
				t.Fatalf("Delete %d: error %v, which is not what the model has", name, err)
			}
			model = slices.DeleteFunc(model, func(n int) bool { return n == name })
		default:
			if got, want := read(t, c, name), use(name); got != want {
				t.Fatalf("Get %d: hit %t, want %t", name, got, want)
			}
		}
	}
}

// TestOrderOfMany is M1 for more entries than are kept in exact order: only
// what was written last may go too early.
func TestOrderOfMany(t *testing.T) {
	const most, slack = 4096, 4096 / 64
	c := open(t, memory.Options{MaxEntries: most})
	for i := range most {
		put(t, c, i, "")
	}
	for range 3 { // the second and third time moves nothing
		for i := 0; i < most; i += 2 {
			read(t, c, i)
		}
	}
	for i := range most / 2 {
		put(t, c, most+i, "")
	}
	early := 0
	for i := 0; i < most; i += 2 {
		if has(t, c, i) {
			continue
		}
		if i < most-slack {
			t.Fatalf("entry %d was read and evicted, and those that were not read stayed", i)
		}
		early++
	}
	if early > slack/2 {
		t.Errorf("%d entries went too early, want at most %d", early, slack/2)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
