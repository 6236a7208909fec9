// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/tiercecache/tierce/cachetest"
	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

var errIll = &cacheerr.BackendExecutionError{Tier: "fake", Op: "do", Reason: "the test says so"}

// fake is a Full whose operations a test can count, hold up and replace. It
// has no capability but those named here.
type fake struct {
	full                *cachetest.Full
	gets, puts, deletes atomic.Int64

	onGet    func(context.Context, interfaces.Key) error // before a Get; an error is its answer
	afterGet func()                                      // when a Get has its answer
	onPut    func(context.Context, interfaces.Key, interfaces.Entry) error
	afterPut func()
	onDelete func() // before a Delete

	streams  bool // whether every body is a stream
	seekable bool // whether streams can be rewound
	breaks   bool // whether bodies break half way
}

var (
	_ interfaces.Deleter = (*fake)(nil)
	_ interfaces.Statter = (*fake)(nil)
	_ interfaces.Lister  = (*fake)(nil)
)

func newFake(tb testing.TB) *fake {
	tb.Helper()
	return &fake{full: cachetest.NewFull(tb)}
}

// newFar returns a fake that answers with streams, as a tier over a network.
func newFar(tb testing.TB) *fake {
	tb.Helper()
	f := newFake(tb)
	f.streams = true
	return f
}

func (f *fake) Get(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	f.gets.Add(1)
	if f.onGet != nil {
		if err := f.onGet(ctx, key); err != nil {
			return interfaces.Entry{}, err
		}
	}
	entry, err := f.full.Get(ctx, key)
	if err == nil && (f.streams || f.breaks) {
		body, readErr := entry.Bytes()
		err = errors.Join(readErr, entry.Close())
		entry = f.stream(string(body), entry.Head)
	}
	if f.afterGet != nil {
		f.afterGet()
	}
	return entry, err
}

// holdGets makes every Get wait for the gate before it looks.
func (f *fake) holdGets() gate {
	held := make(gate)
	f.onGet = func(context.Context, interfaces.Key) error { held.pass(); return nil }
	return held
}

// holdAnswer makes the first Get wait for the gate after it has looked.
func (f *fake) holdAnswer() gate {
	late := make(gate)
	var calls atomic.Int64
	f.afterGet = func() {
		if calls.Add(1) == 1 {
			late.pass()
		}
	}
	return late
}

func (f *fake) stream(text string, head interfaces.Head) interfaces.Entry {
	body := io.Reader(strings.NewReader(text))
	switch {
	case f.breaks:
		body = io.MultiReader(strings.NewReader(text[:len(text)/2]), iotest.ErrReader(errIll))
	case !f.seekable:
		body = onlyReader{body}
	}
	return interfaces.Stream(body, head.Size).WithHead(head)
}

// onlyReader hides every method but Read: the stream cannot be rewound.
type onlyReader struct{ io.Reader }

func (f *fake) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	f.puts.Add(1)
	if f.onPut != nil {
		if err := f.onPut(ctx, key, entry); err != nil {
			return err
		}
	}
	err := f.full.Put(ctx, key, entry)
	if f.afterPut != nil {
		f.afterPut()
	}
	return err
}

func (f *fake) Delete(ctx context.Context, key interfaces.Key) error {
	f.deletes.Add(1)
	if f.onDelete != nil {
		f.onDelete()
	}
	return f.full.Delete(ctx, key)
}

func (f *fake) Stat(ctx context.Context, key interfaces.Key) (interfaces.Head, error) {
	return f.full.Stat(ctx, key)
}

func (f *fake) List(ctx context.Context) iter.Seq2[interfaces.Key, error] {
	return f.full.List(ctx)
}

// spoil is an onPut that fails when it has read half of the body.
func spoil(_ context.Context, _ interfaces.Key, entry interfaces.Entry) error {
	_, err := io.CopyN(io.Discard, entry.Reader(), entry.Size/2)
	return errors.Join(errIll, err)
}

// refuse is an onPut that fails before it has read anything.
func refuse(context.Context, interfaces.Key, interfaces.Entry) error { return errIll }

// events is an observer that remembers.
type events struct {
	mu   sync.Mutex
	seen []tiers.Event
}

func (e *events) Observe(event tiers.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = append(e.seen, event)
}

// linesOf returns the events of one layer, as lines does.
func (e *events) linesOf(layer string) []string {
	return slices.DeleteFunc(e.lines(), func(line string) bool { return !strings.HasPrefix(line, layer+" ") })
}

// lines returns the events since the last call as "layer op result[ reason]",
// but those of New.
func (e *events) lines() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var lines []string
	for _, event := range e.seen {
		if event.Op == tiers.OpOpen {
			continue
		}
		layer := event.Layer
		if layer == "" {
			layer = "stack"
		}
		lines = append(lines, strings.TrimSpace(strings.Join([]string{layer, string(event.Op), string(event.Result), string(event.Reason)}, " ")))
	}
	e.seen = nil
	return lines
}

// want fails the test unless exactly the events of lines came since the last
// call.
func (e *events) want(t *testing.T, lines ...string) {
	t.Helper()
	if got := e.lines(); !slices.Equal(got, lines) {
		t.Errorf("events:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(lines, "\n\t"))
	}
}

// newStack returns a stack that is closed when the test ends, and must have no
// flight under way then.
func newStack(tb testing.TB, opts tiers.Options, layers ...tiers.Layer) *tiers.Stack {
	tb.Helper()
	s, err := tiers.New(opts, layers...)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
		if n := s.Flights(); n != 0 {
			tb.Errorf("%d flights have not landed at the end", n)
		}
	})
	return s
}

// large is a body that a stack does not read into memory.
var large = strings.Repeat("a large body ", 20_200)

// keyOf returns a key of name.
func keyOf(name string) interfaces.Key { return encoding.RawKey([]byte(name)) }

// same reports whether err is want itself: where it has to be bare, errors.Is
// would see too little.
func same(err, want error) bool { return err == want } //nolint:errorlint // see above

func put(t *testing.T, c interfaces.Cache, key interfaces.Key, body string) {
	t.Helper()
	if err := c.Put(t.Context(), key, interfaces.Text(body)); err != nil {
		t.Errorf("Put of %q: %v", body, err)
	}
}

// read returns the whole body under key, or the error of Get.
func read(t *testing.T, c interfaces.Cache, key interfaces.Key) (string, error) {
	t.Helper()
	entry, err := c.Get(t.Context(), key)
	if err != nil {
		return "", err
	}
	body, err := entry.Bytes()
	if err := errors.Join(err, entry.Close()); err != nil {
		t.Errorf("the entry that Get returned is not whole: %v", err)
	}
	return string(body), nil
}

func want(t *testing.T, c interfaces.Cache, key interfaces.Key, body string) {
	t.Helper()
	if got, err := read(t, c, key); err != nil || got != body {
		t.Errorf("Get: %.40q and error %v, want %.40q (%d bytes, want %d)", got, err, body, len(got), len(body))
	}
}

func wantMiss(t *testing.T, c interfaces.Cache, key interfaces.Key) {
	t.Helper()
	if got, err := read(t, c, key); !same(err, cacheerr.ErrMiss) {
		t.Errorf("Get: %q and error %v, want the bare cacheerr.ErrMiss", got, err)
	}
}
