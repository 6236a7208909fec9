// SPDX-License-Identifier: Apache-2.0

package gocacheprog

import (
	"bytes"
	"io"
	"os"

	"github.com/tiercecache/tierce/interfaces"
)

// spool is a body between the go command and the cache: a temporary file, and
// in memory what no temporary directory takes. Writing to it never fails. It is
// written by one goroutine, and read after that.
type spool struct {
	file  *os.File // nil if none could be made
	named bool     // the file still has its name
	size  int64    // bytes that the file took
	full  bool     // it takes no more
	extra bytes.Buffer
}

func newSpool() *spool {
	file, err := os.CreateTemp("", "tierce-body-*")
	if err != nil {
		return &spool{full: true}
	}
	// Where an open file can lose its name, a killed process leaves nothing.
	return &spool{file: file, named: os.Remove(file.Name()) != nil}
}

// Write implements [io.Writer].
func (s *spool) Write(p []byte) (int, error) {
	rest := p
	if !s.full {
		n, err := s.file.Write(p)
		s.size += int64(n)
		s.full, rest = err != nil, p[n:]
	}
	s.extra.Write(rest)
	return len(p), nil
}

// entry returns the body once more.
func (s *spool) entry() interfaces.Entry {
	var body io.Reader = bytes.NewReader(s.extra.Bytes())
	if s.file != nil {
		body = io.MultiReader(io.NewSectionReader(s.file, 0, s.size), body)
	}
	return interfaces.Stream(body, s.size+int64(s.extra.Len()))
}

// remove lets go of the body.
func (s *spool) remove() {
	if s.file == nil {
		return
	}
	_ = s.file.Close() // nobody needs it any more
	if s.named {
		_ = os.Remove(s.file.Name()) // in the system's temporary directory
	}
}
