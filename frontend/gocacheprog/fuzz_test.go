// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/frontend/gocacheprog"
	"github.com/tiercecache/tierce/interfaces"
)

// build is what the go command writes in a small build.
func build() []byte {
	body := pattern(50)
	return written(
		put{withID(1, getRequest("a")), nil},
		put{withID(2, putRequest("a", body)), body},
		put{withID(3, getRequest("a")), nil},
		put{withID(4, putRequest("b", nil)), nil},
		put{withID(5, getRequest("b")), nil},
		put{request{ID: 6, Command: "close"}, nil},
	)
}

// FuzzServe: whatever comes in, Serve ends without a panic, and what goes out
// are whole answers to what was asked.
func FuzzServe(f *testing.F) {
	whole := build()
	f.Add(whole, true)
	f.Add(whole, false)
	f.Add(whole[:len(whole)-30], true)
	f.Add(whole[:200], false)
	f.Add(bytes.ReplaceAll(whole, []byte("\n"), nil), true)
	f.Add(bytes.ReplaceAll(whole, []byte("OutputID"), []byte("ObjectID")), true)
	f.Add(bytes.ReplaceAll(whole, []byte("BodySize"), []byte("bodysize")), false)
	f.Add(bytes.ReplaceAll(whole, []byte(`"get"`), []byte(`"g\u0065t"`)), true)
	f.Add([]byte(`{"ID":1,"Command":"what","BodySize":3}"QUJD"{"ID":-1,"Command":"get","ActionID":"QQ=="}`), true)
	f.Add([]byte(`{"ID":1,"Command":"put","BodySize":5000000,"ActionID":"QQ==","OutputID":"QQ=="}`), true)
	f.Fuzz(func(t *testing.T, in []byte, local bool) {
		var out bytes.Buffer
		server := gocacheprog.New(gocacheprog.Options{
			Open: opened(&shelf{entries: make(map[interfaces.Key]interfaces.Entry)}),
			Private: func(context.Context) (interfaces.Cache, error) {
				t.Error("the private cache is opened, and nothing failed")
				return nil, errors.New("not in this test")
			},
			Local: local, Patience: time.Hour,
		})
		if err := server.Serve(t.Context(), bytes.NewReader(in), &out); err != nil && !errors.Is(err, gocacheprog.ErrProtocol) {
			t.Errorf("Serve returned %v, want nil or ErrProtocol", err)
		}
		asked := askedFor(in)
		asked[0]++ // the first message
		for line := range strings.Lines(out.String()) {
			a, err := parseAnswer([]byte(line))
			if err != nil || !strings.HasSuffix(line, "}\n") {
				t.Errorf("wrote %q: %v", line, err)
			}
			if asked[a.ID]--; asked[a.ID] < 0 {
				t.Errorf("wrote %q, and nobody asked", line)
			}
		}
	})
}

// shelf is a cache in memory that says its bodies are files.
type shelf struct {
	mu      sync.Mutex
	entries map[interfaces.Key]interfaces.Entry
}

func (s *shelf) Get(_ context.Context, key interfaces.Key) (interfaces.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry, ok := s.entries[key]
	if !ok {
		return interfaces.Entry{}, cacheerr.ErrMiss
	}
	return entry, nil
}

func (s *shelf) Put(_ context.Context, key interfaces.Key, entry interfaces.Entry) error {
	body, err := entry.Bytes()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries[key] = interfaces.Bytes(body).WithHead(entry.Head)
	return nil
}

func (s *shelf) Path(ctx context.Context, key interfaces.Key) (path string, size int64, err error) {
	entry, err := s.Get(ctx, key)
	return "/" + key.String(), entry.Size, err
}

// askedFor returns how often each ID is that of a request, as encoding/json
// reads the stream.
func askedFor(in []byte) map[int64]int {
	asked := make(map[int64]int)
	values := json.NewDecoder(bytes.NewReader(in))
	for {
		var text json.RawMessage
		if values.Decode(&text) != nil {
			return asked
		}
		var req struct{ ID int64 }
		if json.Unmarshal(text, &req) == nil && text[0] == '{' {
			asked[req.ID]++
		}
	}
}

