// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tiercecache/tierce/interfaces"
)

// testTwoGets tests that two entries of one key, read by turns, do not move
// each other's place, and that closing one leaves the other open.
func testTwoGets(s *subject) {
	key, size := named("twice"), s.upTo(200_000)
	want := patternText(1, size)
	s.put(key, want)
	first, err := s.cache.Get(s.Context(), key)
	if s.forgot(err) {
		return
	}
	if err != nil {
		s.Fatalf("first Get: %v", err)
	}
	second, err := s.cache.Get(s.Context(), key)
	if err != nil {
		_ = first.Close() // the test has failed or the cache forgot
		if !s.forgot(err) {
			s.Fatalf("second Get: %v", err)
		}
		return
	}
	ahead := make([]byte, size/2)
	if _, err := io.ReadFull(first.Reader(), ahead); err != nil || string(ahead) != want[:size/2] {
		s.Errorf("first half of the first Get: %s and error %v", brief(string(ahead)), err)
	}
	if err := first.Close(); err != nil {
		s.Errorf("Close of the first: %v", err)
	}
	if got, err := drain(key, second); err != nil || got != want {
		s.Errorf("second Get after the first was read half and closed: %s and error %v", brief(got), err)
	}
}

// testReadWhileGoing tests that an entry which is replaced or removed while
// somebody reads it stays what it was for that reader.
func testReadWhileGoing(s *subject) {
	size := s.upTo(300_000)
	ctx, key := s.Context(), named("going")
	for name, change := range map[string]func() error{
		"Put":    func() error { return s.cache.Put(ctx, key, interfaces.Stream(pattern(2, size/2), size/2)) },
		"Delete": func() error { return interfaces.Delete(ctx, s.cache, key) },
		"Clear":  func() error { return interfaces.Clear(ctx, s.cache) },
	} {
		want := patternText(1, size)
		s.put(key, want)
		entry, err := s.cache.Get(ctx, key)
		if s.forgot(err) {
			continue
		}
		if err != nil {
			s.Fatalf("Get: %v", err)
		}
		body, head := entry.Reader(), make([]byte, size/3)
		_, err = io.ReadFull(body, head)
		changed := change()
		if changed != nil && !errors.Is(changed, errors.ErrUnsupported) && !s.forgot(changed) {
			s.Errorf("%s while a reader is at work: %v", name, changed)
		}
		tail, err2 := io.ReadAll(body)
		err = errors.Join(err, err2, entry.Close())
		if got := string(head) + string(tail); err != nil || got != want {
			s.Errorf("%s while a reader is at work: it read %s and error %v, want %s", name, brief(got), err, brief(want))
		}
		if changed == nil && name == "Put" {
			s.want(key, patternText(2, size/2))
		}
	}
}

// testOneKey tests that readers of a key which several writers fight for see
// one writer's entry each time, whole, and never none.
func testOneKey(s *subject) {
	key, size := named("fought for"), s.upTo(40_000)
	bodies := make(map[string]bool)
	var written []string
	for i := range int64(4) { // of different sizes, so that a mixture shows
		written = append(written, patternText(uint64(i), size*(i+1)/4))
		bodies[written[i]] = true
	}
	s.put(key, written[0])
	var writers, readers sync.WaitGroup
	var done atomic.Bool
	for i, body := range written {
		writers.Go(func() {
			for range 25 {
				entry := readersOf(i).make(body)
				if err := s.cache.Put(s.Context(), key, entry); err != nil {
					s.Errorf("Put beside others: %v", err)
				}
			}
		})
		readers.Go(func() {
			for last := false; !last; {
				last = done.Load()
				got, _, err := s.read(key)
				if s.forgot(err) {
					continue
				}
				if err != nil || !bodies[got] {
					s.Errorf("Get beside writers: %s and error %v, want what one of them wrote", brief(got), err)
					return
				}
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
}

// readersOf returns one of the ways to hand over a body, another for each i.
func readersOf(i int) reader { return readers()[i%len(readers())] }

// testManyKeys tests that writers of different keys all have their entries
// kept, and that a key which nobody touches is a hit all the time.
func testManyKeys(s *subject) {
	still := named("still")
	s.put(still, "untouched")
	const writers, each = 6, 15
	name := func(w, i int) string { return fmt.Sprintf("writer %d entry %d", w, i) }
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				body := strings.Repeat(name(w, i), 100)
				if err := s.cache.Put(s.Context(), named(name(w, i)), interfaces.Text(body)); err != nil {
					s.Errorf("Put beside others: %v", err)
				}
				got, _, err := s.read(still)
				if (err != nil || got != "untouched") && !s.forgot(err) {
					s.Errorf("Get of an untouched key beside writers: %s and error %v", brief(got), err)
				}
			}
		})
	}
	all.Wait()
	for w := range writers {
		for i := range each {
			s.want(named(name(w, i)), strings.Repeat(name(w, i), 100))
		}
	}
	if n, err := interfaces.Len(s.Context(), s.cache); err == nil && n != writers*each+1 && !s.cfg.MayForget {
		s.Errorf("Len is %d, want %d", n, writers*each+1)
	}
}

// testInsertRace tests that of callers which insert at the same time one is
// told that it won, and that each of them reads its bytes from then on.
func testInsertRace(s *subject) {
	if !s.has("Inserter") {
		return
	}
	for round := range 20 {
		key := named(fmt.Sprintf("round %d", round))
		var all sync.WaitGroup
		var won [8]bool
		var got [8]string
		start := make(chan struct{})
		for i := range won {
			all.Go(func() {
				<-start
				won[i], got[i] = s.insertAndGet(key, i)
			})
		}
		close(start)
		all.Wait()
		s.oneWinner(won[:], got[:])
	}
}

func racerBody(i int) string { return patternText(uint64(i), int64(500*i+1)) }

// insertAndGet inserts the body of racer i and returns whether it won and what
// it then read: nothing if that is forgotten already.
func (s *subject) insertAndGet(key interfaces.Key, i int) (bool, string) {
	won, err := interfaces.Insert(s.Context(), s.cache, key, readersOf(i).make(racerBody(i)))
	if err != nil {
		s.Errorf("Insert beside others: %v", err)
	}
	got, _, err := s.read(key)
	if err != nil && !s.forgot(err) {
		s.Errorf("Get after Insert: %v", err)
	}
	return won, got
}

func (s *subject) oneWinner(won []bool, got []string) {
	s.Helper()
	winner := slices.Index(won, true)
	if s.cfg.MayForget { // and then there may be a second winner
		return
	}
	if winner < 0 || slices.Contains(won[winner+1:], true) {
		s.Fatalf("callers of Insert were told %v, want one true", won)
	}
	for _, body := range got {
		if body != racerBody(winner) {
			s.Errorf("Get after Insert: %s, want the winner's %s", brief(body), brief(racerBody(winner)))
		}
	}
}
