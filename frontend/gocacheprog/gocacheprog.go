// SPDX-License-Identifier: Apache-2.0

// Package gocacheprog is the front end for the go command: the helper's side
// of the GOCACHEPROG protocol (cmd/go/internal/cacheprog in the Go source),
// over any cache.
//
// # What is stored
//
// An output is an entry of its own, under a key made from its OutputID, so its
// file never changes while somebody links against it. What an action led to is
// a record: an entry without a body, under a key made from the ActionID, whose
// tag is the OutputID, whose time is that of the put and whose cost is the time
// between the missed get and the put.
//
// # Promises
//
// The first message is sent before the cache is opened. Standard input is
// always drained, and answers come in any order. A get is never an error, and
// a put that is what it says is one only if no local directory can take the
// body: when the cache cannot, a private temporary one does. Bytes whose SHA-256 is not the OutputID
// are neither stored nor served.
package gocacheprog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// schema is the version of what is stored; see the package comment.
const schema = 1

var (
	records = encoding.Keyspace{Schema: schema, Namespace: "go/action"}
	outputs = encoding.Keyspace{Schema: schema, Namespace: "go/output"}
)

// Options are the settings of a [Server].
type Options struct {
	// Open opens the cache, and must be set. It is called once, by [Server.Serve], after the
	// first message is sent. Its error is told through Warn, and the build goes
	// on without a cache.
	Open func(context.Context) (interfaces.Cache, error)
	// Local says that the cache never waits for anything but this machine's
	// memory and disks. A get is then answered without a goroutine of its own.
	Local bool
	// Verified says that the cache hands over nothing that [Server.Verify] has
	// not passed. Otherwise a body that is not Local is compared with its
	// OutputID at each get.
	Verified bool
	// Build names what is being built: equal for builds that ask for much the
	// same, on every machine. What such a build asked for is kept in the cache,
	// and fetched before the next one asks, if the cache is a [tiers.Stack] with
	// far layers. "" keeps and fetches nothing.
	Build string
	// Private opens the cache that takes the place of one that fails a put,
	// called once if at all. It must be set, and its caches must have paths.
	Private func(context.Context) (interfaces.Cache, error)
	// Patience is how long a request may wait for a cache that is not Local;
	// 0 is 10 seconds. A get is a miss then, a put goes to the private cache.
	Patience time.Duration
	// Observer is told of each get and put of the go command, as an event of
	// the whole stack; nil is nobody. See [Entries].
	Observer tiers.Observer
	// Entries is the stack's observer, if it is made by [Entries]: from it the
	// server learns that a miss was because a tier is ill. It may be nil.
	Entries *EntryObserver
	// Warn tells the user something; nil is nobody. It is called by many
	// goroutines, for each kind of trouble once.
	Warn func(text string)
	// Clock tells the time; nil is time.Now.
	Clock func() time.Time
}

// Server answers one go command. Make one with [New].
type Server struct {
	opts    Options
	cache   interfaces.Cache // nil if it could not be opened
	openErr error            // why
	near    near             // the cache's part that never waits; nil if not known, or not to be trusted
	ahead   *forecast        // nil if nothing is fetched ahead

	manifest interfaces.Key // of what this build asks for; zero if none is kept

	private     atomic.Pointer[interfaces.Cache] // nil until it is needed
	privateErr  error
	privateOnce sync.Once

	used   []interfaces.Key             // records of hits, see Touch
	missed map[interfaces.Key]time.Time // when a record was missing, by its key
	seenMu sync.Mutex                   // guards used and missed

	answers  answers
	warned   sync.Map       // kinds of trouble that the user was told of
	requests sync.WaitGroup // that are being answered
	held     atomic.Int64   // bytes of bodies in memory
}

