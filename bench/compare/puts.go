// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
)

// comparePuts measures what the helpers take to store what a cold build makes,
// without the build: requests come from a file, each a missed get and its put.
func (s *site) comparePuts(ctx context.Context, rounds int) error {
	stream := puts(600)
	var took, used []competitor
	for _, c := range s.clients()[1:] {
		took = append(took, competitor{c.name, func() (float64, error) {
			cmd, err := s.replay(ctx, c, stream)
			return cmd.wall, err
		}})
		used = append(used, competitor{c.name, func() (float64, error) {
			cmd, err := s.replay(ctx, c, stream)
			return cmd.processor, err
		}})
	}
	if err := table("600 puts of 200 bytes to 1.6 MiB from a file: time", "ms", rounds, []string{"bare helper"}, took...); err != nil {
		return err
	}
	return table("600 puts of 200 bytes to 1.6 MiB from a file: processor time", "ms", rounds, []string{"bare helper"}, used...)
}

// spent is what a run took, in milliseconds.
type spent struct{ wall, processor float64 }

// replay runs a helper with an empty cache on a stream of requests.
func (s *site) replay(ctx context.Context, c client, stream []byte) (spent, error) {
	if err := os.RemoveAll(c.keep); err != nil {
		return spent{}, err
	}
	args := c.helper()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stdin, cmd.Stdout = bytes.NewReader(stream), io.Discard
	took, err := timed(cmd.Run)
	if err != nil {
		return spent{}, err
	}
	state := cmd.ProcessState
	return spent{milliseconds(took), milliseconds(state.UserTime() + state.SystemTime())}, nil
}

// helper returns the command of the client's helper.
func (c client) helper() []string {
	for _, pair := range c.env {
		if prog, ok := strings.CutPrefix(pair, "GOCACHEPROG="); ok {
			return strings.Fields(prog)
		}
	}
	return nil
}

// puts returns the requests of a go command that misses and puts n times.
func puts(n int) []byte {
	var b bytes.Buffer
	random := rand.NewChaCha8([32]byte{1})
	encode := base64.StdEncoding.EncodeToString
	for i := range n {
		body := make([]byte, 200<<(i%14)) // 200 bytes to 1.6 MiB
		_, _ = random.Read(body)          // never fails
		action, output := sha256.Sum256(fmt.Append(nil, i)), sha256.Sum256(body)
		fmt.Fprintf(&b, `{"ID":%d,"Command":"get","ActionID":"%s"}`+"\n\n", 2*i+1, encode(action[:]))
		fmt.Fprintf(&b, `{"ID":%d,"Command":"put","ActionID":"%s","OutputID":"%s","BodySize":%d}`+"\n\n\"%s\"\n",
			2*i+2, encode(action[:]), encode(output[:]), len(body), encode(body))
	}
	fmt.Fprintf(&b, `{"ID":%d,"Command":"close"}`+"\n\n", 2*n+1)
	return b.Bytes()
}
