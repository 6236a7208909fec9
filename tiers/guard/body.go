// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"io"
	"strings"

	"github.com/tiercecache/tierce/interfaces"
)

const (
	window = 1 << 20   // bytes of a stream that may be in memory on its way
	piece  = 64 << 10  // bytes of a stream that are read at once
	small  = 256 << 10 // bytes of a body in memory that are sent as one
)

// weight returns how many bytes entry takes on its way into the tier.
func weight(entry *interfaces.Entry) int64 {
	if _, ok := entry.Text(); ok || 0 <= entry.Size && entry.Size < window {
		return entry.Size
	}
	return window
}

// sent returns entry as the tier gets it: a long one as a stream in which can be
// seen that the tier moves.
func (l *call) sent(entry interfaces.Entry) interfaces.Entry {
	reader := io.Reader(nil)
	if text, ok := entry.Text(); !ok {
		reader = entry.Reader()
	} else if len(text) > small {
		reader = strings.NewReader(text)
	} else {
		return entry
	}
	return interfaces.Stream(&source{call: l, reader: reader, size: entry.Size}, entry.Size).WithHead(entry.Head)
}

// source is the caller's body on its way into the tier.
type source struct {
	call   *call
	reader io.Reader
	size   int64 // as the head says, below 0 if unknown
	read   int64
}

// Read implements [io.Reader].
func (s *source) Read(p []byte) (n int, err error) {
	failed := s.call.callers(func() error {
		n, err = s.reader.Read(p)
		s.read += int64(n)
		ended, wrong := err == io.EOF, s.size >= 0 && s.read != s.size //nolint:errorlint // as every reader ends
		s.call.faulty = s.call.faulty || err != nil && !ended || ended && wrong || s.size >= 0 && s.read > s.size
		return nil
	})
	if failed != nil {
		return 0, failed
	}
	return n, err
}

// received returns an entry of the tier's as the caller gets it. In a batch the
// tier closes it.
func (l *call) received(entry interfaces.Entry, batch bool) (interfaces.Entry, *stream) {
	if _, ok := entry.Text(); ok {
		return entry, nil
	}
	s := &stream{call: l, entry: entry, batch: batch}
	return interfaces.Stream(s, entry.Size).WithHead(entry.Head), s
}

// stream is a body of the tier's. The tier is read in goroutines of their own,
// into memory that is not the caller's.
type stream struct {
	call    *call
	entry   interfaces.Entry
	batch   bool // the tier closes the entry, and the call goes on
	reader  io.Reader
	memory  []byte
	reading chan reading // of a Read that was given up, or has just ended
	err     error        // what every further Read returns
	closed  bool
}

// reading is how a Read of the tier's ended.
type reading struct {
	n   int
	err error
}

// Read implements [io.Reader].
func (s *stream) Read(p []byte) (int, error) {
	switch {
	case s.err != nil:
		return 0, s.err
	case len(p) == 0:
		return 0, nil
	case s.reader == nil:
		s.reader, s.memory = s.entry.Reader(), make([]byte, room(s.entry.Size))
	}
	l := s.call
	l.await(s.batch)
	s.reading = make(chan reading, 1)
	go func(memory []byte, ended chan<- reading) {
		n, err := s.reader.Read(memory)
		ended <- reading{n, err}
	}(s.memory[:min(len(p), len(s.memory))], s.reading)
	select {
	case got := <-s.reading:
		s.reading, s.err = nil, got.err
		if got.err != nil && got.err != io.EOF && l.Err() != nil { //nolint:errorlint // as every reader ends
			s.err = l.reason(NoAnswer)
		}
		s.arrived()
		return copy(p, s.memory[:got.n]), s.err
	case <-l.Done():
		s.err = l.reason(NoAnswer)
		s.arrived()
		return 0, s.err
	}
}

// room returns how many bytes of a stream of size bytes are read at once.
func room(size int64) int64 {
	if size < 0 {
		return piece
	}
	return min(piece, size+1) // one more, which tells that it is not longer
}

// arrived ends the wait for a Read.
func (s *stream) arrived() {
	failed := s.err != nil && s.err != io.EOF //nolint:errorlint // as every reader ends
	s.call.awaited(s.batch, failed)
	if failed && !s.batch {
		if done, ok := s.call.kind.breaker.allow(); ok {
			done(verdict(s.call.caller, s.err))
		}
	}
}

// idle returns when the tier is not reading any more.
func (s *stream) idle() {
	if s != nil && s.reading != nil {
		<-s.reading
	}
}

// Close implements [io.Closer]. A tier that is still reading is closed when it
// is done. A second Close does nothing.
func (s *stream) Close() error {
	if s.batch || s.closed {
		return nil
	}
	s.closed = true
	s.call.stop()
	if s.err == nil {
		s.err = io.ErrClosedPipe
	}
	if s.reading == nil {
		return s.entry.Close()
	}
	go func() {
		s.idle()
		_ = s.entry.Close() // nobody is there to be told
	}()
	return nil
}

// await begins the wait for a part of a stream. One that has begun is read on
// when the budget is used up, for as long as it moves.
func (l *call) await(batch bool) {
	if batch {
		l.resume()
		return
	}
	var w *wait
	if l.measured() {
		w = l.guard.meter.begin()
	}
	l.mu.Lock()
	l.wait = w
	l.mu.Unlock()
	l.resume()
}

// awaited ends it.
func (l *call) awaited(batch, vain bool) {
	l.pause()
	if !batch {
		l.end(!vain)
	}
}
