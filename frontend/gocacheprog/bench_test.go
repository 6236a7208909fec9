// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"testing"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/frontend/gocacheprog"
)

// BenchmarkHit is one get that hits, with a disk tier below: what the helper
// does for it, and the same with the hand-overs to the go command and back.
func BenchmarkHit(b *testing.B) {
	cache := disk(b, b.TempDir(), filestream.Options{})
	c := start(b, gocacheprog.Options{Open: opened(cache), Local: true})
	c.stored("a", pattern(4096))
	c.close()
	options := gocacheprog.Options{Open: opened(cache), Local: true}
	get := written(put{withID(1, getRequest("a")), nil})
	b.Run("answer", func(b *testing.B) {
		b.ReportAllocs()
		in := reader(func(p []byte) (int, error) {
			if !b.Loop() {
				return 0, io.EOF
			}
			return copy(p, get), nil
		})
		if err := gocacheprog.New(options).Serve(b.Context(), in, io.Discard); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("roundtrip", func(b *testing.B) {
		b.ReportAllocs()
		in, toServer := io.Pipe()
		fromServer, out := io.Pipe()
		go func() { _ = out.CloseWithError(gocacheprog.New(options).Serve(b.Context(), in, out)) }()
		answers := bufio.NewReader(fromServer)
		if _, err := answers.ReadSlice('\n'); err != nil { // the first message
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := toServer.Write(get); err != nil {
				b.Fatal(err)
			}
			if answer, err := answers.ReadSlice('\n'); err != nil || !bytes.Contains(answer, []byte("DiskPath")) {
				b.Fatalf("answered %s, %v", answer, err)
			}
		}
		_ = toServer.Close()
	})
}

// BenchmarkParse is reading one request, beside encoding/json.
func BenchmarkParse(b *testing.B) {
	get := written(put{withID(1, getRequest("a")), nil})
	endless := reader(func(p []byte) (int, error) { return copy(p, get), nil })
	b.Run("tierce", func(b *testing.B) {
		b.ReportAllocs()
		r := gocacheprog.NewReader(endless)
		for b.Loop() {
			if req, err := r.Request(); err != nil || req.ID != 1 {
				b.Fatal(req, err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		r := json.NewDecoder(endless)
		for b.Loop() {
			var req request
			if err := r.Decode(&req); err != nil || req.ID != 1 {
				b.Fatal(req, err)
			}
		}
	})
}
