// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
)

// sameHead returns how got, the head that a cache returned, differs from want,
// the one that it was given.
func sameHead(got, want interfaces.Head) error {
	off := (got.Cost - want.Cost).Abs()
	switch {
	case !got.Time.Equal(want.Time):
		return fmt.Errorf("time %v, want %v", got.Time, want.Time)
	case off*200_000 > want.Cost: // half of the sixth digit
		return fmt.Errorf("cost %v, want %v to six digits", got.Cost, want.Cost)
	case got.Tag != want.Tag:
		return fmt.Errorf("tag %s, want %s", brief(got.Tag), brief(want.Tag))
	case got.Size != want.Size && want.Size >= 0:
		return fmt.Errorf("size %d, want %d", got.Size, want.Size)
	}
	return nil
}

// heads returns heads with every value that tends to be lost on the way.
func heads() []interfaces.Head {
	var bytes strings.Builder
	for i := range interfaces.MaxTag {
		bytes.WriteByte(byte(i))
	}
	noon := time.Date(2024, time.February, 29, 12, 0, 0, 123_456_789, time.UTC)
	return []interfaces.Head{
		{Time: noon, Cost: 0, Tag: ""},
		{Time: noon.Add(1), Cost: 1, Tag: "a"},
		{Time: time.Unix(1, 0).UTC(), Cost: 999 * time.Nanosecond, Tag: "\x00"},
		{Time: noon.In(time.FixedZone("elsewhere", 3*3600)), Cost: 123_456_789, Tag: "line\nline\r\n%s \xff\xfe"},
		{Time: noon.AddDate(30, 0, 0), Cost: 49*time.Hour + 1, Tag: bytes.String()},
	}
}

func testHead(s *subject) {
	writes := s.writes()
	for i, head := range heads() {
		for _, write := range writes {
			for _, r := range readers()[:3] { // text, stream, unknown size
				key := named(fmt.Sprint(write.name, i, r.name))
				body := patternText(uint64(i), int64(i)*1000)
				entry := r.make(body)
				head.Size = entry.Size
				if err := write.call(key, entry.WithHead(head)); err != nil {
					s.Errorf("%s of a %s with head %d: %v", write.name, r.name, i, err)
					continue
				}
				got, gotHead, err := s.read(key)
				if s.forgot(err) {
					continue
				}
				if err == nil && got != body {
					err = fmt.Errorf("%s, want %s", brief(got), brief(body))
				}
				if err == nil {
					err = sameHead(gotHead, head)
				}
				if err != nil {
					s.Errorf("%s of a %s with head %d, then Get: %v", write.name, r.name, i, err)
				}
			}
		}
	}
	s.replacedHead()
}

// replacedHead tests that a new entry brings its own head and keeps nothing of
// the one before.
func (s *subject) replacedHead() {
	key, old := named("replaced"), heads()[4]
	if err := s.cache.Put(s.Context(), key, interfaces.Text("old").WithHead(old)); err != nil {
		s.Fatalf("Put: %v", err)
	}
	s.put(key, "new")
	_, head, err := s.read(key)
	if s.forgot(err) {
		return
	}
	if err != nil {
		s.Fatalf("Get: %v", err)
	}
	if head.Tag != "" || head.Cost != 0 || head.Time.Equal(old.Time) || head.Size != 3 {
		s.Errorf("after a Put without a head: %+v, which is of the entry before", head)
	}
}

func testTagTooLong(s *subject) {
	long := interfaces.Head{Tag: strings.Repeat("t", interfaces.MaxTag+1)}
	for _, write := range s.writes() {
		key := named(write.name)
		err := write.call(key, interfaces.Text("body").WithHead(long))
		s.wantError(fmt.Sprintf("%s with a tag of %d bytes", write.name, len(long.Tag)), err)
		s.wantMiss(key)
	}
}

// testChecksum tests that a right checksum is accepted and that the one which
// comes back, if the cache keeps it, is that of key and body.
func testChecksum(s *subject) {
	for _, write := range s.writes() {
		for _, r := range readers() {
			key, body := named(write.name+r.name), patternText(3, 5000)
			sum := encoding.Sum(key, []byte(body))
			entry := r.make(body)
			if err := write.call(key, entry.WithHead(interfaces.Head{Size: entry.Size, Checksum: sum})); err != nil {
				s.Errorf("%s of a %s with its right checksum: %v", write.name, r.name, err)
				continue
			}
			_, head, err := s.read(key) // which compares a checksum with the body
			switch {
			case s.forgot(err):
			case err != nil:
				s.Errorf("Get after %s of a %s: %v", write.name, r.name, err)
			case head.Checksum != sum && head.Checksum != interfaces.Checksum{}:
				s.Errorf("Get after %s of a %s: checksum %x, want %x", write.name, r.name, head.Checksum, sum)
			}
		}
	}
}

// testCopy tests promotion: an entry goes from one cache to another, and to a
// third from there, and stays the same.
func testCopy(s *subject) {
	for i, head := range heads() {
		key, size := named(fmt.Sprint("copied", i)), s.upTo(int64(i)*50_000)
		head.Size = size
		if err := s.cache.Put(s.Context(), key, interfaces.Stream(pattern(1, size), size).WithHead(head)); err != nil {
			s.Fatalf("Put: %v", err)
		}
		from := s.cache
		for range 2 {
			to := s.open()
			entry, err := from.Get(s.Context(), key)
			if s.forgot(err) {
				break
			}
			if err != nil {
				s.Fatalf("Get with head %d: %v", i, err)
			}
			if err := to.Put(s.Context(), key, entry); err != nil {
				s.Errorf("Put of what Get returned, head %d: %v", i, err)
			}
			_ = entry.Close() // the body is read
			from = to
		}
		got, gotHead, err := s.readFrom(s.Context(), from, key)
		if s.forgot(err) {
			continue
		}
		if err == nil {
			err = sameHead(gotHead, head)
		}
		if err != nil || got != patternText(1, size) {
			s.Errorf("the copy of a copy: %s and error %v, want %s", brief(got), err, brief(patternText(1, size)))
		}
	}
}
