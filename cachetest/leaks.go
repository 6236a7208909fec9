// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing/iotest"
	"time"

	"github.com/tiercecache/tierce/interfaces"
)

// testLeaks tests that a cache which was used well and badly and then closed
// leaves no goroutine and no open file.
func testLeaks(s *subject) {
	s.useUp() // what is made once and kept, as a poller or a pool, is there now
	before := resources()
	s.useUp()
	// The time limit is for goroutines on their way out, which nobody can wait
	// for in another way; it ends only a test that fails.
	ctx, cancel := context.WithTimeout(s.Context(), 3*time.Second)
	defer cancel()
	for {
		left := resources()
		for name := range before {
			delete(left, name)
		}
		if len(left) == 0 {
			return
		}
		if ctx.Err() != nil {
			for _, what := range left {
				s.Errorf("left behind after Close: %s", what)
			}
			return
		}
		runtime.Gosched()
	}
}

// useUp opens a cache, uses it in every way that may leave something, and
// closes it.
func (s *subject) useUp() {
	c := s.cfg.Open(s.T)
	size := s.upTo(200_000)
	key := named("leak")
	cancelled, cancel := context.WithCancel(s.Context())
	cancel()
	for range 3 {
		if err := c.Put(s.Context(), key, interfaces.Stream(pattern(1, size), size)); err != nil {
			s.Errorf("Put: %v", err)
		}
		_ = c.Put(s.Context(), named("bad"), interfaces.Stream(iotest.ErrReader(errBody), size))
		_ = c.Put(cancelled, key, interfaces.Text("never"))
		for _, read := range []int64{0, size / 2, size + 1} { // nothing, half, all
			entry, err := c.Get(s.Context(), key)
			if err != nil && !s.forgot(err) {
				s.Errorf("Get: %v", err)
			}
			_, _ = io.CopyN(io.Discard, entry.Reader(), read) // ends where the body does
			_ = entry.Close()                                 // the body is of no interest
		}
		for _, op := range operations(key) {
			_ = op.call(cancelled, c)
			_ = op.call(s.Context(), c)
		}
		for range interfaces.List(s.Context(), c) { //nolint:errcheck // given up at once
			break // a listing that is given up
		}
		each := func(int, interfaces.Entry, error) error { return errBody }
		_ = interfaces.GetBatch(s.Context(), c, []interfaces.Key{key, key, named("absent")}, each)
	}
	if err := interfaces.Close(c); err != nil {
		s.Errorf("Close: %v", err)
	}
}

// resources returns the goroutines of this process and, where the system lists
// them, its open files, each with what is known of it.
func resources() map[string]string {
	found := make(map[string]string)
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		name, _, _ := strings.Cut(stack, " [") // "goroutine 7 [running]:"
		found[name] = stack
	}
	const files = "/proc/self/fd"
	entries, _ := os.ReadDir(files) // only Linux has it
	for _, entry := range entries {
		target, err := os.Readlink(filepath.Join(files, entry.Name()))
		if err != nil { // it was the listing's own
			continue
		}
		name := fmt.Sprintf("file %s %s", entry.Name(), target)
		found[name] = name
	}
	return found
}