// FuzzRequest: a request is what encoding/json says it is, and the stream is
// read to its end and no further.
func FuzzRequest(f *testing.F) {
	f.Add(build())
	for _, text := range []string{
		`{"ID":1,"Command":"get","ActionID":"QUJD","OutputID":null}`,
		"\n{ \"ID\" : 2 , \"Command\" : \"put\" }\n\n\"QUJD\"",
		`{"id":3,"command":"close"}`, `{"ID":4,"ID":5,"Command":"get","Command":"put"}`,
		`{"ID":6,"ObjectID":"QUJD","BodySize":0}`, `{"ID":-7}`, `{"ID":007}`, `{"ID":8.0}`, `{"ID":9e1}`,
		`{"ID":999999999999999999}`, `{"ID":9999999999999999999}`, `{"BodySize":-1}`, `{"ActionID":"QQ"}`,
		`{"Command":"\u0067et"}`, `{"Command":"}"}`, "{\"Command\":\"\xff\"}", "{\"ActionID\":\"QQ\n==\"}",
		`{}`, `{"x":{"ID":1}}`, `{"x":[{}]}`, `[]`, `null`, `"x"`, `{`, `{"ID":1]`, `{"ActionID":"QQ==QQ=="}`, `{"ActionID":[1]}`,
	} {
		f.Add([]byte(text))
	}
	for _, size := range []int{gocacheprog.MaxRequest - 1, gocacheprog.MaxRequest, gocacheprog.MaxRequest + 1, 70_000} {
		f.Add([]byte(`{"Command":"` + strings.Repeat("x", size-len(`{"Command":""}`)) + `"}`))
		f.Add([]byte(`{"Command":"\` + strings.Repeat("x", size-len(`{"Command":"\"}`)) + `"}`))
		f.Add([]byte(`{"OutputID":"` + strings.Repeat("QUJD", size/4) + `"}`))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		want, rest, ok := decodeRequest(in)
		for name, read := range chunkings {
			reader := gocacheprog.NewReader(read(bytes.NewReader(in)))
			got, err := reader.Request()
			if (err == nil) != ok {
				t.Fatalf("%s: %+v and error %v; encoding/json has it: %t", name, got, err, ok)
			}
			if !ok {
				continue
			}
			if len(got.ActionID) == 0 && len(want.ActionID) == 0 {
				got.ActionID = want.ActionID // nil or not is the same
			}
			if len(got.OutputID) == 0 && len(want.OutputID) == 0 {
				got.OutputID = want.OutputID
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v, and encoding/json has %+v", name, got, want)
			}
			if left, _ := io.ReadAll(reader.Rest()); !bytes.Equal(left, rest) {
				t.Errorf("%s: %q is left, want %q", name, left, rest)
			}
		}
	})
}

// decodeRequest returns the first request of a stream and what is behind it, as
// encoding/json has it, if there is one that the protocol allows.
func decodeRequest(in []byte) (req gocacheprog.Request, rest []byte, ok bool) {
	text := bytes.TrimLeft(in, " \t\r\n")
	if len(text) == 0 || text[0] != '{' {
		return req, nil, false
	}
	var wide request
	values := json.NewDecoder(bytes.NewReader(text))
	if values.Decode(&wide) != nil || wide.BodySize < 0 || values.InputOffset() > gocacheprog.MaxRequest {
		return req, nil, false
	}
	if len(wide.OutputID) == 0 {
		wide.OutputID = wide.ObjectID
	}
	req = gocacheprog.Request{
		ID: wide.ID, Command: wide.Command, ActionID: wide.ActionID, OutputID: wide.OutputID, BodySize: wide.BodySize,
	}
	return req, text[values.InputOffset():], true
}

// chunkings are the ways in which a stream may come in pieces.
var chunkings = map[string]func(io.Reader) io.Reader{
	"at once":      func(r io.Reader) io.Reader { return r },
	"byte by byte": iotest.OneByteReader,
	"by halves":    iotest.HalfReader,
	"data and end": iotest.DataErrReader,
}

// FuzzBody: a body is what encoding/json and encoding/base64 say it is, however
// it comes in and however it is read; it has no escapes.
func FuzzBody(f *testing.F) {
	for n := range 10 {
		f.Add(`"`+base64.StdEncoding.EncodeToString(pattern(n))+"\"\n{}", uint32(n))
	}
	f.Add(`"`+base64.StdEncoding.EncodeToString(pattern(70_000))+`"`, uint32(70_000))
	for _, text := range []string{
		`"QUJD`, `QUJD"`, `""`, `"QQ==QUJD"`, `"QQ="`, `"QR=="`, `"QUJ\u0044"`, "\"QUJD\nQUJD\"", "\"QUJD\n\n\n\nQUJD\"",
		"\t\n \"QUJD\"", `"QUJD"QUJD"`, `"Q===`, `"===="`, `null`, `["QUJD"]`, `{}`, "\"\xff\xff\xff\xff\"",
	} {
		f.Add(text, uint32(3))
		f.Add(text, uint32(4))
	}
	f.Fuzz(func(t *testing.T, in string, size uint32) {
		size = max(1, size%(1<<20))
		want, rest, ok := decodeBody(in, int(size))
		for name, read := range chunkings {
			reader := gocacheprog.NewReader(read(strings.NewReader(in)))
			got, err := reader.Bytes(int64(size))
			wantBody(t, name+", as a whole", reader, got, err, want, rest, ok)
			for buffer := 1; buffer < 8; buffer++ {
				reader := gocacheprog.NewReader(read(strings.NewReader(in)))
				var got bytes.Buffer
				_, err := io.CopyBuffer(struct{ io.Writer }{&got}, reader.Body(int64(size)), make([]byte, buffer))
				wantBody(t, name+", in pieces", reader, got.Bytes(), err, want, rest, ok)
			}
		}
	})
}

func wantBody(t *testing.T, how string, reader gocacheprog.Reader, got []byte, err error, want []byte, rest string, ok bool) {
	t.Helper()
	switch {
	case (err == nil) != ok:
		t.Errorf("%s: %q and error %v; the standard library has it: %t", how, got, err, ok)
	case !ok && !errors.Is(err, gocacheprog.ErrProtocol):
		t.Errorf("%s: error %v, want ErrProtocol", how, err)
	case ok && !bytes.Equal(got, want):
		t.Errorf("%s: %q, want %q", how, got, want)
	case ok:
		if left, _ := io.ReadAll(reader.Rest()); string(left) != rest {
			t.Errorf("%s: %q is left, want %q", how, left, rest)
		}
	}
}

// decodeBody returns the body at the beginning of a stream and what is behind
// it, as the standard library has them, if there is one of that size.
func decodeBody(in string, size int) (body []byte, rest string, ok bool) {
	values := json.NewDecoder(strings.NewReader(in))
	var text json.RawMessage
	if values.Decode(&text) != nil || text[0] != '"' || bytes.IndexByte(text, '\\') >= 0 {
		return nil, "", false
	}
	body, err := base64.StdEncoding.DecodeString(string(text[1 : len(text)-1]))
	return body, in[values.InputOffset():], err == nil && len(body) == size
}
