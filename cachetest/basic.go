// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"errors"
	"strings"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

func testAbsent(s *subject) {
	entry, err := s.cache.Get(s.Context(), named("absent"))
	if err != cacheerr.ErrMiss { // bare: a wrapped one would allocate
		s.Errorf("Get of an absent key: error %v (%T), want cacheerr.ErrMiss itself", err, err)
	}
	if err := entry.Close(); err != nil {
		s.Errorf("Close of the entry that a miss returns: %v", err)
	}
	if errors.Is(err, cacheerr.ErrDamaged) || errors.Is(err, cacheerr.ErrExpired) {
		s.Errorf("an absent key has a reason: %v", err)
	}
	s.put(named("present"), "body")
	s.wantMiss(named("absent"))
}

func testEmptyBody(s *subject) {
	for name, entry := range map[string]interfaces.Entry{
		"the zero Entry":                   {},
		"nil bytes":                        interfaces.Bytes(nil),
		"no bytes":                         interfaces.Bytes([]byte{}),
		"an empty text":                    interfaces.Text(""),
		"an empty stream":                  interfaces.Stream(strings.NewReader(""), 0),
		"an empty stream of unknown size":  interfaces.Stream(strings.NewReader(""), interfaces.SizeUnknown),
		"an empty stream of negative size": interfaces.Stream(strings.NewReader(""), -7),
	} {
		key := named(name)
		s.wantMiss(key)
		if err := s.cache.Put(s.Context(), key, entry); err != nil {
			s.Errorf("Put of %s: %v", name, err)
			continue
		}
		s.want(key, "")
	}
	for _, body := range []string{"\x00", "null", "nil", "0"} {
		s.put(named("zero"), body)
		s.want(named("zero"), body)
	}
}

func testInsert(s *subject) {
	if !s.has("Inserter") {
		inserted, err := interfaces.Insert(s.Context(), s.cache, named("fruit"), interfaces.Text("apple"))
		if inserted || !errors.Is(err, errors.ErrUnsupported) {
			s.Errorf("Insert without the capability: %t and error %v, want errors.ErrUnsupported", inserted, err)
		}
		s.wantMiss(named("fruit"))
		return
	}
	s.play(
		opInsert("fruit", "apple", true),
		opGet("fruit", "apple"),
		opInsert("fruit", "pear", false),
		opGet("fruit", "apple"),
		opInsert("empty", "", true),
		opInsert("empty", "full", false),
		opGet("empty", ""),
		opPut("fruit", "plum"),
		opInsert("fruit", "pear", false),
		opGet("fruit", "plum"),
		opPut("put", "first"),
		opInsert("put", "second", false),
		opGet("put", "first"),
	)
}

func testReplace(s *subject) {
	s.play(
		opMiss("fruit"),
		opPut("fruit", "apple"),
		opGet("fruit", "apple"),
		opPut("fruit", "a longer pear"),
		opGet("fruit", "a longer pear"),
		opPut("fruit", "fig"),
		opGet("fruit", "fig"),
		opPut("fruit", ""),
		opGet("fruit", ""),
		opPut("other", "nut"),
		opPut("fruit", "fig"),
		opGet("fruit", "fig"),
		opGet("other", "nut"),
		opMiss("vegetable"),
	)
}

func testDelete(s *subject) {
	if !s.has("Deleter") {
		s.put(named("fruit"), "apple")
		err := interfaces.Delete(s.Context(), s.cache, named("fruit"))
		s.wantError("Delete without the capability", err, errors.ErrUnsupported)
		s.want(named("fruit"), "apple")
		return
	}
	s.play(
		opDeleteAbsent("fruit"),
		opPut("fruit", "apple"),
		opPut("other", "nut"),
		opDelete("fruit"),
		opMiss("fruit"),
		opGet("other", "nut"),
		opDeleteAbsent("fruit"),
		opPut("fruit", "pear"),
		opGet("fruit", "pear"),
		opPut("empty", ""),
		opDelete("empty"),
		opMiss("empty"),
	)
}

// testWhole tests what is asked of all entries at once, by the capability or
// by its fallback.
func testWhole(s *subject) {
	s.play(
		opLen(0), opList(),
		opPut("a", "1"), opPut("b", ""), opPut("c", "3"), opLen(3), opList("a", "b", "c"),
		opPut("a", "one"), opLen(3), opList("a", "b", "c"),
	)
	if s.has("Deleter") {
		s.play(opDelete("b"), opLen(2), opList("a", "c"))
	}
	if err := interfaces.Clear(s.Context(), s.cache); errors.Is(err, errors.ErrUnsupported) {
		s.Log("Clear is not supported")
		s.want(named("a"), "one")
		return
	}
	s.play(
		opLen(0), opList(), opMiss("a"), opMiss("b"), opMiss("c"),
		opPut("a", "again"), opPut("d", "more"), opLen(2), opList("a", "d"),
		opClear(), opLen(0), opList(), opMiss("a"), opMiss("d"),
		opClear(), opLen(0),
		opPut("a", "at last"), opGet("a", "at last"), opLen(1), opList("a"),
	)
}

// testKeys tests that a key is only bytes: none is special, and one that
// differs in a single bit is another.
func testKeys(s *subject) {
	var zero, ones, last interfaces.Key
	for i := range ones {
		ones[i] = 0xff
	}
	last[len(last)-1] = 1
	slash := interfaces.Key([]byte("../../../../../../../etc/passwd\x00"))
	for i, key := range []interfaces.Key{zero, ones, last, slash} {
		s.wantMiss(key)
		s.put(key, patternText(uint64(i), 100))
	}
	for i, key := range []interfaces.Key{zero, ones, last, slash} {
		s.want(key, patternText(uint64(i), 100))
	}
}
