// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"strconv"
	"unicode/utf8"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// Result is what a command made. Its bodies may be open files: [Result.Close].
type Result struct {
	Code   int // exit code
	Stdout interfaces.Entry
	Stderr interfaces.Entry
	Files  []File // in the order of their paths
}

// File is an output.
type File struct {
	Path string      // below the working folder, with slashes
	Mode fs.FileMode // permissions
	Body interfaces.Entry
}

// Close lets go of what the bodies hold open.
func (r *Result) Close() {
	for _, body := range r.bodies() {
		_ = body.Close() // only read
	}
}

// bodies are the streams and the files.
func (r *Result) bodies() []*interfaces.Entry {
	bodies := []*interfaces.Entry{&r.Stdout, &r.Stderr}
	for i := range r.Files {
		bodies = append(bodies, &r.Files[i].Body)
	}
	return bodies
}

const (
	// maxInline is the largest body in bytes that stands in a result if it may
	// be an entry of its own.
	maxInline = 64 << 10
	// maxResult is how many bytes all bodies may have if they may not, and how
	// large a result may be that is read.
	maxResult = 256 << 20
)

// codec encodes results as JSON and decodes them.
type codec struct {
	ctx     context.Context  // of the one call that it is made for
	files   interfaces.Cache // of large bodies; nil if they stand in the result
	outputs []string         // of the command
}

// document is a result as JSON.
type document struct {
	Code   int        `json:"code"`
	Stdout *content   `json:"stdout,omitempty"` // nil: nothing
	Stderr *content   `json:"stderr,omitempty"`
	Files  []fileText `json:"files,omitempty"`
}

type fileText struct {
	Path string `json:"path"`
	Mode string `json:"mode"` // octal
	content
}

// content is a body: text, other bytes, or the digest of an entry of its own.
type content struct {
	Text   *string `json:"text,omitempty"`
	Base64 []byte  `json:"base64,omitempty"`
	SHA256 string  `json:"sha256,omitempty"`
	Size   int64   `json:"size,omitempty"` // of an entry of its own
}

// fileKey returns the key of the entry of a large body.
func fileKey(digest []byte) (interfaces.Key, error) {
	return encoding.Keyspace{Schema: 1, Namespace: "exec/file"}.Key(digest)
}

// encode returns the bytes of a result. Large bodies become entries of their own.
func (c codec) encode(r Result) ([]byte, error) {
	doc := document{Code: r.Code, Files: make([]fileText, len(r.Files))}
	for _, stream := range []struct {
		body interfaces.Entry
		to   **content
	}{{r.Stdout, &doc.Stdout}, {r.Stderr, &doc.Stderr}} {
		if stream.body.Size == 0 {
			continue
		}
		text, err := c.encodeBody(stream.body)
		if err != nil {
			return nil, err
		}
		*stream.to = &text
	}
	for i, file := range r.Files {
		text, err := c.encodeBody(file.Body)
		if err != nil {
			return nil, err
		}
		doc.Files[i] = fileText{file.Path, fmt.Sprintf("%#o", file.Mode.Perm()), text}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(doc)
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}

func (c codec) encodeBody(body interfaces.Entry) (content, error) {
	if c.files != nil && body.Size > maxInline {
		return c.putBody(body)
	}
	text, err := body.Bytes()
	switch {
	case err != nil:
		return content{}, err
	case !utf8.Valid(text):
		return content{Base64: text}, nil
	}
	s := string(text)
	return content{Text: &s}, nil
}

// putBody makes a body an entry of its own.
func (c codec) putBody(body interfaces.Entry) (content, error) {
	digest, err := digestOf(body.Reader())
	if err != nil {
		return content{}, err
	}
	if file, ok := body.Reader().(io.Seeker); ok {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return content{}, err
		}
	}
	key, err := keyOf(digest)
	if err != nil {
		return content{}, err
	}
	same := interfaces.Stream(&proof{in: body.Reader(), left: body.Size, want: digest, sum: sha256.New()}, body.Size)
	_, err = interfaces.Insert(c.ctx, c.files, key, same)
	if errors.Is(err, errors.ErrUnsupported) {
		err = c.files.Put(c.ctx, key, same)
	}
	return content{SHA256: digest, Size: body.Size}, err
}

// proof is a body that fails at its end if it has not the digest under which it
// is to be kept: somebody writes to the file.
type proof struct {
	in   io.Reader
	left int64
	want string
	sum  hash.Hash
}

