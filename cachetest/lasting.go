// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"errors"
	"fmt"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// testDamage tests that a damaged entry is a miss with that reason, is gone
// after it was found, and can be stored again.
func testDamage(s *subject) {
	if s.cfg.Damage == nil {
		s.Log("Config.Damage is nil: damage is not tested")
		return
	}
	for _, size := range []int64{1, 1000, s.upTo(200_000)} {
		key, body := named(fmt.Sprint(size)), patternText(1, size)
		s.put(key, body)
		if !s.want(key, body) {
			continue
		}
		s.cfg.Damage(s.T, s.cache, key)
		if head, err := interfaces.Stat(s.Context(), s.cache, key); s.has("Statter") && (err != nil || head.Size != size) {
			s.Errorf("Stat, which does not check the body: size %d and error %v, want %d", head.Size, err, size)
		}
		_, _, err := s.read(key)
		s.wantError(fmt.Sprintf("Get of a damaged body of %d bytes", size), err, cacheerr.ErrDamaged)
		s.wantMiss(key)
		_, err = interfaces.Stat(s.Context(), s.cache, key)
		s.wantError("Stat after damage was found", err, cacheerr.ErrMiss)

		s.put(key, body)
		s.want(key, body)
	}
	s.damagedElsewhere()
}

// damagedElsewhere tests that Path and Insert are not taken in by a damaged
// entry either, and that it does not hurt its neighbours.
func (s *subject) damagedElsewhere() {
	key, body := named("damaged"), patternText(2, 5000)
	s.put(named("neighbour"), body)
	if s.has("Pather") {
		s.put(key, body)
		s.cfg.Damage(s.T, s.cache, key)
		_, _, err := interfaces.Path(s.Context(), s.cache, key)
		s.wantError("Path of a damaged body", err, cacheerr.ErrMiss)
	}
	s.put(key, body)
	s.cfg.Damage(s.T, s.cache, key)
	s.wantMiss(key)
	if s.has("Inserter") {
		inserted, err := interfaces.Insert(s.Context(), s.cache, key, interfaces.Text(body))
		if err != nil || !inserted {
			s.Errorf("Insert where a damaged entry was found: %t and error %v, want true", inserted, err)
		}
		s.want(key, body)
	}
	s.want(named("neighbour"), body)
}

// testReopen tests that what was stored, replaced and removed before Close is
// so afterwards, heads included.
func testReopen(s *subject) {
	if s.cfg.Reopen == nil {
		s.Log("Config.Reopen is nil: nothing is expected to outlive the cache")
		return
	}
	for i, head := range heads() {
		size := s.upTo(int64(i) * 40_000)
		head.Size = size
		entry := interfaces.Stream(pattern(uint64(i), size), size).WithHead(head)
		if err := s.cache.Put(s.Context(), named(fmt.Sprint(i)), entry); err != nil {
			s.Fatalf("Put: %v", err)
		}
	}
	s.put(named("replaced"), "old")
	s.put(named("replaced"), "new")
	s.put(named("deleted"), "body")
	deleted := interfaces.Delete(s.Context(), s.cache, named("deleted"))
	if err := interfaces.Close(s.cache); err != nil {
		s.Fatalf("Close: %v", err)
	}
	s.cache = s.cfg.Reopen(s.T, s.cache)
	s.closeLater(s.cache)

	for i, head := range heads() {
		got, gotHead, err := s.read(named(fmt.Sprint(i)))
		if s.forgot(err) {
			continue
		}
		head.Size = s.upTo(int64(i) * 40_000)
		if err == nil {
			err = sameHead(gotHead, head)
		}
		if want := patternText(uint64(i), head.Size); err != nil || got != want {
			s.Errorf("after reopening, entry %d: %s and error %v, want %s", i, brief(got), err, brief(want))
		}
	}
	s.want(named("replaced"), "new")
	if !errors.Is(deleted, errors.ErrUnsupported) {
		s.wantMiss(named("deleted"))
	}
	s.wantMiss(named("absent"))
	s.put(named("replaced"), "newer")
	s.want(named("replaced"), "newer")
}
