// SPDX-License-Identifier: Apache-2.0

package gocacheprog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// near is the part of a [tiers.Stack] that is this machine's own.
type near interface {
	StatNear(ctx context.Context, key interfaces.Key) (interfaces.Head, error)
	PathNear(ctx context.Context, key interfaces.Key) (path string, size int64, err error)
}

// get answers a get: here if the cache is local, or has the answer near, which
// saves the hand-over between goroutines that would be the larger part of the
// work.
func (s *Server) get(ctx context.Context, req request) error {
	record, err := records.Key(req.ActionID)
	if err != nil {
		return err
	}
	if s.opts.Local {
		s.answerGet(req.ID, record, s.lookup(ctx, record))
		return nil
	}
	s.ahead.ask(record)
	if answer, ok := s.lookupNear(ctx, record); ok {
		s.answerGet(req.ID, record, answer)
		return nil
	}
	s.requests.Go(func() {
		answer, err := patiently(ctx, s.opts.Patience, func(ctx context.Context) found { return s.lookup(ctx, record) })
		if err != nil {
			s.warn("slow", fmt.Sprintf("the cache did not answer within %v; going on without it where it does not", s.opts.Patience))
			answer.err = &cacheerr.BackendNotAvailableError{Tier: "cache", Err: err}
		}
		s.answerGet(req.ID, record, answer)
	})
	return nil
}

// answerGet tells the observer of a get and answers it. A miss is remembered:
// what the go command makes now is what the action costs.
func (s *Server) answerGet(id int64, record interfaces.Key, answer found) {
	event := tiers.Event{Op: tiers.OpGet, Result: tiers.Hit, Size: answer.size, Cost: answer.cost}
	s.seenMu.Lock()
	if answer.err != nil {
		event = tiers.Event{Op: tiers.OpGet, Result: tiers.Miss, Reason: cacheerr.MissReason(answer.err), Err: answer.err}
		s.missed[record] = s.opts.Clock()
	} else {
		s.used = append(s.used, record)
		s.ahead.note(action{record: record, output: answer.key, size: answer.size})
	}
	s.seenMu.Unlock()
	s.opts.Observer.Observe(event)
	s.answers.get(id, answer)
}

// patiently returns what ask returns, or an error when that takes too long. Ask
// is told by its context, but not waited for: a tier may not listen.
func patiently[T any](ctx context.Context, patience time.Duration, ask func(context.Context) T) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answered := make(chan T, 1)
	go func() { answered <- ask(ctx) }()
	select {
	case answer := <-answered:
		return answer, nil
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// found is the answer to a get. With an error it is a miss.
type found struct {
	output string         // 32 bytes
	key    interfaces.Key // of output
	size   int64
	at     time.Time
	path   string
	cost   time.Duration
	err    error
}

var errIll = errors.New("a tier failed that might have had the entry")

// lookup finds what an action led to.
func (s *Server) lookup(ctx context.Context, record interfaces.Key) found {
	before := s.opts.Entries.ill()
	answer := found{err: cacheerr.ErrMiss}
	if s.ahead.await(ctx, record) {
		answer = s.lookupIn(ctx, s.cache, record)
	}
	s.ahead.looked(record, answer.err == nil)
	if errors.Is(answer.err, cacheerr.ErrMiss) && s.opts.Entries.ill() != before {
		answer.err = &cacheerr.BackendNotAvailableError{Tier: "cache", Err: errIll}
	}
	if private := s.private.Load(); answer.err != nil && private != nil {
		if answer := s.lookupIn(ctx, *private, record); answer.err == nil {
			return answer
		}
	}
	return answer
}

// lookupNear finds what an action led to if it is near and may be trusted.
func (s *Server) lookupNear(ctx context.Context, record interfaces.Key) (answer found, ok bool) {
	if s.near == nil {
		return found{}, false
	}
	head, err := s.near.StatNear(ctx, record)
	if err != nil {
		return found{}, false
	}
	answer = s.locate(ctx, head, s.near.PathNear)
	return answer, answer.err == nil
}

func (s *Server) lookupIn(ctx context.Context, cache interfaces.Cache, record interfaces.Key) found {
	if cache == nil {
		return found{err: cacheerr.ErrMiss}
	}
	head, err := s.head(ctx, cache, record)
	if err != nil {
		return found{err: err}
	}
	answer := s.locate(ctx, head, func(ctx context.Context, key interfaces.Key) (string, int64, error) {
		return interfaces.Path(ctx, cache, key)
	})
	if answer.err == nil && !s.opts.Local && !s.opts.Verified {
		answer.err = checkFile(answer.path, head.Tag)
	}
	return answer
}

// head returns the head of a record. One that may be far is got, so that a copy
// of it is near from then on.
func (s *Server) head(ctx context.Context, cache interfaces.Cache, record interfaces.Key) (interfaces.Head, error) {
	if s.opts.Local {
		return interfaces.Stat(ctx, cache, record)
	}
	entry, err := cache.Get(ctx, record)
	if err != nil {
		return interfaces.Head{}, err
	}
	return entry.Head, entry.Close()
}

// locate returns where the output is that the head of a record names, which path
// knows.
func (s *Server) locate(ctx context.Context, head interfaces.Head, path func(context.Context, interfaces.Key) (string, int64, error)) found {
	if head.Tag == "" { // its attribute was lost, as by a copy of the directory
		return found{err: cacheerr.ErrMiss}
	}
	if len(head.Tag) != sha256.Size {
		return found{err: cacheerr.ErrDamaged}
	}
	answer := found{output: head.Tag, at: head.Time, cost: head.Cost}
	if answer.key, answer.err = outputs.Key([]byte(head.Tag)); answer.err != nil {
		return answer
	}
	answer.path, answer.size, answer.err = path(ctx, answer.key)
	if answer.err == nil {
		answer.err = checkText(answer.path)
	}
	if answer.err == nil && answer.size == 0 && head.Tag != noOutput {
		answer.err = cacheerr.ErrDamaged // a record that somebody has put in an output's place
	}
	return answer
}
