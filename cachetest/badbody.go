// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing/iotest"

	"github.com/tiercecache/tierce/interfaces"
)

// errBody is why the suite's bodies fail.
var errBody = errors.New("cachetest: the body fails on purpose")

// write is a way to store an entry.
type write struct {
	name string
	call func(interfaces.Key, interfaces.Entry) error
}

// writes returns the ways to store an entry that the cache has.
func (s *subject) writes() []write {
	ways := []write{
		{"Put", func(key interfaces.Key, entry interfaces.Entry) error {
			return s.cache.Put(s.Context(), key, entry)
		}},
		{"PutBatch", func(key interfaces.Key, entry interfaces.Entry) error {
			return interfaces.PutBatch(s.Context(), s.cache, []interfaces.Item{{Key: key, Entry: entry}})
		}},
	}
	if s.has("Inserter") {
		ways = append(ways, write{"Insert", func(key interfaces.Key, entry interfaces.Entry) error {
			_, err := interfaces.Insert(s.Context(), s.cache, key, entry)
			return err
		}})
	}
	return ways
}

// badBody is an entry that must not be stored.
type badBody struct {
	name  string
	make  func() interfaces.Entry
	cause error // what the error must be, if the cache is not its author
}

// badBodies returns bodies up to the size large.
func badBodies(large int64) []badBody {
	stream := interfaces.Stream
	failing := func(size int64) io.Reader { return io.MultiReader(pattern(1, size), iotest.ErrReader(errBody)) }
	wrong := interfaces.Head{Size: 100, Checksum: interfaces.Checksum{1}}
	return []badBody{
		{"shorter than its size", func() interfaces.Entry { return stream(pattern(1, 99), 100) }, nil},
		{"empty, with a size", func() interfaces.Entry { return stream(strings.NewReader(""), 1) }, nil},
		{"longer than its size", func() interfaces.Entry { return stream(pattern(1, 101), 100) }, nil},
		{"not empty, with size 0", func() interfaces.Entry { return stream(pattern(1, 1), 0) }, nil},
		{"large and shorter than its size", func() interfaces.Entry { return stream(pattern(1, large-1), large) }, nil},
		{"with a size that cannot be", func() interfaces.Entry { return stream(pattern(1, 100), 1<<62) }, nil},
		{"failing at once", func() interfaces.Entry { return stream(iotest.ErrReader(errBody), 100) }, errBody},
		{"failing half way", func() interfaces.Entry { return stream(failing(50), 100) }, errBody},
		{"large and failing half way", func() interfaces.Entry { return stream(failing(large/2), large) }, errBody},
		{"failing in place of its end", func() interfaces.Entry { return stream(failing(100), 100) }, errBody},
		{"of unknown size, failing", func() interfaces.Entry { return stream(failing(5000), interfaces.SizeUnknown) }, errBody},
		{"with a wrong checksum", func() interfaces.Entry { return stream(pattern(1, 100), 100).WithHead(wrong) }, nil},
		{"in memory, with a wrong checksum", func() interfaces.Entry {
			return interfaces.Text(patternText(1, 100)).WithHead(wrong)
		}, nil},
	}
}

// testBadBodies tests that a body which is not what its head says, or fails, is
// an error and changes nothing, on a new key and on one that is present.
func testBadBodies(s *subject) {
	writes, bodies := s.writes(), badBodies(s.upTo(200_000))
	for _, bad := range bodies {
		for _, write := range writes {
			what := write.name + " of a body " + bad.name
			key := named(what)
			err := s.noPanic(what, func() error { return write.call(key, bad.make()) })
			s.wantError(what, err)
			if bad.cause != nil && err != nil && !errors.Is(err, bad.cause) {
				s.Errorf("%s: error %v does not have the body's own error as its cause", what, err)
			}
			s.wantMiss(key)

			s.put(key, "the old body")
			err = s.noPanic(what, func() error { return write.call(key, bad.make()) })
			if write.name != "Insert" { // which need not read what it does not keep
				s.wantError(what+" on a present key", err)
			}
			s.want(key, "the old body")
		}
	}
	if n, err := interfaces.Len(s.Context(), s.cache); err == nil && n > len(bodies)*len(writes) {
		s.Errorf("Len is %d after all bad bodies, want at most one entry for each", n)
	}
}

// testCancelledBody tests that an operation which is cancelled while it reads
// the body stores the whole entry or nothing, and says which.
func testCancelledBody(s *subject) {
	size := s.upTo(100_000)
	for _, at := range []int64{0, 10, size - 1, size} {
		for _, write := range []string{"new", "old"} {
			key, body := named(fmt.Sprint(write, at)), patternText(uint64(at), size)
			if write == "old" {
				s.put(key, "the old body")
			}
			ctx, cancel := context.WithCancel(s.Context())
			halt := readerFunc(func([]byte) (int, error) { cancel(); return 0, io.EOF })
			entry := interfaces.Stream(io.MultiReader(strings.NewReader(body[:at]), halt, strings.NewReader(body[at:])), size)
			err := s.cache.Put(ctx, key, entry)
			cancel()
			switch {
			case err == nil:
				s.want(key, body)
			case !errors.Is(err, context.Canceled):
				s.Errorf("Put cancelled after %d bytes: error %v, want context.Canceled", at, err)
			case write == "old":
				s.want(key, "the old body")
			default:
				s.wantMiss(key)
			}
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
