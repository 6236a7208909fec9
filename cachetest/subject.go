// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// subject is the sub-test that runs and the cache that it is about.
type subject struct {
	*testing.T
	cache interfaces.Cache
	cfg   *Config
	hits  *atomic.Int64 // of the whole suite
}

func newSubject(t *testing.T, cfg *Config, hits *atomic.Int64) *subject {
	t.Helper()
	s := &subject{T: t, cfg: cfg, hits: hits}
	s.cache = s.open()
	return s
}

// open returns one more cache. It is closed when the sub-test ends, if the
// sub-test did not.
func (s *subject) open() interfaces.Cache {
	s.Helper()
	c := s.cfg.Open(s.T)
	if c == nil {
		s.Fatal("Config.Open returned nil")
	}
	s.closeLater(c)
	return c
}

// upTo returns size, or the size of the largest body worth trying.
func (s *subject) upTo(size int64) int64 { return min(size, s.cfg.MaxBody) }

func (s *subject) closeLater(c interfaces.Cache) {
	s.Cleanup(func() {
		if err := interfaces.Close(c); err != nil {
			s.Errorf("Close: %v", err)
		}
	})
}

// has reports whether the cache has every capability of names, and logs the
// first that it has not. It asks another cache, so as to change nothing here.
func (s *subject) has(names ...string) bool {
	s.Helper()
	had := Capabilities(s.Context(), s.open())
	for _, name := range names {
		if !slices.Contains(had, name) {
			s.Logf("capability %s is absent", name)
			return false
		}
	}
	return true
}

// put stores body under key and fails the test if that does not work.
func (s *subject) put(key interfaces.Key, body string) {
	s.Helper()
	if err := s.cache.Put(s.Context(), key, interfaces.Text(body)); err != nil {
		s.Fatalf("Put of key %s, %s: %v", key.Short(), brief(body), err)
	}
}

// want fails the test unless key is a hit with exactly body, and reports
// whether it is one. A cache that may forget is let off with a miss.
func (s *subject) want(key interfaces.Key, body string) bool {
	s.Helper()
	got, _, err := s.read(key)
	if err == nil && got == body {
		return true
	}
	if !s.forgot(err) {
		s.Errorf("Get of key %s: %s and error %v, want %s", key.Short(), brief(got), err, brief(body))
	}
	return false
}

// forgot reports whether err is a miss that is allowed anywhere.
func (s *subject) forgot(err error) bool {
	return s.cfg.MayForget && errors.Is(err, cacheerr.ErrMiss)
}

// wantMiss fails the test unless key is a miss.
func (s *subject) wantMiss(key interfaces.Key) {
	s.Helper()
	if got, _, err := s.read(key); !errors.Is(err, cacheerr.ErrMiss) {
		s.Errorf("Get of key %s: %s and error %v, want a miss", key.Short(), brief(got), err)
	}
}

// wantError fails the test unless err is one of targets, or any error at all
// when there are none.
func (s *subject) wantError(what string, err error, targets ...error) {
	s.Helper()
	is := func(target error) bool { return errors.Is(err, target) }
	switch {
	case err == nil:
		s.Errorf("%s: no error, want %v", what, targets)
	case len(targets) > 0 && !slices.ContainsFunc(targets, is):
		s.Errorf("%s: error %v, want %v", what, err, targets)
	case strings.TrimSpace(err.Error()) == "":
		s.Errorf("%s: an error %T without a message", what, err)
	}
}

// read gets the entry under key and returns its body and its head.
func (s *subject) read(key interfaces.Key) (string, interfaces.Head, error) {
	return s.readFrom(s.Context(), s.cache, key)
}

// readFrom gets the entry under key of c, reads its body to the end and closes
// it. Only a failed Get can be a miss: a body that breaks later is not.
func (s *subject) readFrom(ctx context.Context, c interfaces.Cache, key interfaces.Key) (string, interfaces.Head, error) {
	entry, err := c.Get(ctx, key)
	if err != nil {
		return "", interfaces.Head{}, err
	}
	s.hits.Add(1)
	body, err := drain(key, entry)
	if err != nil {
		return "", entry.Head, fmt.Errorf("the entry that Get returned is not whole: %v", err) // never a miss
	}
	return body, entry.Head, nil
}

// drain reads the body of entry beyond its end, closes it and checks that the
// head tells the truth.
func drain(key interfaces.Key, entry interfaces.Entry) (string, error) {
	body, err := io.ReadAll(entry.Reader())
	if err := errors.Join(err, entry.Close()); err != nil {
		return "", err
	}
	return string(body), agree(key, entry.Head, body)
}

// agree returns what is wrong with the head of an entry that a cache returned.
func agree(key interfaces.Key, head interfaces.Head, body []byte) error {
	sum := encoding.Sum(key, body)
	switch {
	case head.Size != int64(len(body)):
		return fmt.Errorf("its body has %d bytes, its head says %d", len(body), head.Size)
	case head.Checksum != interfaces.Checksum{} && head.Checksum != sum:
		return fmt.Errorf("its checksum is %x, that of key and body is %x", head.Checksum, sum)
	case head.Time.IsZero():
		return errors.New("its time is zero")
	case head.Time.Location() != time.UTC:
		return fmt.Errorf("its time %v is not in UTC", head.Time)
	}
	return nil
}

// brief returns body short enough for a message.
func brief(body string) string {
	if len(body) <= 24 {
		return fmt.Sprintf("body %q", body)
	}
	return fmt.Sprintf("body of %d bytes %q...", len(body), body[:16])
}
