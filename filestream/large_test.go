// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
)

// pages is a body of size bytes in which each page of 4 KiB is filled with
// a byte that depends on its place.
type pages struct {
	at, size int64
}

func (p *pages) Read(b []byte) (int, error) {
	if p.at == p.size {
		return 0, io.EOF
	}
	page := p.at / 4096
	n := int(min(int64(len(b)), p.size-p.at, (page+1)*4096-p.at))
	fill := filling[page%int64(len(filling))]
	copy(b[:n], fill)
	p.at += int64(n)
	return n, nil
}

// filling are the pages by turns; 251 is prime, so no power of two is a period.
var filling = func() (all [251][]byte) {
	for i := range all {
		all[i] = bytes.Repeat([]byte{byte(i + 1)}, 4096)
	}
	return all
}()

// compareTo is an io.Writer that compares what is written with pages.
type compareTo struct {
	want pages
	buf  [4096]byte
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

// TestLarge streams a body that nobody holds in memory through Put, Get and
// Path, verified on the way.
func TestLarge(t *testing.T) {
	const size, limit = 256 << 20, 16 << 20 // larger bodies take the disk longer and the memory no more
	c := openIn(t, t.TempDir(), filestream.Options{Verify: filestream.VerifyAlways})
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
			n, err := io.Copy(&compareTo{want: pages{size: size}}, entry.Reader())
			if err == nil && n != size {
				err = fmt.Errorf("%d bytes, want %d", n, int64(size))
			}
			return errors.Join(err, entry.Close())
		}},
	}
	for _, step := range steps {
		var err error
		if got := allocated(func() { err = step.do() }); err != nil || got > limit {
			t.Errorf("%s of %d bytes: error %v, %d bytes allocated, want at most %d", step.name, size, err, got, limit)
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
