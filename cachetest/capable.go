// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing/iotest"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// testStat tests the capability, or the fallback, which gets the entry.
func testStat(s *subject) {
	_, err := interfaces.Stat(s.Context(), s.cache, named("absent"))
	s.wantError("Stat of an absent key", err, cacheerr.ErrMiss)
	for i, head := range heads() {
		key, size := named(fmt.Sprint(i)), s.upTo(int64(i)*20_000)
		head.Size = size
		if err := s.cache.Put(s.Context(), key, interfaces.Stream(pattern(1, size), size).WithHead(head)); err != nil {
			s.Fatalf("Put: %v", err)
		}
		got, err := interfaces.Stat(s.Context(), s.cache, key)
		if s.forgot(err) {
			continue
		}
		if err == nil {
			err = sameHead(got, head)
		}
		if err == nil {
			err = agree(key, got, []byte(patternText(1, size)))
		}
		if err != nil {
			s.Errorf("Stat with head %d: %v", i, err)
		}
		s.want(key, patternText(1, size))
	}
}

func testPath(s *subject) {
	key, body := named("path"), "\x7fELF "+patternText(1, 9000)
	if err := s.cache.Put(s.Context(), key, interfaces.Text(body)); err != nil {
		s.Fatalf("Put: %v", err)
	}
	if !s.has("Pather") {
		_, _, err := interfaces.Path(s.Context(), s.cache, key)
		s.wantError("Path without the capability", err, errors.ErrUnsupported)
		return
	}
	_, _, err := interfaces.Path(s.Context(), s.cache, named("absent"))
	s.wantError("Path of an absent key", err, cacheerr.ErrMiss)
	s.wantPath(key, body)
	empty := named("an empty file")
	s.put(empty, "")
	path, _, err := interfaces.Path(s.Context(), s.cache, empty)
	if info, statErr := os.Stat(path); !s.forgot(err) && (err != nil || statErr != nil || info.Size() != 0) {
		s.Errorf("Path of an empty body: errors %v and %v, want an empty file", err, statErr)
	}
}

// wantPath fails the test unless Path answers with a file of exactly body.
func (s *subject) wantPath(key interfaces.Key, body string) {
	s.Helper()
	path, size, err := interfaces.Path(s.Context(), s.cache, key)
	if s.forgot(err) {
		return
	}
	if err == nil && size != int64(len(body)) {
		err = fmt.Errorf("a length of %d, want %d", size, len(body))
	}
	if err != nil {
		s.Fatalf("Path: %v", err)
	}
	if !filepath.IsAbs(path) {
		s.Errorf("Path: %q is not absolute", path)
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		s.Errorf("Path: %q is not a regular file (error %v)", path, err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != body {
		s.Errorf("Path: the file is %s and error %v, want %s", brief(string(got)), err, brief(body))
	}
}

// testGetBatch tests that each is called once for every place, with what a Get
// would return, one call at a time, and is the last word when it fails.
func testGetBatch(s *subject) {
	ctx, long := s.Context(), patternText(1, s.upTo(50_000))
	s.put(named("a"), "apple")
	s.put(named("b"), long)
	s.put(named("c"), "")
	keys := []interfaces.Key{named("a"), named("absent"), named("b"), named("c"), named("a")}
	want := []string{"apple", "", long, "", "apple"}
	calls, inside := make([]int, len(keys)), make(chan struct{}, 1)
	err := interfaces.GetBatch(ctx, s.cache, keys, func(i int, entry interfaces.Entry, err error) error {
		select {
		case inside <- struct{}{}:
			defer func() { <-inside }()
		default:
			s.Error("each is called by two goroutines at the same time")
		}
		calls[i]++
		s.wantItem(keys[i], want[i], entry, err)
		return nil
	})
	if err != nil {
		s.Errorf("GetBatch: %v", err)
	}
	if slices.Min(calls) != 1 || slices.Max(calls) != 1 {
		s.Errorf("GetBatch calls each %v times for the keys, want once for each", calls)
	}
	count := 0
	err = interfaces.GetBatch(ctx, s.cache, keys, func(int, interfaces.Entry, error) error {
		count++
		return errBody
	})
	if !errors.Is(err, errBody) || count != 1 {
		s.Errorf("GetBatch whose each fails: error %v after %d calls, want that error after 1", err, count)
	}
	err = interfaces.GetBatch(ctx, s.cache, nil, func(int, interfaces.Entry, error) error { return errBody })
	if err != nil {
		s.Errorf("GetBatch of no keys: %v", err)
	}
}

// wantItem fails the test unless entry and err are the answer for key.
func (s *subject) wantItem(key interfaces.Key, want string, entry interfaces.Entry, err error) {
	s.Helper()
	if key == named("absent") {
		s.wantError("GetBatch of an absent key", err, cacheerr.ErrMiss)
		return
	}
	if s.forgot(err) {
		return
	}
	var got string
	if err == nil {
		s.hits.Add(1)
		got, err = drain(key, entry)
	}
	if err != nil || got != want {
		s.Errorf("GetBatch of key %s: %s and error %v, want %s", key.Short(), brief(got), err, brief(want))
	}
}

// testPutBatch tests that items are stored in order and that the one which
// fails is named, while those before it stay.
func testPutBatch(s *subject) {
	item := func(name string, entry interfaces.Entry) interfaces.Item {
		return interfaces.Item{Key: named(name), Entry: entry}
	}
	if err := interfaces.PutBatch(s.Context(), s.cache, nil); err != nil {
		s.Errorf("PutBatch of nothing: %v", err)
	}
	long := patternText(1, s.upTo(50_000))
	err := interfaces.PutBatch(s.Context(), s.cache, []interfaces.Item{
		item("a", interfaces.Text("first")),
		item("b", interfaces.Stream(strings.NewReader(long), interfaces.SizeUnknown)),
		item("a", interfaces.Text("second")),
		item("empty", interfaces.Entry{}),
	})
	if err != nil {
		s.Errorf("PutBatch: %v", err)
	}
	s.want(named("a"), "second")
	s.want(named("b"), long)
	s.want(named("empty"), "")

	err = interfaces.PutBatch(s.Context(), s.cache, []interfaces.Item{
		item("c", interfaces.Text("kept")),
		item("a", interfaces.Text("third")),
		item("bad", interfaces.Stream(iotest.ErrReader(errBody), 10)),
		item("behind", interfaces.Text("perhaps")),
	})
	var batch *interfaces.BatchError
	switch {
	case !errors.As(err, &batch):
		s.Errorf("PutBatch whose third item fails: error %v (%T), want an *interfaces.BatchError", err, err)
	case batch.Index != 2 || batch.Key != named("bad") || !errors.Is(err, errBody):
		s.Errorf("PutBatch whose third item fails: %v, want item 2 and the cause", err)
	}
	s.want(named("c"), "kept")
	s.want(named("a"), "third")
	s.wantMiss(named("bad"))
}

func testPing(s *subject) {
	if err := interfaces.Ping(s.Context(), s.cache); err != nil {
		s.Errorf("Ping of a cache that works: %v", err)
	}
	first := interfaces.ConsistencyOf(s.cache)
	s.put(named("key"), "body")
	if again := interfaces.ConsistencyOf(s.cache); again != first {
		s.Errorf("consistency was %v and is %v, but it does not change", first, again)
	}
	if first == interfaces.ConsistencyStrong && !s.has("Inserter") {
		s.Error("consistency is strong without Inserter, whose one winner is part of it")
	}
}
