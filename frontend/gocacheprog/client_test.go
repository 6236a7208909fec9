// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/frontend/gocacheprog"
	"github.com/tiercecache/tierce/interfaces"
)

// request is what the go command encodes: cmd/go/internal/cacheprog.Request,
// and ObjectID, which was OutputID's name before Go 1.24.
type request struct {
	ID       int64
	Command  string
	ActionID []byte `json:",omitempty"`
	OutputID []byte `json:",omitempty"`
	ObjectID []byte `json:",omitempty"`
	BodySize int64  `json:",omitempty"`
}

// write writes a request as cmd/go/internal/cache.(*ProgCache).writeToChild
// does: the object, a line feed, another one, and a body that is not empty as a
// JSON string.
func write(w *bufio.Writer, req request, body []byte) error {
	errs := []error{json.NewEncoder(w).Encode(req), w.WriteByte('\n')}
	if len(body) > 0 {
		errs = append(errs, w.WriteByte('"'))
		encoder := base64.NewEncoder(base64.StdEncoding, w)
		_, err := encoder.Write(body)
		errs = append(errs, err, encoder.Close())
		_, err = w.WriteString("\"\n")
		errs = append(errs, err)
	}
	return errors.Join(append(errs, w.Flush())...)
}

// written returns what the go command writes for requests, each with its body.
func written(requests ...put) []byte {
	var buf bytes.Buffer
	w := bufio.NewWriter(&buf)
	for _, r := range requests {
		_ = write(w, r.request, r.body) // to memory
	}
	return buf.Bytes()
}

// put is a request and its body.
type put struct {
	request
	body []byte
}

// answer is what the go command decodes: cmd/go/internal/cacheprog.Response.
type answer struct {
	ID            int64
	Err           string
	KnownCommands []string
	Miss          bool
	OutputID      []byte
	Size          int64
	Time          *time.Time
	DiskPath      string

	text string // as it was written
}

func parseAnswer(text []byte) (answer, error) {
	a := answer{text: string(text)}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	err := strict.Decode(&a)
	return a, err
}

// client is a go command that speaks with a [gocacheprog.Server].
type client struct {
	t      testing.TB
	server *gocacheprog.Server
	in     io.Closer     // the server's standard input
	served chan struct{} // closed when Serve has returned
	silent chan struct{} // closed when all answers were read after that
	err    error         // of Serve

	writing sync.Mutex // as in the go command, held while a whole body is written
	w       *bufio.Writer

	mu      sync.Mutex
	last    int64
	waiting map[int64]chan answer // guarded by mu
}

// start starts a server with a go command. What opts leaves out is a cache in a
// new directory, local, a private cache that nobody may need, and warnings that
// nobody may hear. The test's end closes the server's standard input and waits
// for it.
func start(t testing.TB, opts gocacheprog.Options) *client {
	t.Helper()
	if opts.Open == nil {
		opts.Open, opts.Local = opened(disk(t, t.TempDir(), filestream.Options{})), true
	}
	if opts.Private == nil {
		opts.Private = func(context.Context) (interfaces.Cache, error) {
			t.Error("the private cache is opened, and nothing failed")
			return nil, errors.New("not in this test")
		}
	}
	if opts.Warn == nil {
		opts.Warn = func(text string) { t.Errorf("the user is told %q, and nothing failed", text) }
	}
	in, toServer := io.Pipe()
	fromServer, out := io.Pipe()
	c := &client{
		t: t, server: gocacheprog.New(opts), in: toServer, served: make(chan struct{}), silent: make(chan struct{}),
		w: bufio.NewWriter(toServer), waiting: map[int64]chan answer{0: make(chan answer, 1)},
	}
	hello := c.waiting[0]
	go func() {
		defer close(c.served)
		c.err = c.server.Serve(t.Context(), in, out)
		_ = out.Close()
		_ = in.Close()
	}()
	go c.read(fromServer)
	t.Cleanup(func() {
		_ = c.end() // the test asked, or does not care
		<-c.silent
	})
	if first := <-hello; len(first.KnownCommands) == 0 {
		t.Fatalf("the first message is %s, want KnownCommands", first.text)
	}
	return c
}

// opened is an Open that returns a cache.
func opened(c interfaces.Cache) func(context.Context) (interfaces.Cache, error) {
	return func(context.Context) (interfaces.Cache, error) { return c, nil }
}

