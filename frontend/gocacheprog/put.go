// SPDX-License-Identifier: Apache-2.0

package gocacheprog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// maxInMemory is the longest body in bytes that is held in memory; a longer one
// goes to a file first. Nearly all that the go command puts is shorter.
const maxInMemory = 4 << 20

var errOtherBody = errors.New("the body is not the one that the OutputID names; it was not stored")

// putLarge writes a body that is too long for the memory into a temporary file,
// at the pace of the go command and of no cache, and has it stored from there.
func (s *Server) putLarge(ctx context.Context, reader *reader, req request) error {
	body := reader.body(req.BodySize)
	spool, err := os.CreateTemp("", "tierce-body-*")
	if err != nil {
		s.answers.refuse(req.ID, fmt.Sprintf("no temporary directory takes the body: %v; set TMPDIR to one that does", err))
		return body.drain()
	}
	digest := sha256.New()
	_, err = io.Copy(io.MultiWriter(spool, digest), body)
	if closeErr := spool.Close(); err == nil {
		err = closeErr
	}
	if rest := body.drain(); rest != nil {
		_ = os.Remove(spool.Name())
		return rest
	}
	s.requests.Go(func() {
		defer os.Remove(spool.Name()) //nolint:errcheck // in the system's temporary directory
		if err := spooled(err, digest, req); err != nil {
			s.answers.refuse(req.ID, err.Error())
			return
		}
		s.keep(ctx, req, func() (interfaces.Entry, error) { return interfaces.OpenFile(spool.Name()) })
	})
	return nil
}

func spooled(err error, digest hash.Hash, req request) error {
	if err != nil {
		return fmt.Errorf("no temporary directory takes the body: %w; set TMPDIR to one that does", err)
	}
	if string(digest.Sum(nil)) != string(req.OutputID) {
		return errOtherBody
	}
	return nil
}

// opener opens the body of a put once more.
type opener func() (interfaces.Entry, error)

// keep stores an output and its record and answers. Trouble of the cache is no
// trouble of the build while the private cache takes the body.
func (s *Server) keep(ctx context.Context, req request, open opener) {
	path, err := s.keepIn(ctx, req, open)
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
		return "", cacheerr.ErrClosed
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
		s.private, s.privateErr = s.opts.Private(ctx)
	})
	if s.privateErr != nil {
		return "", fmt.Errorf("neither the cache nor a temporary directory takes the output (%w; %w): make room, or set TIERCE_DIR or TMPDIR to a directory that can be written to", why, s.privateErr)
	}
	path, err := s.store(ctx, s.private, req, open)
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
	path, err := putPath(ctx, cache, output, open)
	if err != nil {
		return "", err
	}
	entry := interfaces.Text("").WithHead(interfaces.Head{
		Time: s.opts.Clock(), Cost: s.cost(record), Tag: string(req.OutputID),
	})
	_ = cache.Put(ctx, record, entry) // told to the stack's observer
	return path, nil
}

// putPath puts the body under output and returns its path.
func putPath(ctx context.Context, cache interfaces.Cache, output interfaces.Key, open opener) (string, error) {
	entry, err := open()
	if err != nil {
		return "", err
	}
	defer entry.Close() //nolint:errcheck // only read
	if c, ok := cache.(pathPutter); ok {
		path, _, err := c.PutPath(ctx, output, entry)
		return path, err
	}
	if err := cache.Put(ctx, output, entry); err != nil {
		return "", err
	}
	path, _, err := interfaces.Path(ctx, cache, output)
	return path, err
}

// pathPutter is a [tiers.Stack], which does not count the Path after a Put as
// a use.
type pathPutter interface {
	PutPath(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (string, interfaces.Head, error)
}

// cost returns how long it took from the missed get of an action to now: what
// it costs to make its output again.
func (s *Server) cost(record interfaces.Key) time.Duration {
	s.missedMu.Lock()
	defer s.missedMu.Unlock()
	since, ok := s.missed[record]
	if !ok {
		return 0
	}
	return s.opts.Clock().Sub(since)
}