var errWritten = errors.New("an output changed while it was recorded")

// Read implements [io.Reader].
func (p *proof) Read(b []byte) (int, error) {
	n, err := p.in.Read(b)
	_, _ = p.sum.Write(b[:n]) // a hash takes everything
	p.left -= int64(n)
	if p.left <= 0 && hex.EncodeToString(p.sum.Sum(nil)) != p.want {
		return n, errWritten
	}
	return n, err
}

var errDigest = errors.New("a digest is not 64 hex digits")

func keyOf(digest string) (interfaces.Key, error) {
	raw, err := hex.DecodeString(digest)
	if err != nil || len(raw) != interfaces.KeySize || hex.EncodeToString(raw) != digest {
		return interfaces.Key{}, errDigest
	}
	return fileKey(raw)
}

// decode returns the result that has these bytes, with its bodies open. One that
// has not just the outputs of the command, or whose bodies are gone, is an error.
func (c codec) decode(data []byte) (Result, error) {
	if len(data) > 2*maxResult { // base64 and escapes
		return Result{}, fmt.Errorf("the result has %d bytes", len(data))
	}
	doc, err := encoding.JSON[document]{}.Decode(data)
	if err != nil {
		return Result{}, err
	}
	r := Result{Code: doc.Code, Files: make([]File, len(doc.Files))}
	if err = c.open(&r, doc); err != nil {
		r.Close()
		return Result{}, err
	}
	return r, nil
}

// open fills in the bodies of r.
func (c codec) open(r *Result, doc document) (err error) {
	for _, stream := range []struct {
		text *content
		to   *interfaces.Entry
	}{{doc.Stdout, &r.Stdout}, {doc.Stderr, &r.Stderr}} {
		if stream.text != nil {
			if *stream.to, err = c.decodeBody(*stream.text); err != nil {
				return err
			}
		}
	}
	if len(doc.Files) != len(c.outputs) {
		return fmt.Errorf("it has %d files, and the command makes %d", len(doc.Files), len(c.outputs))
	}
	for i, file := range doc.Files {
		mode, err := strconv.ParseUint(file.Mode, 8, 32)
		switch {
		case file.Path != c.outputs[i]:
			return fmt.Errorf("it has the file %q in place of %q", cacheerr.Shorten(file.Path), c.outputs[i])
		case err != nil || fs.FileMode(mode).Perm() != fs.FileMode(mode):
			return fmt.Errorf("%q are no permissions of a file", cacheerr.Shorten(file.Mode))
		}
		r.Files[i].Path, r.Files[i].Mode = file.Path, fs.FileMode(mode)
		if r.Files[i].Body, err = c.decodeBody(file.content); err != nil {
			return err
		}
	}
	return nil
}

var (
	errContent = errors.New("a body has not just one of text, base64 and sha256")
	errOwn     = errors.New("a body is an entry of its own, which there is none of here")
	errSize    = errors.New("the entry of a body has another size")
)

func (c codec) decodeBody(text content) (interfaces.Entry, error) {
	switch {
	case text.Text != nil && text.Base64 == nil && text.SHA256 == "":
		return interfaces.Text(*text.Text), nil
	case text.Text == nil && text.Base64 != nil && text.SHA256 == "":
		return interfaces.Bytes(text.Base64), nil
	case text.Text != nil || text.Base64 != nil || text.SHA256 == "":
		return interfaces.Entry{}, errContent
	case c.files == nil:
		return interfaces.Entry{}, errOwn
	}
	key, err := keyOf(text.SHA256)
	if err != nil {
		return interfaces.Entry{}, err
	}
	body, err := c.get(key)
	if err == nil && body.Size != text.Size {
		_ = body.Close() // of no use
		return interfaces.Entry{}, errSize
	}
	return body, err
}

// get returns the entry of a large body: a file of this machine if it is one,
// which the system copies.
func (c codec) get(key interfaces.Key) (interfaces.Entry, error) {
	path, _, err := interfaces.Path(c.ctx, c.files, key)
	if err == nil {
		var body interfaces.Entry
		if body, err = interfaces.OpenFile(path); err == nil {
			return body, nil
		}
	}
	if errors.Is(err, cacheerr.ErrMiss) {
		return interfaces.Entry{}, err
	}
	return c.files.Get(c.ctx, key)
}