// disk returns the cache in dir, which is closed when the test ends.
func disk(t testing.TB, dir string, opts filestream.Options) *filestream.Cache {
	t.Helper()
	c, err := filestream.Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatalf("filestream.Open: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// read hands out answers until the server's standard output is closed. What the
// go command ends with a fatal error for is an error.
func (c *client) read(out io.Reader) {
	defer close(c.silent)
	answers := json.NewDecoder(out)
	for {
		var text json.RawMessage
		if err := answers.Decode(&text); err != nil {
			if err != io.EOF {
				c.t.Errorf("standard output is not JSON: %v", err)
			}
			return
		}
		a, err := parseAnswer(text)
		if err != nil {
			c.t.Errorf("the answer %s: %v", text, err)
		}
		c.mu.Lock()
		ch := c.waiting[a.ID]
		delete(c.waiting, a.ID)
		c.mu.Unlock()
		if ch == nil {
			c.t.Errorf("an answer to no request, or the second to one: %s", text)
			continue
		}
		ch <- a
	}
}

// send sends a request, gives it the next ID, and returns where its answer
// comes.
func (c *client) send(req request, body []byte) <-chan answer {
	c.t.Helper()
	ch := make(chan answer, 1)
	c.mu.Lock()
	c.last++
	req.ID = c.last
	c.waiting[req.ID] = ch
	c.mu.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := write(c.w, req, body); err != nil {
		c.t.Errorf("writing request %d: %v", req.ID, err)
	}
	return ch
}

// wait returns an answer, or fails the test if the server ends before.
func (c *client) wait(ch <-chan answer) answer {
	c.t.Helper()
	select {
	case a := <-ch:
		return a
	case <-c.silent:
	}
	select {
	case a := <-ch:
		return a
	default:
		c.t.Fatalf("no answer, and Serve returned %v", c.err)
		return answer{}
	}
}

func (c *client) sendGet(action string) <-chan answer {
	c.t.Helper()
	return c.send(getRequest(action), nil)
}

func (c *client) sendPut(action string, body []byte) <-chan answer {
	c.t.Helper()
	return c.send(putRequest(action, body), body)
}

func (c *client) get(action string) answer {
	c.t.Helper()
	return c.wait(c.sendGet(action))
}

func (c *client) put(action string, body []byte) answer {
	c.t.Helper()
	return c.wait(c.sendPut(action, body))
}

// stored puts and returns the path, which must have the body.
func (c *client) stored(action string, body []byte) string {
	c.t.Helper()
	a := c.put(action, body)
	if a.Err != "" || a.Miss {
		c.t.Fatalf("the answer to put %s is %s, want a path", action, a.text)
	}
	wantFile(c.t, a.DiskPath, body)
	return a.DiskPath
}

// close says close, and fails the test unless that is answered and Serve
// returns nil.
func (c *client) close() {
	c.t.Helper()
	if a := c.wait(c.send(request{Command: "close"}, nil)); a.Err != "" {
		c.t.Errorf("the answer to close is %s", a.text)
	}
	if <-c.served; c.err != nil {
		c.t.Errorf("Serve returned %v after close, want nil", c.err)
	}
}

// end closes the server's standard input and returns what Serve returns.
func (c *client) end() error {
	_ = c.in.Close()
	<-c.served
	return c.err
}

func getRequest(action string) request {
	return request{Command: "get", ActionID: digest([]byte(action))}
}

func putRequest(action string, body []byte) request {
	return request{Command: "put", ActionID: digest([]byte(action)), OutputID: digest(body), BodySize: int64(len(body))}
}

func digest(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}

// large is the length of a body that goes to a file first.
const large = 4<<20 + 1

// pattern returns n bytes that do not repeat.
func pattern(n int) []byte {
	body := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(body) // never fails
	return body
}

// wantHit fails the test unless a is a hit with body.
func wantHit(t testing.TB, a answer, body []byte) {
	t.Helper()
	if a.Miss || a.Err != "" {
		t.Fatalf("the answer is %s, want a hit", a.text)
	}
	if !bytes.Equal(a.OutputID, digest(body)) {
		t.Errorf("OutputID %x, want %x", a.OutputID, digest(body))
	}
	if a.Size != int64(len(body)) {
		t.Errorf("Size %d, want %d", a.Size, len(body))
	}
	if a.Time == nil {
		t.Errorf("no Time: %s", a.text)
	}
	wantFile(t, a.DiskPath, body)
}

// wantMiss fails the test unless a is a miss and nothing else.
func wantMiss(t testing.TB, a answer) {
	t.Helper()
	if !a.Miss || a.Err != "" || a.DiskPath != "" || a.OutputID != nil {
		t.Errorf("the answer is %s, want a miss and nothing else", a.text)
	}
}

// wantFile fails the test unless path is the absolute one of a regular file
// that holds exactly body.
func wantFile(t testing.TB, path string, body []byte) {
	t.Helper()
	if !filepath.IsAbs(path) {
		t.Errorf("DiskPath %q is not absolute", path)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != 0 {
		t.Errorf("DiskPath %q is not a regular file (%v)", path, err)
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	if !bytes.Equal(got, body) {
		t.Errorf("the file at DiskPath has %d bytes that are not the body's %d", len(got), len(body))
	}
}

// filesBelow returns how many files there are below dir.
func filesBelow(t testing.TB, dir string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return n
}

// warnings is a Warn that gathers what the user is told.
type warnings struct {
	mu    sync.Mutex
	texts []string
}

func (w *warnings) warn(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

func (w *warnings) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.texts...)
}
