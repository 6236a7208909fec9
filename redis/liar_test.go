// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/redis"
)

// scripted is a server, in this process, that answers each command with what
// answer returns for it: a text, or nothing more if that is nil.
func scripted(answer func(command []string) io.Reader) redis.Options {
	return redis.Options{Addrs: []string{"scripted:1"}, ChunkSize: chunk, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		answers := make(chan io.Reader, 10_000) // more than any pipeline has
		go func() {
			defer far.Close()
			for text := range answers {
				if text == nil {
					continue
				}
				if _, err := io.Copy(far, text); err != nil {
					return
				}
			}
		}()
		go func() {
			defer close(answers)
			for r := bufio.NewReader(far); ; {
				command, err := readCommand(r)
				if err != nil {
					return
				}
				answers <- answer(command)
			}
		}()
		return near, nil
	}}
}

func text(s string) io.Reader { return strings.NewReader(s) }

func bulk(s string) io.Reader { return text(fmt.Sprintf("$%d\r\n%s\r\n", len(s), s)) }

// nesting is a list in a list in a list, as its second item. taken counts what
// all of them together have given.
type nesting struct {
	read  int
	taken *atomic.Int64
}

func (n *nesting) Read(p []byte) (int, error) {
	const item = "*2\r\n:1\r\n"
	if n.read > 1<<20 { // a stack does not overflow of that yet
		return 0, io.EOF
	}
	p = p[:min(len(p), 1<<10)]
	for i := range p {
		p[i] = item[(n.read+i)%len(item)]
	}
	n.read += len(p)
	n.taken.Add(int64(len(p)))
	return len(p), nil
}

// TestEndlessNesting: of lists in lists without end nothing is read that a stack
// would have to hold, whatever was asked.
func TestEndlessNesting(t *testing.T) {
	for _, lied := range []string{"get", "getrange", "strlen", "evalsha", "eval", "unlink", "pexpire", "set"} {
		t.Run(lied, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var taken atomic.Int64
				c := open(t, scripted(func(command []string) io.Reader {
					switch {
					case command[0] == lied:
						return &nesting{taken: &taken}
					case command[0] == "get" && !strings.Contains(command[1], "+"), command[0] == "getrange":
						return bulk(forged(2, 8*chunk, strings.Repeat("g", 16)+"\x00\x10\x00\x00"))
					case command[0] == "get":
						return bulk("lie")
					case command[0] == "evalsha":
						return text("-NOSCRIPT No matching script\r\n")
					case command[0] == "set" && strings.Contains(command[1], "+"):
						return text("+OK\r\n")
					case command[0] == "set":
						return text("-OOM\r\n")
					}
					return text(":1\r\n")
				}))
				_, _ = body(t, c, key)
				_ = c.Put(t.Context(), key, interfaces.Text(strings.Repeat("x", 2*chunk)))
				_ = c.Delete(t.Context(), key)
				synctest.Wait()
				if n := taken.Load(); n == 0 || n > 512<<10 {
					t.Errorf("%d bytes were taken from the server, want some, and not more than a buffer of each connection", n)
				}
			})
		})
	}
}
