// SPDX-License-Identifier: Apache-2.0

package interfaces_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// The entry's shape was settled between two versions: the struct that was kept,
// and the interface below that was refused, with one implementation for a body
// in memory and one for a file. Both are measured here; the decision is in
// docs/design.

// boxed is the refused version of interfaces.Entry.
type boxed interface {
	Head() interfaces.Head
	Text() (string, bool)
	Reader() io.Reader
	AppendTo(dst []byte) ([]byte, error)
	WithHead(head interfaces.Head) boxed
	Close() error
}

// boxedCache is the contract with it.
type boxedCache interface {
	Get(ctx context.Context, key interfaces.Key) (boxed, error)
	Put(ctx context.Context, key interfaces.Key, entry boxed) error
}

type inMemory struct {
	head interfaces.Head
	text string
}

func (m *inMemory) Head() interfaces.Head               { return m.head }
func (m *inMemory) Text() (string, bool)                { return m.text, true }
func (m *inMemory) Reader() io.Reader                   { return strings.NewReader(m.text) }
func (m *inMemory) AppendTo(dst []byte) ([]byte, error) { return append(dst, m.text...), nil }
func (m *inMemory) WithHead(head interfaces.Head) boxed { return &inMemory{head, m.text} }
func (m *inMemory) Close() error                        { return nil }

type inFile struct {
	head interfaces.Head
	file *os.File
}

func (f *inFile) Head() interfaces.Head               { return f.head }
func (f *inFile) Text() (string, bool)                { return "", false }
func (f *inFile) Reader() io.Reader                   { return f.file }
func (f *inFile) WithHead(head interfaces.Head) boxed { return &inFile{head, f.file} }
func (f *inFile) Close() error                        { return f.file.Close() }

func (f *inFile) AppendTo(dst []byte) ([]byte, error) {
	entry := interfaces.Stream(f.file, f.head.Size) // the same work
	return entry.AppendTo(dst)
}

// structs keeps entries of the kept shape, as a memory tier does.
type structs map[interfaces.Key]interfaces.Entry

func (s structs) Get(_ context.Context, key interfaces.Key) (interfaces.Entry, error) {
	entry, ok := s[key]
	if !ok {
		return interfaces.Entry{}, cacheerr.ErrMiss
	}
	return entry, nil
}

func (s structs) Put(_ context.Context, key interfaces.Key, entry interfaces.Entry) error {
	text, _ := entry.Text()
	s[key] = interfaces.Text(text).WithHead(entry.Head)
	return nil
}

// pointers keeps entries of the refused shape at its best: what is kept is
// handed out, and nobody may change it.
type pointers map[interfaces.Key]*inMemory

func (p pointers) Get(_ context.Context, key interfaces.Key) (boxed, error) {
	entry, ok := p[key]
	if !ok {
		return nil, cacheerr.ErrMiss
	}
	return entry, nil
}

func (p pointers) Put(_ context.Context, key interfaces.Key, entry boxed) error {
	text, _ := entry.Text()
	p[key] = &inMemory{entry.Head(), text}
	return nil
}

// copies keeps entries apart from what it hands out, as a tier does that keeps
// body and head in tables of its own.
type copies map[interfaces.Key]inMemory

func (c copies) Get(_ context.Context, key interfaces.Key) (boxed, error) {
	entry, ok := c[key]
	if !ok {
		return nil, cacheerr.ErrMiss
	}
	return &entry, nil
}

func (c copies) Put(_ context.Context, key interfaces.Key, entry boxed) error {
	text, _ := entry.Text()
	c[key] = inMemory{entry.Head(), text}
	return nil
}

// shapeBody is the body that is measured; its head has all that heads have.
var (
	shapeBody = strings.Repeat("b", 64<<10)
	shapeHead = interfaces.Head{
		Size: 64 << 10, Checksum: interfaces.Checksum{1}, Time: time.Unix(1, 2), Cost: time.Second, Tag: strings.Repeat("t", 32),
	}
)

func keptCache() interfaces.Cache {
	return structs{key(1): interfaces.Text(shapeBody).WithHead(shapeHead)}
}

func refusedCaches() map[string]boxedCache {
	return map[string]boxedCache{
		"interface-shared": pointers{key(1): {shapeHead, shapeBody}},
		"interface-own":    copies{key(1): {shapeHead, shapeBody}},
	}
}

// TestShape is why the struct was kept: a hit that is changed on its way, as the
// stack stamps what it promotes, costs it no allocation, and it cannot be
// changed behind the cache's back.
func TestShape(t *testing.T) {
	ctx := t.Context()
	kept := keptCache()
	allocations := func(get func()) float64 { return testing.AllocsPerRun(100, get) }
	if n := allocations(func() { _, _ = kept.Get(ctx, key(1)) }); n != 0 {
		t.Errorf("a hit of the kept shape: %v allocations, want none", n)
	}
	stamp := func() {
		entry, _ := kept.Get(ctx, key(1))
		head := entry.Head
		head.Time = time.Unix(2, 0)
		_ = kept.Put(ctx, key(1), entry.WithHead(head))
	}
	if n := allocations(stamp); n != 0 {
		t.Errorf("a hit of the kept shape that is stamped and put: %v allocations, want none", n)
	}
	for name, refused := range refusedCaches() {
		stamp := func() {
			entry, _ := refused.Get(ctx, key(1))
			head := entry.Head()
			head.Time = time.Unix(2, 0)
			_ = refused.Put(ctx, key(1), entry.WithHead(head))
		}
		if n := allocations(stamp); n == 0 {
			t.Errorf("%s: no allocations for a hit that is stamped and put; decide again", name)
		}
	}
}