// New returns a server that has not begun.
func New(opts Options) *Server {
	if opts.Patience == 0 {
		opts.Patience = 10 * time.Second
	}
	if opts.Observer == nil {
		opts.Observer = nobody{}
	}
	if opts.Warn == nil {
		opts.Warn = func(string) {}
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	s := &Server{opts: opts, missed: make(map[interfaces.Key]time.Time)}
	if opts.Build != "" {
		s.manifest, _ = manifests.Key([]byte(opts.Build)) // the namespace is not empty
	}
	return s
}

type nobody struct{}

func (nobody) Observe(tiers.Event) {}

// Serve speaks with the go command until it closes: it reads requests from in
// and writes answers to out. When it returns, every request has been answered;
// the caller closes what Open and Private opened.
//
// It returns nil after a close and at the end of in, [ErrProtocol] for a stream
// that is not the protocol's, and the error of writing when nobody reads the
// answers any more. A server serves once.
func (s *Server) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	s.answers.out = out
	if err := s.answers.send([]byte(hello)); err != nil {
		return err
	}
	s.open(ctx)
	reader := newReader(in)
	for {
		req, err := reader.request()
		if err == nil {
			err = s.dispatch(ctx, reader, req)
		}
		if err == nil {
			err = s.answers.failure()
		}
		if err != nil || req.Command == "close" {
			s.requests.Wait()
			s.ahead.halt()
			return s.end(req, err)
		}
	}
}

// end answers a close, when all other requests are answered, and says what
// Serve returns.
func (s *Server) end(req request, err error) error {
	switch {
	case errors.Is(err, io.EOF): // not every go command says close
		return nil
	case err != nil:
		return err
	}
	s.answers.done(req.ID)
	return s.answers.failure()
}

func (s *Server) open(ctx context.Context) {
	cache, err := s.opts.Open(ctx)
	if err != nil {
		s.openErr = err
		s.warn("open", fmt.Sprintf("building without a cache: %v", err))
		return
	}
	s.cache = cache
	if s.opts.Local {
		return
	}
	if s.opts.Verified {
		s.near, _ = cache.(near)
	}
	s.ahead = foresee(ctx, cache, s.manifest)
}

// warn tells the user of one kind of trouble, once.
func (s *Server) warn(kind, text string) {
	if _, told := s.warned.LoadOrStore(kind, true); !told {
		s.opts.Warn(text)
	}
}

// dispatch has a request answered, here or by a goroutine, and leaves reader
// behind it. It fails only if the stream can be read no further.
func (s *Server) dispatch(ctx context.Context, reader *reader, req request) error {
	switch req.Command {
	case "get":
		if len(req.ActionID) == 0 {
			s.answers.refuse(req.ID, "a get needs an ActionID")
			return nil
		}
		return s.get(ctx, req)
	case "put":
		return s.put(ctx, reader, req)
	case "close":
		return nil
	}
	if req.BodySize > 0 {
		if err := reader.body(req.BodySize).drain(); err != nil {
			return err
		}
	}
	s.answers.refuse(req.ID, fmt.Sprintf("unknown command %q", req.Command))
	return nil
}

// put reads the body of a put and has it stored and answered.
func (s *Server) put(ctx context.Context, reader *reader, req request) error {
	if len(req.ActionID) == 0 || len(req.OutputID) != sha256.Size {
		s.answers.refuse(req.ID, "a put needs an ActionID and an OutputID of 32 bytes")
		if req.BodySize > 0 {
			return reader.body(req.BodySize).drain()
		}
		return nil
	}
	if req.BodySize > maxInMemory || !s.hold(req.BodySize) {
		return s.putLarge(ctx, reader, req)
	}
	buf, err := reader.bytes(req.BodySize)
	if err != nil {
		return err
	}
	s.requests.Go(func() {
		defer s.held.Add(-req.BodySize)
		s.keep(ctx, req, sha256.Sum256(buf), func() interfaces.Entry {
			return interfaces.Stream(bytes.NewReader(buf), int64(len(buf)))
		})
	})
	return nil
}
