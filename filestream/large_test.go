// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"testing"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// pages is a body of size bytes in pages of 64 KiB. One in written is filled with
// a byte that depends on its place, the others are zeroes.
type pages struct {
	at, size int64
}

const (
	pageSize = 64 << 10
	written  = 100
)

func (p *pages) Read(b []byte) (int, error) {
	if p.at == p.size {
		return 0, io.EOF
	}
	page := p.at / pageSize
	n := int(min(int64(len(b)), p.size-p.at, (page+1)*pageSize-p.at))
	fill := filling()[0]
	if page%written == 0 {
		fill = filling()[1+page/written%int64(len(filling())-1)]
	}
	copy(b[:n], fill)
	p.at += int64(n)
	return n, nil
}

// filling returns the pages; 251 is prime, so no power of two is a period. They
// are made when they are asked for: the test binary is started hundreds of times.
var filling = sync.OnceValue(func() (all *[1 + 251][]byte) {
	all = new([1 + 251][]byte)
	for i := range all {
		all[i] = bytes.Repeat([]byte{byte(i)}, pageSize)
	}
	return all
})

// sparseFS leaves holes for pages of zeroes, so that a very large file costs
// the disk little. All else about it is as large as it is.
type sparseFS struct{ vfs.FS }

func (s sparseFS) Create(path string) (vfs.File, error) {
	file, err := s.FS.Create(path)
	return &sparseFile{File: file}, err
}

type sparseFile struct {
	vfs.File
	at int64
}

func (s *sparseFile) Write(b []byte) (int, error) {
	for done := 0; done < len(b); {
		piece := b[done:min(len(b), done+pageSize-int((s.at+int64(done))%pageSize))]
		if !bytes.Equal(piece, filling()[0][:len(piece)]) {
			if n, err := s.WriteAt(piece, s.at+int64(done)); err != nil {
				return done + n, err
			}
		}
		done += len(piece)
	}
	s.at += int64(len(b))
	return len(b), nil
}

// Stat is called when all is written: the last byte gives the file its length.
func (s *sparseFile) Stat() (vfs.Info, error) {
	if _, err := s.WriteAt([]byte{0}, s.at-1); err != nil {
		return vfs.Info{}, err
	}
	return s.File.Stat()
}

// compareTo is an io.Writer that compares what is written with pages.
type compareTo struct {
	want pages
	buf  [pageSize]byte
}

func (c *compareTo) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n, err := c.want.Read(c.buf[:min(len(rest), len(c.buf))])
		if err != nil || !bytes.Equal(rest[:n], c.buf[:n]) {
			return 0, fmt.Errorf("wrong bytes before %d (error %v)", c.want.at, err)
		}
		rest = rest[n:]
	}
	return len(b), nil
}

// allocated returns how many bytes do allocates in all.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestLarge streams a body of 2 GiB, which nobody holds in memory, through Put,
// Get and Path, verified on the way.
func TestLarge(t *testing.T) {
	const size, limit = 2<<30 + 2*pageSize, 64 << 20
	c := openOn(t, t.TempDir(), filestream.Options{Verify: filestream.VerifyAlways}, sparseFS{vfs.OS{}})
	compare := func(body io.Reader) error {
		n, err := io.CopyBuffer(&compareTo{want: pages{size: size}}, struct{ io.Reader }{body}, make([]byte, 1<<20))
		if err == nil && n != size {
			err = fmt.Errorf("%d bytes, want %d", n, int64(size))
		}
		return err
	}
	steps := []struct {
		name string
		do   func() error
	}{
		{"Put", func() error { return c.Put(t.Context(), named("large"), interfaces.Stream(&pages{size: size}, size)) }},
		{"Get", func() error {
			entry, err := c.Get(t.Context(), named("large"))
			if err != nil {
				return err
			}
			return errors.Join(compare(entry.Reader()), entry.Close())
		}},
		{"Path", func() error {
			path, length, err := c.Path(t.Context(), named("large"))
			if err != nil || length != size {
				return fmt.Errorf("length %d, error %w", length, err)
			}
			file, err := os.Open(path)
			if err != nil {
				return err
			}
			return errors.Join(compare(file), file.Close())
		}},
	}
	for _, step := range steps {
		var err error
		if got := allocated(func() { err = step.do() }); err != nil || got > limit {
			t.Errorf("%s of %d bytes: error %v, %d bytes allocated, want at most %d", step.name, int64(size), err, got, limit)
		}
	}
}

// endless is a body that does not end before it has given very much.
type endless struct {
	given int64
	each  func() // called at each read
}

func (e *endless) Read(b []byte) (int, error) {
	if e.each(); e.given > 1<<26 {
		return 0, errors.New("the body was read on and on")
	}
	e.given += int64(len(b))
	return len(b), nil
}

func TestEndlessBody(t *testing.T) {
	c := openIn(t, t.TempDir(), filestream.Options{})
	t.Run("F3 a body is not read far beyond the length that its head says", func(t *testing.T) {
		body := &endless{each: func() {}}
		if err := c.Put(t.Context(), named("key"), interfaces.Stream(body, 1000)); err == nil || body.given > 1<<20 {
			t.Errorf("Put: error %v after %d bytes of a body of 1000", err, body.given)
		}
		wantMiss(t, c, "key")
	})
	t.Run("T10 a cancelled Put does not read on", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		body := &endless{each: cancel}
		err := c.Put(ctx, named("key"), interfaces.Stream(body, interfaces.SizeUnknown))
		if !errors.Is(err, context.Canceled) || body.given > 1<<20 {
			t.Errorf("Put: error %v after %d bytes, want %v", err, body.given, context.Canceled)
		}
		wantMiss(t, c, "key")
	})
}