// BenchmarkShape measures both shapes: a hit in memory, its 64 KiB copied into a
// buffer of the caller's, the same from a file, and a promotion with a new time.
func BenchmarkShape(b *testing.B) {
	b.Run("hit", func(b *testing.B) {
		b.Run("struct", func(b *testing.B) { keptHit(b, keptCache()) })
		for name, c := range refusedCaches() {
			b.Run(name, func(b *testing.B) { refusedHit(b, c) })
		}
	})
	b.Run("copy-64KiB", func(b *testing.B) {
		b.Run("struct", func(b *testing.B) { keptCopy(b, keptCache()) })
		for name, c := range refusedCaches() {
			b.Run(name, func(b *testing.B) { refusedCopy(b, c) })
		}
	})
	b.Run("promote", func(b *testing.B) {
		b.Run("struct", func(b *testing.B) { keptPromote(b, keptCache(), structs{}) })
		for name, c := range refusedCaches() {
			b.Run(name, func(b *testing.B) { refusedPromote(b, c, pointers{}) })
		}
	})
	b.Run("file-64KiB", shapeFile)
}

func keptHit(b *testing.B, c interfaces.Cache) {
	b.ReportAllocs()
	ctx, key := b.Context(), key(1)
	for b.Loop() {
		entry, err := c.Get(ctx, key)
		if text, ok := entry.Text(); err != nil || !ok || len(text) != len(shapeBody) || entry.Tag == "" {
			b.Fatal(err)
		}
	}
}

func refusedHit(b *testing.B, c boxedCache) {
	b.ReportAllocs()
	ctx, key := b.Context(), key(1)
	for b.Loop() {
		entry, err := c.Get(ctx, key)
		if text, ok := entry.Text(); err != nil || !ok || len(text) != len(shapeBody) || entry.Head().Tag == "" {
			b.Fatal(err)
		}
	}
}

func keptCopy(b *testing.B, c interfaces.Cache) {
	b.ReportAllocs()
	b.SetBytes(int64(len(shapeBody)))
	ctx, key, buffer := b.Context(), key(1), make([]byte, 0, len(shapeBody))
	for b.Loop() {
		entry, err := c.Get(ctx, key)
		if got, _ := entry.AppendTo(buffer); err != nil || len(got) != len(shapeBody) {
			b.Fatal(err)
		}
	}
}

func refusedCopy(b *testing.B, c boxedCache) {
	b.ReportAllocs()
	b.SetBytes(int64(len(shapeBody)))
	ctx, key, buffer := b.Context(), key(1), make([]byte, 0, len(shapeBody))
	for b.Loop() {
		entry, err := c.Get(ctx, key)
		if got, _ := entry.AppendTo(buffer); err != nil || len(got) != len(shapeBody) {
			b.Fatal(err)
		}
	}
}

func keptPromote(b *testing.B, from, to interfaces.Cache) {
	b.ReportAllocs()
	ctx, key, now := b.Context(), key(1), time.Unix(2, 0)
	for b.Loop() {
		entry, err := from.Get(ctx, key)
		entry.Time = now
		if err = to.Put(ctx, key, entry); err != nil {
			b.Fatal(err)
		}
	}
}

func refusedPromote(b *testing.B, from, to boxedCache) {
	b.ReportAllocs()
	ctx, key, now := b.Context(), key(1), time.Unix(2, 0)
	for b.Loop() {
		entry, err := from.Get(ctx, key)
		head := entry.Head()
		head.Time = now
		if err = to.Put(ctx, key, entry.WithHead(head)); err != nil {
			b.Fatal(err)
		}
	}
}

// shapeFile opens a file as an entry and reads all of it.
func shapeFile(b *testing.B) {
	path := filepath.Join(b.TempDir(), "body")
	if err := os.WriteFile(path, []byte(shapeBody), 0o600); err != nil {
		b.Fatal(err)
	}
	buffer := make([]byte, 0, len(shapeBody))
	b.Run("struct", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			file, err := os.Open(path)
			entry := interfaces.Stream(file, shapeHead.Size).WithHead(shapeHead)
			if got, _ := entry.AppendTo(buffer); err != nil || len(got) != len(shapeBody) || entry.Close() != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("interface", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			file, err := os.Open(path)
			var entry boxed = &inFile{shapeHead, file}
			if got, _ := entry.AppendTo(buffer); err != nil || len(got) != len(shapeBody) || entry.Close() != nil {
				b.Fatal(err)
			}
		}
	})
}
