// SPDX-License-Identifier: Apache-2.0

package gocacheprog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

const (
	// maxInMemory is the longest body in bytes that is held in memory; a longer
	// one goes to a file first. Nearly all that the go command puts is shorter.
	maxInMemory = 4 << 20
	// maxHeld is how many bytes of bodies are held in memory at the same time. A
	// body that comes when the cache is that far behind goes to a file too, so
	// that standard input is read on.
	maxHeld = 32 << 20
)

// hold reports whether a body of size bytes may be held in memory; the caller
// then takes size off held when it is no longer.
func (s *Server) hold(size int64) bool {
	if s.held.Add(size) <= maxHeld {
		return true
	}
	s.held.Add(-size)
	return false
}

// putLarge reads a body that is not held in memory at the pace of the go
// command and of no cache, and has it stored from there.
func (s *Server) putLarge(ctx context.Context, reader *reader, req request) error {
	spool, digest := newSpool(), sha256.New()
	if _, err := io.Copy(io.MultiWriter(spool, digest), reader.body(req.BodySize)); err != nil {
		spool.remove()
		return err
	}
	s.requests.Go(func() {
		defer spool.remove()
		s.keep(ctx, req, [sha256.Size]byte(digest.Sum(nil)), spool.entry)
	})
	return nil
}

var errOtherBody = errors.New("the body is not the one that the OutputID names; it was not stored")

// opener opens the body of a put once more.
type opener func() interfaces.Entry

// keep stores an output, whose SHA-256 is sum, and its record, and answers.
// Trouble of the cache is no trouble of the build while the private cache takes
// the body.
func (s *Server) keep(ctx context.Context, req request, sum [sha256.Size]byte, open opener) {
	if string(sum[:]) != string(req.OutputID) {
		s.opts.Observer.Observe(tiers.Event{Op: tiers.OpPut, Result: tiers.Failed, Err: errOtherBody})
		s.answers.refuse(req.ID, errOtherBody.Error())
		return
	}
	path, err := s.keepIn(ctx, req, open)
	err = s.opts.Entries.reason(err)
	event := tiers.Event{Op: tiers.OpPut, Result: tiers.Stored, Size: req.BodySize}
	if err != nil {
		event = tiers.Event{Op: tiers.OpPut, Result: tiers.Failed, Err: err}
		path, err = s.keepPrivate(ctx, req, open, err)
	}
	s.opts.Observer.Observe(event)
	if err != nil {
		s.answers.refuse(req.ID, err.Error())
		return
	}
	s.answers.put(req.ID, path)
}

// keepIn stores in the cache, with patience if it is not local.
func (s *Server) keepIn(ctx context.Context, req request, open opener) (string, error) {
	if s.cache == nil {
		return "", s.openErr
	}
	if s.opts.Local {
		return s.store(ctx, s.cache, req, open)
	}
	type stored struct {
		path string
		err  error
	}
	answer, err := patiently(ctx, s.opts.Patience, func(ctx context.Context) stored {
		path, err := s.store(ctx, s.cache, req, open)
		return stored{path, err}
	})
	if err != nil {
		return "", err
	}
	return answer.path, answer.err
}

// keepPrivate stores in the private cache, after the cache failed because of
// why.
func (s *Server) keepPrivate(ctx context.Context, req request, open opener, why error) (string, error) {
	s.privateOnce.Do(func() {
		if s.cache != nil {
			s.warn("private", fmt.Sprintf("the cache takes no more, so this build's results go to a temporary directory: %v", why))
		}
		cache, err := s.opts.Private(ctx)
		if s.privateErr = err; err == nil {
			s.private.Store(&cache)
		}
	})
	var path string
	err := s.privateErr
	if err == nil {
		path, err = s.store(ctx, *s.private.Load(), req, open)
	}
	if err != nil {
		return "", fmt.Errorf("neither the cache nor a temporary directory takes the output (%w; %w): make room, or set TIERCE_DIR or TMPDIR to a directory that can be written to", why, err)
	}
	return path, nil
}

// store puts output and record into a cache and returns the path of the output
// there. That the record could not be stored costs the next build a hit and
// this one nothing.
func (s *Server) store(ctx context.Context, cache interfaces.Cache, req request, open opener) (string, error) {
	record, err := records.Key(req.ActionID)
	if err != nil {
		return "", err
	}
	output, err := outputs.Key(req.OutputID)
	if err != nil {
		return "", err
	}
	path, err := putPath(ctx, cache, output, open())
	if err != nil {
		return "", err
	}
	entry := interfaces.Text("").WithHead(interfaces.Head{
		Time: s.opts.Clock(), Cost: s.cost(record), Tag: string(req.OutputID),
	})
	_ = cache.Put(ctx, record, entry) // told to the stack's observer
	s.ahead.note(action{record: record, output: output, size: req.BodySize})
	return path, nil
}

// putPath puts an output and returns its path.
func putPath(ctx context.Context, cache interfaces.Cache, output interfaces.Key, entry interfaces.Entry) (path string, err error) {
	if c, ok := cache.(pathPutter); ok {
		path, _, err = c.PutPath(ctx, output, entry)
	} else if err = cache.Put(ctx, output, entry); err == nil {
		path, _, err = interfaces.Path(ctx, cache, output)
	}
	if err == nil {
		err = checkText(path)
	}
	return path, err
}

// checkText returns an error for a path that JSON cannot carry.
func checkText(path string) error {
	if !utf8.ValidString(path) {
		return fmt.Errorf("the path %q is not UTF-8, as the GOCACHEPROG protocol wants it; choose another directory", path)
	}
	return nil
}

// pathPutter is a [tiers.Stack], which does not count the Path after a Put as
// a use.
type pathPutter interface {
	PutPath(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (path string, size int64, err error)
}

// cost returns how long it took from the missed get of an action to now: what
// it costs to make its output again.
func (s *Server) cost(record interfaces.Key) time.Duration {
	s.seenMu.Lock()
	defer s.seenMu.Unlock()
	since, ok := s.missed[record]
	if !ok {
		return 0
	}
	return s.opts.Clock().Sub(since)
}
