// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/frontend/gocacheprog"
	"github.com/tiercecache/tierce/interfaces"
)

// TestStart is PROTOCOLS 1, Start.
func TestStart(t *testing.T) {
	t.Run("the first message comes before the cache is open", func(t *testing.T) {
		cache := disk(t, t.TempDir(), filestream.Options{})
		open := make(chan struct{})
		// start returns only when it has read the first message.
		c := start(t, gocacheprog.Options{Local: true, Open: func(context.Context) (interfaces.Cache, error) {
			<-open
			return cache, nil
		}})
		answered := make(chan answer, 1)
		go func() { answered <- c.get("a") }()
		close(open)
		wantMiss(t, <-answered)
		c.close()
	})
	t.Run("the first message declares what the go command may send", func(t *testing.T) {
		var out bytes.Buffer
		server := gocacheprog.New(gocacheprog.Options{Open: failing(errors.New("no"))})
		if err := server.Serve(t.Context(), strings.NewReader(""), &out); err != nil {
			t.Fatal(err)
		}
		first, err := parseAnswer(out.Bytes())
		if err != nil || first.ID != 0 || !slices.Equal(first.KnownCommands, []string{"get", "put", "close"}) {
			t.Errorf("the first message is %s (%v), want ID 0 and get, put, close", first.text, err)
		}
	})
	t.Run("the go command gone before the first message: the cache stays closed", func(t *testing.T) {
		gone := errors.New("gone")
		server := gocacheprog.New(gocacheprog.Options{Open: func(context.Context) (interfaces.Cache, error) {
			t.Error("the cache is opened")
			return nil, gone
		}})
		if err := server.Serve(t.Context(), strings.NewReader(""), writer{err: gone}); !errors.Is(err, gone) {
			t.Errorf("Serve returned %v, want %v", err, gone)
		}
	})
	t.Run("a cache that cannot be opened is said once, and the build goes on", func(t *testing.T) {
		var told warnings
		private := disk(t, t.TempDir(), filestream.Options{})
		c := start(t, gocacheprog.Options{Open: failing(errors.New("no such luck")), Private: opened(private), Warn: told.warn})
		wantMiss(t, c.get("a"))
		body := pattern(100)
		c.stored("a", body)
		wantHit(t, c.get("a"), body)
		c.stored("b", body)
		c.close()
		if got := told.all(); len(got) != 1 || !strings.Contains(got[0], "no such luck") {
			t.Errorf("the user was told %q, want the reason, once", got)
		}
	})
}

func failing(err error) func(context.Context) (interfaces.Cache, error) {
	return func(context.Context) (interfaces.Cache, error) { return nil, err }
}

// writer is a standard output that calls each for each write, and fails if it
// has an error.
type writer struct {
	each func(p []byte)
	err  error
}

func (w writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.each(p)
	return len(p), nil
}

// TestWholeMessages: an answer is one write, so that no two are mixed whatever
// the pipe does, and each is a line of its own.
func TestWholeMessages(t *testing.T) {
	cache := disk(t, t.TempDir(), filestream.Options{})
	body := pattern(5000)
	in := written(
		put{request{ID: 1, Command: "get", ActionID: digest([]byte("a"))}, nil},
		put{withID(2, putRequest("a", body)), body},
		put{withID(3, putRequest("b", nil)), nil},
		put{request{ID: 4, Command: "what"}, nil},
		put{request{ID: 5, Command: "close"}, nil},
	)
	writes := make(chan string, 10)
	server := gocacheprog.New(gocacheprog.Options{Open: opened(cache), Local: true})
	err := server.Serve(t.Context(), bytes.NewReader(in), writer{each: func(p []byte) { writes <- string(p) }})
	if err != nil {
		t.Fatal(err)
	}
	close(writes)
	n := 0
	for text := range writes {
		if _, err := parseAnswer([]byte(text)); err != nil || strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "}\n") {
			t.Errorf("wrote %q (%v), want one message and a line feed", text, err)
		}
		n++
	}
	if n != 6 {
		t.Errorf("%d writes for the first message and 5 answers, want 6", n)
	}
}

func withID(id int64, req request) request {
	req.ID = id
	return req
}

// TestEnd is PROTOCOLS 1, Close.
func TestEnd(t *testing.T) {
	t.Run("close is answered", func(t *testing.T) { start(t, gocacheprog.Options{}).close() })
	t.Run("nothing is read after close", func(t *testing.T) {
		in := bytes.NewReader(written(put{request{ID: 1, Command: "close"}, nil}))
		after := io.MultiReader(in, reader(func([]byte) (int, error) {
			t.Error("read on after close")
			return 0, io.EOF
		}))
		server := gocacheprog.New(gocacheprog.Options{Open: opened(disk(t, t.TempDir(), filestream.Options{}))})
		// A reader that returns what it has, as a pipe does.
		if err := server.Serve(t.Context(), bufio.NewReader(after), io.Discard); err != nil {
			t.Error(err)
		}
	})
	t.Run("the end of standard input without close is an end like another", func(t *testing.T) {
		c := start(t, gocacheprog.Options{})
		body := pattern(10)
		path := c.stored("a", body)
		if err := c.end(); err != nil {
			t.Errorf("Serve returned %v, want nil", err)
		}
		wantFile(t, path, body)
	})
}

// reader is a function as a reader.
type reader func([]byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }
