// SPDX-License-Identifier: Apache-2.0

package interfaces_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tiercecache/tierce/interfaces"
)

func TestText(t *testing.T) {
	entry := interfaces.Text("body")
	if text, ok := entry.Text(); text != "body" || !ok {
		t.Errorf("Text: %q and %t, want the body", text, ok)
	}
	if entry.Size != 4 {
		t.Errorf("Size %d, want 4", entry.Size)
	}
	for range 2 { // a body in memory can be read any number of times
		if got, err := io.ReadAll(entry.Reader()); string(got) != "body" || err != nil {
			t.Errorf("Reader: %q and %v", got, err)
		}
		if got, err := entry.Bytes(); string(got) != "body" || err != nil {
			t.Errorf("Bytes: %q and %v", got, err)
		}
	}
	var zero interfaces.Entry
	if text, ok := zero.Text(); text != "" || !ok || zero.Size != 0 {
		t.Errorf("the zero Entry: %q, %t and Size %d, want an empty body in memory", text, ok, zero.Size)
	}
}

// TestBytes is M5: nobody's buffer is an entry's body.
func TestBytes(t *testing.T) {
	buffer := []byte("body")
	entry := interfaces.Bytes(buffer)
	buffer[0] = 'x'
	got, _ := entry.Bytes()
	got[1] = 'x'
	if text, _ := entry.Text(); text != "body" {
		t.Errorf("%q after changing what went in and what came out, want body", text)
	}
}

func TestStream(t *testing.T) {
	body := strings.NewReader("body")
	entry := interfaces.Stream(body, 4)
	if text, ok := entry.Text(); text != "" || ok {
		t.Errorf("Text: %q and %t, want none", text, ok)
	}
	if entry.Reader() != io.Reader(body) {
		t.Error("Reader is not the body")
	}
	if got, err := entry.Bytes(); string(got) != "body" || err != nil {
		t.Errorf("Bytes: %q and %v", got, err)
	}
}

func TestWithHead(t *testing.T) {
	head := interfaces.Head{Size: 99, Checksum: interfaces.Checksum{1}, Time: time.Unix(1, 2), Cost: 3, Tag: "tag"}
	text := interfaces.Text("body").WithHead(head)
	want := head
	want.Size = 4 // of a body in memory it is what it is
	if text.Head != want {
		t.Errorf("of a body in memory: %+v, want %+v", text.Head, want)
	}
	if stream := interfaces.Stream(strings.NewReader("body"), 4).WithHead(head); stream.Head != head {
		t.Errorf("of a stream: %+v, want %+v", stream.Head, head)
	}
}

func TestOpenFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("a regular file", func(t *testing.T) {
		entry, err := interfaces.OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if entry.Size != 7 {
			t.Errorf("Size %d, want 7", entry.Size)
		}
		if got, err := entry.Bytes(); string(got) != "content" || err != nil {
			t.Errorf("Bytes: %q and %v, want the content", got, err)
		}
		wantError(t, entry.Close(), nil)
	})
	t.Run("a missing one", func(t *testing.T) {
		_, err := interfaces.OpenFile(filepath.Join(dir, "missing"))
		if !errors.As(err, new(*fs.PathError)) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %v, want a PathError that it does not exist", err)
		}
	})
	t.Run("a directory", func(t *testing.T) {
		if _, err := interfaces.OpenFile(dir); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("error %v, want one with the path", err)
		}
	})
}

