// SPDX-License-Identifier: Apache-2.0

package faulttier

import (
	"context"
	"errors"
	"fmt"
	"io"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// ErrInjected is the cause of the faults that are given none.
var ErrInjected = errors.New("faulttier: injected")

// Fault is what happens to a call.
type Fault interface {
	fmt.Stringer
	// before is called instead of the operation if it returns an error, and in
	// front of it otherwise.
	before(ctx context.Context, op Op) error
	// entry returns the entry whose body passes in place of e.
	entry(e interfaces.Entry) interfaces.Entry
}

// none is the fault of a call that has none.
type none struct{}

func (none) String() string                            { return "nothing" }
func (none) before(context.Context, Op) error          { return nil }
func (none) entry(e interfaces.Entry) interfaces.Entry { return e }

// Fail makes the operation fail with err without being done; only Close is done
// all the same. If err is nil, the error is what an ill tier returns, a
// *cacheerr.BackendExecutionError, with cause [ErrInjected].
func Fail(err error) Fault { return fail{err: err} }

type fail struct {
	none
	err error
}

func (f fail) String() string { return fmt.Sprintf("fail with %q", cause(f.err)) }

func (f fail) before(_ context.Context, op Op) error {
	if f.err != nil {
		return f.err
	}
	return &cacheerr.BackendExecutionError{Tier: "fault", Op: string(op), Err: ErrInjected}
}

// Hang makes the operation wait until its context is cancelled; it fails with
// the context's error.
func Hang() Fault { return Wait(nil) }

// Wait makes the operation wait until ready is closed, and then go on, or until
// its context is cancelled, and then fail with the context's error.
func Wait(ready <-chan struct{}) Fault { return wait{ready: ready} }

type wait struct {
	none
	ready <-chan struct{}
}

func (w wait) String() string {
	if w.ready == nil {
		return "hang until cancelled"
	}
	return "wait for the test"
}

func (w wait) before(ctx context.Context, _ Op) error {
	select {
	case <-w.ready: // never, if nil
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// BreakBody makes the body fail with err, or [ErrInjected] if err is nil, after
// n bytes: the one that Get returns, or the one that Put consumes. In a batch
// that is every body. A body of at most n bytes fails in place of its end.
func BreakBody(n int64, err error) Fault { return breakBody{n: n, err: cause(err)} }

type breakBody struct {
	none
	n   int64
	err error
}

func (b breakBody) String() string {
	return fmt.Sprintf("body fails after %d bytes with %q", b.n, b.err)
}

func (b breakBody) entry(e interfaces.Entry) interfaces.Entry {
	broken := io.MultiReader(io.LimitReader(e.Reader(), b.n), failing{b.err})
	return interfaces.Stream(body{broken, e}, e.Size).WithHead(e.Head)
}

// failing is a reader that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Flip makes the body differ in the lowest bit of the byte at the offset at,
// counted from 0: the one that Get returns, or the one that Put consumes. In a
// batch that is every body. The head stays as it was, and so does a body that
// is not so long.
func Flip(at int64) Fault { return flip{at: at} }

type flip struct {
	none
	at int64
}

func (f flip) String() string { return fmt.Sprintf("body has byte %d damaged", f.at) }

func (f flip) entry(e interfaces.Entry) interfaces.Entry {
	if text, ok := e.Text(); ok {
		flipped := []byte(text)
		flipPiece(flipped, f.at)
		return interfaces.Bytes(flipped).WithHead(e.Head)
	}
	return interfaces.Stream(body{&flipper{e.Reader(), f.at}, e}, e.Size).WithHead(e.Head)
}

// flipper damages the byte that is left bytes ahead.
type flipper struct {
	r    io.Reader
	left int64
}

func (f *flipper) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	flipPiece(p[:n], f.left)
	f.left -= int64(n)
	return n, err
}

func flipPiece(piece []byte, at int64) {
	if at >= 0 && at < int64(len(piece)) {
		piece[at] ^= 1
	}
}

// body is another reader over the body of an entry, which it closes.
type body struct {
	io.Reader
	of interfaces.Entry
}

func (b body) Close() error { return b.of.Close() }

func cause(err error) error {
	if err == nil {
		return ErrInjected
	}
	return err
}
