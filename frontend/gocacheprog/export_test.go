// SPDX-License-Identifier: Apache-2.0

package gocacheprog

import (
	"io"
	"time"

	"github.com/tiercecache/tierce/interfaces"
)

// Request is what a [Reader] reads.
type Request = request

// MaxRequest is the longest request in bytes that a Reader takes.
const MaxRequest = maxRequest

// Reader reads the go command's stream.
type Reader struct{ r *reader }

// NewReader returns the reader of a server whose standard input is in.
func NewReader(in io.Reader) Reader { return Reader{newReader(in)} }

// Request reads a request.
func (r Reader) Request() (Request, error) { return r.r.request() }

// Bytes reads a body into memory.
func (r Reader) Bytes(size int64) ([]byte, error) { return r.r.bytes(size) }

// Body returns a body to be read.
func (r Reader) Body(size int64) io.Reader { return r.r.body(size) }

// Rest returns what was not read yet.
func (r Reader) Rest() io.Reader { return r.r.in }

// Spool is a body between the go command and the cache.
type Spool struct{ s *spool }

// NewSpool returns an empty one.
func NewSpool() Spool { return Spool{newSpool()} }

// Write adds to the body.
func (s Spool) Write(p []byte) (int, error) { return s.s.Write(p) }

// Entry returns the body.
func (s Spool) Entry() interfaces.Entry { return s.s.entry() }

// InMemory returns how many bytes of the body are in memory.
func (s Spool) InMemory() int { return s.s.extra.Len() }

// Remove lets go of the body.
func (s Spool) Remove() { s.s.remove() }

// Action is what a manifest says of an action.
type Action struct {
	Record, Output interfaces.Key
	Size           int64
	Age            uint8
}

// MaxManifest is the longest manifest in bytes.
const MaxManifest = maxManifest

// Manifest returns the manifest of actions.
func Manifest(actions ...Action) []byte { return appendManifest(nil, internal(actions)) }

// ParseManifest returns the actions of a manifest.
func ParseManifest(text []byte) ([]Action, error) {
	actions, err := parseManifest(text)
	return external(actions), err
}

// Merge returns the next manifest's actions, and whether they are worth one.
func Merge(asked, last []Action) ([]Action, bool) {
	next, changed := merge(internal(asked), internal(last))
	return external(next), changed
}

func internal(actions []Action) (all []action) {
	for _, a := range actions {
		all = append(all, action{a.Record, a.Output, a.Size, a.Age})
	}
	return all
}

func external(actions []action) (all []Action) {
	for _, a := range actions {
		all = append(all, Action{a.record, a.output, a.size, a.age})
	}
	return all
}

// Pace returns how long the batch after one of limit bytes may be.
func Pace(limit int64, took time.Duration) int64 { return pace(limit, took) }

// AtOnce returns how many batches are under way when the manifest took so long.
func AtOnce(took time.Duration) int { return atOnce(took) }

// Held returns how many bytes of bodies a server has in memory.
func Held(s *Server) int64 { return s.held.Load() }
