// SPDX-License-Identifier: Apache-2.0

package gocacheprog

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"unsafe"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// noOutput is the OutputID of an empty output.
var noOutput = string(sha256.New().Sum(nil))

// Verify is the [tiers.Options].Verify of the stack under a server. It hashes
// every output while it passes, once, and lets none pass whose SHA-256 is not
// the OutputID that its key was made from. What is no output is a record, which
// has no body, or the manifest of this build.
func (s *Server) Verify(key interfaces.Key, entry interfaces.Entry) (interfaces.Entry, error) {
	if entry.Size == 0 && len(entry.Tag) == sha256.Size || key == s.manifest {
		return entry, nil
	}
	text, ok := entry.Text()
	if !ok {
		body := &verified{entry: entry, key: key, digest: sha256.New()}
		return interfaces.Stream(body, entry.Size).WithHead(entry.Head), nil
	}
	sum := sha256.Sum256(unsafe.Slice(unsafe.StringData(text), len(text))) // which is only read
	return entry, checkOutput(key, sum[:])
}

// checkOutput returns nil if key is that of the output whose SHA-256 is sum.
func checkOutput(key interfaces.Key, sum []byte) error {
	output, err := outputs.Key(sum)
	if err == nil && output != key {
		err = fmt.Errorf("%w: its SHA-256 is not the OutputID that its key %s stands for", cacheerr.ErrDamaged, key.Short())
	}
	return err
}

// verified is the body of an output, which fails at its end if it is another's.
type verified struct {
	entry  interfaces.Entry
	key    interfaces.Key
	digest hash.Hash
}

// Read implements [io.Reader].
func (v *verified) Read(p []byte) (int, error) {
	n, err := v.entry.Reader().Read(p)
	v.digest.Write(p[:n]) // never fails
	if err == io.EOF {    //nolint:errorlint // io.Reader's own rule
		if wrong := checkOutput(v.key, v.digest.Sum(nil)); wrong != nil {
			return n, wrong
		}
	}
	return n, err
}

// Close implements [io.Closer].
func (v *verified) Close() error { return v.entry.Close() }

// checkFile compares a file that may have come from another machine with the
// OutputID under which the go command knows it.
func checkFile(path, output string) error {
	entry, err := interfaces.OpenFile(path)
	if err != nil {
		return err
	}
	defer entry.Close() //nolint:errcheck // only read
	digest := sha256.New()
	if _, err := io.Copy(digest, entry.Reader()); err != nil {
		return err
	}
	if string(digest.Sum(nil)) != output {
		return cacheerr.ErrDamaged
	}
	return nil
}
