// SPDX-License-Identifier: Apache-2.0

package gocacheprog

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrProtocol is what [Server.Serve] returns, wrapped with what was wrong, for
// a stream that is not the go command's.
var ErrProtocol = errors.New("standard input is not the GOCACHEPROG protocol; tierce go is started by the go command")

func protocolError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

// request is what the go command asks.
type request struct {
	ID       int64
	Command  string
	ActionID []byte
	OutputID []byte
	BodySize int64
}

// reader reads requests. Its buffer is as large as a pipe.
type reader struct{ in *bufio.Reader }

func newReader(in io.Reader) *reader { return &reader{bufio.NewReaderSize(in, 64<<10)} }

// maxRequest is the longest request in bytes, without its body: those of the go
// command are shorter than 300. One that has to be looked at again at each of
// its braces takes some milliseconds at this length, and the square of more.
const maxRequest = 4 << 10

// request reads the next request, but not its body. The end of the stream
// between two requests is io.EOF.
func (r *reader) request() (request, error) {
	if err := r.skipSpace(); err != nil {
		return request{}, err
	}
	text, err := r.object()
	if err != nil {
		return request{}, err
	}
	var req request
	if !req.parse(text) {
		if req, err = decode(text); err != nil {
			return request{}, err
		}
	}
	if req.BodySize < 0 {
		return request{}, protocolError("a body of %d bytes", req.BodySize)
	}
	return req, nil
}

// skipSpace leaves the reader before the next byte that is not white space.
func (r *reader) skipSpace() error {
	for {
		b, err := r.in.ReadByte()
		if err != nil {
			return err
		}
		switch b {
		case ' ', '\t', '\r', '\n':
			continue
		}
		return r.in.UnreadByte()
	}
}

// object reads the bytes of one JSON object, valid until the next read.
func (r *reader) object() ([]byte, error) {
	text, err := r.in.ReadSlice('}')
	if err == nil && text[0] == '{' && len(text) <= maxRequest && bytes.IndexByte(text[1:], '{') < 0 && bytes.IndexByte(text, '\\') < 0 && bytes.Count(text, quote)%2 == 0 {
		return text, nil
	}
	return r.anyObject(bytes.Clone(text), err)
}

var quote = []byte{'"'}

// anyObject reads on where the next closing brace is not the object's end.
func (r *reader) anyObject(text []byte, err error) ([]byte, error) {
	for {
		switch {
		case len(text) > 0 && text[0] != '{':
			return nil, protocolError("a request begins with %q", text[0])
		case err == io.EOF: //nolint:errorlint // bufio's own rule
			return nil, protocolError("it ends within a request")
		case err != nil && err != bufio.ErrBufferFull: //nolint:errorlint // bufio's own rule
			return nil, err
		case len(text) > maxRequest:
			return nil, protocolError("a request is longer than %d bytes", maxRequest)
		case json.Valid(text):
			return text, nil
		}
		var more []byte
		more, err = r.in.ReadSlice('}')
		text = append(text, more...)
	}
}

// decode decodes a request that is not just as the go command writes it.
func decode(text []byte) (request, error) {
	var wide struct {
		request
		ObjectID []byte // what OutputID was called before Go 1.24
	}
	if err := json.Unmarshal(text, &wide); err != nil {
		return request{}, protocolError("%v", err)
	}
	if len(wide.OutputID) == 0 {
		wide.OutputID = wide.ObjectID
	}
	return wide.request, nil
}

// parse decodes a request that is just as the go command writes it: names and
// values without escapes, in any order. It reports false for anything else. It
// takes a fifth of the time of encoding/json, which is a third of what the
// helper does for a hit (docs/benchmarks.md).
func (req *request) parse(text []byte) bool {
	text = text[1:]
	for {
		name, rest, ok := cutString(text)
		if !ok || len(rest) == 0 || rest[0] != ':' {
			return false
		}
		value := rest[1:]
		switch string(name) {
		case "ID":
			req.ID, rest, ok = cutInt(value)
		case "BodySize":
			req.BodySize, rest, ok = cutInt(value)
		case "Command":
			var command []byte
			if command, rest, ok = cutString(value); ok {
				req.Command, ok = commandName(command)
			}
		case "ActionID":
			req.ActionID, rest, ok = cutBase64(value)
		case "OutputID":
			req.OutputID, rest, ok = cutBase64(value)
		default:
			return false
		}
		if !ok || len(rest) == 0 {
			return false
		}
		if rest[0] == '}' {
			return len(rest) == 1
		}
		if rest[0] != ',' {
			return false
		}
		text = rest[1:]
	}
}

// commandName returns a command that there is, without an allocation.
func commandName(name []byte) (command string, ok bool) {
	switch string(name) {
	case "get":
		return "get", true
	case "put":
		return "put", true
	case "close":
		return "close", true
	}
	return "", false
}

func cutString(text []byte) (value, rest []byte, ok bool) {
	if len(text) == 0 || text[0] != '"' {
		return nil, nil, false
	}
	end := bytes.IndexByte(text[1:], '"')
	if end < 0 {
		return nil, nil, false
	}
	return text[1 : 1+end], text[2+end:], true
}

func cutInt(text []byte) (value int64, rest []byte, ok bool) {
	end := 0
	for end < len(text) && '0' <= text[end] && text[end] <= '9' {
		value = value*10 + int64(text[end]-'0')
		end++
	}
	return value, text[end:], 0 < end && end <= 18 && (text[0] != '0' || end == 1)
}

func cutBase64(text []byte) (value, rest []byte, ok bool) {
	digits, rest, ok := cutString(text)
	if !ok {
		return nil, nil, false
	}
	value = make([]byte, base64.StdEncoding.DecodedLen(len(digits)))
	n, err := decodeBase64(value, digits)
	return value[:n], rest, err == nil
}

// decodeBase64 decodes digits, and nothing else: package base64 skips line
// feeds, which a JSON string cannot have.
func decodeBase64(p, digits []byte) (n int, err error) {
	n, err = base64.StdEncoding.Decode(p, digits)
	if err == nil && (len(digits)%4 != 0 || n != len(digits)/4*3-padding(digits)) {
		err = base64.CorruptInputError(n)
	}
	return n, err
}

// padding returns with how many padding characters digits end.
func padding(digits []byte) int { return len(digits) - len(bytes.TrimRight(digits, "=")) }