func TestAppendTo(t *testing.T) {
	failing := func(text string) io.Reader {
		return io.MultiReader(strings.NewReader(text), iotest.ErrReader(errBroken))
	}
	for name, test := range map[string]struct {
		entry   interfaces.Entry
		want    string
		wantErr error
	}{
		"text":                          {interfaces.Text("body"), "body", nil},
		"no text":                       {interfaces.Text(""), "", nil},
		"stream":                        {interfaces.Stream(strings.NewReader("body"), 4), "body", nil},
		"stream in pieces":              {interfaces.Stream(iotest.OneByteReader(strings.NewReader("body")), 4), "body", nil},
		"data and end together":         {interfaces.Stream(iotest.DataErrReader(strings.NewReader("body")), 4), "body", nil},
		"empty stream":                  {interfaces.Stream(strings.NewReader(""), 0), "", nil},
		"size unknown":                  {interfaces.Stream(strings.NewReader("body"), interfaces.SizeUnknown), "body", nil},
		"size unknown, fails":           {interfaces.Stream(failing("bo"), interfaces.SizeUnknown), "bo", errBroken},
		"shorter":                       {interfaces.Stream(strings.NewReader("bo"), 4), "bo", io.ErrUnexpectedEOF},
		"nothing":                       {interfaces.Stream(strings.NewReader(""), 4), "", io.ErrUnexpectedEOF},
		"fails":                         {interfaces.Stream(failing("bo"), 4), "bo", errBroken},
		"fails at its end":              {interfaces.Stream(failing("body"), 4), "body", errBroken},
		"longer":                        {interfaces.Stream(strings.NewReader("body+"), 4), "body", errLonger},
		"longer than nothing":           {interfaces.Stream(strings.NewReader("+"), 0), "", errLonger},
		"longer, in pieces":             {interfaces.Stream(iotest.OneByteReader(strings.NewReader("body+")), 4), "body", errLonger},
		"shorter than a very long body": {interfaces.Stream(strings.NewReader("body"), 1<<62), "body", io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.entry.AppendTo([]byte("before "))
			if string(got) != "before "+test.want {
				t.Errorf("%q, want %q", got, "before "+test.want)
			}
			switch {
			case errors.Is(test.wantErr, errLonger):
				if err == nil || !strings.Contains(err.Error(), "longer than the") {
					t.Errorf("error %v, want one that it is longer", err)
				}
			case !errors.Is(err, test.wantErr):
				t.Errorf("error %v, want %v", err, test.wantErr)
			}
		})
	}
}

var errLonger = errors.New("longer") // stands for an error with that text

// TestAppendToAllocations: a caller that gives room pays for nothing.
func TestAppendToAllocations(t *testing.T) {
	body := strings.Repeat("b", 1000)
	room := make([]byte, 0, len(body))
	text := interfaces.Text(body)
	source := strings.NewReader(body)
	stream := interfaces.Stream(source, int64(len(body)))
	for name, read := range map[string]func() ([]byte, error){
		"text":   func() ([]byte, error) { return text.AppendTo(room) },
		"stream": func() ([]byte, error) { source.Reset(body); return stream.AppendTo(room) },
	} {
		if got, err := read(); string(got) != body || err != nil {
			t.Errorf("%s: %d bytes and %v, want the body", name, len(got), err)
		}
		if n := testing.AllocsPerRun(100, func() { _, _ = read() }); n != 0 {
			t.Errorf("%s: %v allocations into exact room, want none", name, n)
		}
	}
}

// TestAppendToHuge: a Size is a claim, and takes memory as it comes true.
func TestAppendToHuge(t *testing.T) {
	const claim, real = 1 << 50, 65 << 20
	lying := interfaces.Stream(strings.NewReader("body"), claim)
	if got, err := lying.AppendTo(nil); cap(got) > 65<<20 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d bytes of room for a body of 4 and %v, want at most 65 MiB and an unexpected end", cap(got), err)
	}
	for name, size := range map[string]int64{"true": real, "false": claim} {
		entry := interfaces.Stream(io.LimitReader(zeros{}, real), size)
		got, err := entry.AppendTo(nil)
		if len(got) != real || cap(got) > 2*real || bytes.Count(got, []byte{0}) != real {
			t.Errorf("a %s claim: %d bytes in room for %d, want %d in at most twice that", name, len(got), cap(got), real)
		}
		if (err == nil) != (size == real) {
			t.Errorf("a %s claim: error %v", name, err)
		}
	}
}

// zeros is a reader without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestEntryClose(t *testing.T) {
	for name, entry := range map[string]interfaces.Entry{
		"zero": {}, "text": interfaces.Text("body"), "nothing to close": interfaces.Stream(strings.NewReader("body"), 4),
	} {
		for range 2 {
			if err := entry.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	body := &closing{err: errBroken}
	entry := interfaces.Stream(body, 4)
	wantError(t, entry.Close(), errBroken)
	if body.closed != 1 {
		t.Errorf("the body was closed %d times, want once", body.closed)
	}
	changed := entry.WithHead(interfaces.Head{Tag: "tag"})
	wantError(t, changed.Close(), errBroken)
	if body.closed != 2 {
		t.Error("an entry with another head does not close the body")
	}
}
