// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing/iotest"

	"github.com/tiercecache/tierce/interfaces"
)

// reader is a lawful way to hand over a body that an implementation may not
// have thought of.
type reader struct {
	name string
	make func(body string) interfaces.Entry
}

func readers() []reader {
	unknown := func(r io.Reader) interfaces.Entry { return interfaces.Stream(r, interfaces.SizeUnknown) }
	return []reader{
		{"text", interfaces.Text},
		{"stream", func(body string) interfaces.Entry {
			return interfaces.Stream(strings.NewReader(body), int64(len(body)))
		}},
		{"stream of unknown size", func(body string) interfaces.Entry {
			return unknown(strings.NewReader(body))
		}},
		{"stream whose EOF comes with the last bytes", func(body string) interfaces.Entry {
			return interfaces.Stream(iotest.DataErrReader(strings.NewReader(body)), int64(len(body)))
		}},
		{"stream of unknown size in half reads", func(body string) interfaces.Entry {
			return unknown(iotest.HalfReader(strings.NewReader(body)))
		}},
		{"stream with empty reads", func(body string) interfaces.Entry {
			return interfaces.Stream(&stutterer{r: strings.NewReader(body)}, int64(len(body)))
		}},
	}
}

// stutterer reads nothing every second time, as a reader may.
type stutterer struct {
	r    io.Reader
	mute bool
}

func (s *stutterer) Read(p []byte) (int, error) {
	if s.mute = !s.mute; s.mute {
		return 0, nil
	}
	return s.r.Read(p)
}

func testBodies(s *subject) {
	for _, size := range []int64{0, 1, 511, 4095, 4096, 4097, 32 << 10, 64<<10 - 1, 64<<10 + 1, 1 << 20} {
		if size > s.cfg.MaxBody {
			s.Logf("bodies of %d bytes and more are above MaxBody", size)
			return
		}
		for i, r := range readers() {
			key, body := named(r.name), patternText(uint64(size)+uint64(i), size)
			if err := s.cache.Put(s.Context(), key, r.make(body)); err != nil {
				s.Errorf("Put of a %s, %d bytes: %v", r.name, size, err)
				continue
			}
			s.want(key, body)
		}
	}
	key := named("a byte at a time")
	entry := interfaces.Stream(iotest.OneByteReader(pattern(1, 300)), 300)
	if err := s.cache.Put(s.Context(), key, entry); err != nil {
		s.Fatalf("Put of a body that comes a byte at a time: %v", err)
	}
	s.want(key, patternText(1, 300))
}

// testLargeBody tests a body that nobody should hold in memory: the suite does
// not either.
func testLargeBody(s *subject) {
	size := s.cfg.MaxBody
	for seed, claimed := range []int64{size, interfaces.SizeUnknown} {
		key := named("large")
		if err := s.cache.Put(s.Context(), key, interfaces.Stream(pattern(uint64(seed), size), claimed)); err != nil {
			s.Fatalf("Put of %d bytes, size given as %d: %v", size, claimed, err)
		}
		entry, err := s.cache.Get(s.Context(), key)
		if s.forgot(err) {
			s.Log("forgotten at once")
			continue
		}
		if err != nil {
			s.Fatalf("Get of %d bytes: %v", size, err)
		}
		s.hits.Add(1)
		if entry.Size != size {
			s.Errorf("size given as %d: the head says %d, want %d", claimed, entry.Size, size)
		}
		if err := samePattern(entry.Reader(), uint64(seed), size); err != nil {
			s.Errorf("size given as %d: %v", claimed, err)
		}
		if err := entry.Close(); err != nil {
			s.Errorf("Close: %v", err)
		}
	}
}

// testFileBody tests that the content of a file is stored, not its path.
func testFileBody(s *subject) {
	path := filepath.Join(s.TempDir(), "body")
	body := patternText(1, s.upTo(10_000))
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		s.Fatal(err)
	}
	entry, err := interfaces.OpenFile(path)
	if err != nil {
		s.Fatal(err)
	}
	key := named("file")
	if err := s.cache.Put(s.Context(), key, entry); err != nil {
		s.Errorf("Put of a file: %v", err)
	}
	if err := entry.Close(); err != nil {
		s.Errorf("Close of the file that was put: %v", err)
	}
	if err := os.WriteFile(path, []byte("changed"), 0o600); err != nil {
		s.Fatal(err)
	}
	s.want(key, body)
	if err := os.Remove(path); err != nil {
		s.Fatal(err)
	}
	s.want(key, body)
}

// testPutLeavesOpen tests that closing an entry stays with who made it.
func testPutLeavesOpen(s *subject) {
	for _, write := range s.writes() {
		for name, fails := range map[string]error{"": nil, " that fails": errBody} {
			body := &closeCounter{Reader: pattern(1, 2000)}
			if fails != nil {
				body.Reader = iotest.ErrReader(fails)
			}
			err := write.call(named(write.name+name), interfaces.Stream(body, 2000))
			if fails == nil && err != nil {
				s.Errorf("%s: %v", write.name, err)
			}
			if body.closed != 0 {
				s.Errorf("%s%s closed the body %d times, its caller does", write.name, name, body.closed)
			}
		}
	}
}

type closeCounter struct {
	io.Reader
	closed int
}

func (c *closeCounter) Close() error {
	c.closed++
	return nil
}

// testNoAliasing tests that neither the buffer a body came from nor the one it
// was read into is the cache's memory.
func testNoAliasing(s *subject) {
	writes := s.writes()
	for _, size := range []int64{10, 3000, s.upTo(100_000)} {
		want := patternText(7, size)
		for _, write := range writes {
			key := named(write.name + brief(want))
			buffer := []byte(want)
			if err := write.call(key, interfaces.Stream(bytes.NewReader(buffer), size)); err != nil {
				s.Errorf("%s: %v", write.name, err)
			}
			clear(buffer)
			if !s.want(key, want) {
				continue
			}
			entry, err := s.cache.Get(s.Context(), key)
			if err != nil {
				s.Errorf("second Get: %v", err)
				continue
			}
			buffer, err = entry.AppendTo(buffer[:0])
			if err != nil || string(buffer) != want {
				s.Errorf("AppendTo: %s and error %v, want %s", brief(string(buffer)), err, brief(want))
			}
			_ = entry.Close() // the body is read
			clear(buffer)
			s.want(key, want)
		}
	}
}
