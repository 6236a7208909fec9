// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"context"
	"encoding/binary"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/redis"
)

// apart is the frame of an entry of size bytes in chunks of each.
func apart(size int64, each uint32) string {
	return forged(2, size, string(binary.LittleEndian.AppendUint32([]byte(strings.Repeat("g", 16)), each)))
}

// writes is what a write may be, over an entry whose chunks are to be retired.
var writes = map[string]func(context.Context, *redis.Cache) error{
	"Put": func(ctx context.Context, c *redis.Cache) error { return c.Put(ctx, key, interfaces.Text("new")) },
	"PutBatch": func(ctx context.Context, c *redis.Cache) error {
		return c.PutBatch(ctx, []interfaces.Item{{Key: key, Entry: interfaces.Text("new")}, {Key: other, Entry: interfaces.Text("new")}})
	},
	"Delete": func(ctx context.Context, c *redis.Cache) error { return c.Delete(ctx, key) },
}

// replacing is a server that has old under each key, and answers PEXPIRE with
// what retire returns.
func replacing(old string, retire func() io.Reader) redis.Options {
	return scripted(func(command []string) io.Reader {
		switch command[0] {
		case "getrange":
			return bulk(old)
		case "set":
			return text("+OK\r\n")
		case "pexpire":
			return retire()
		}
		return text(":1\r\n")
	})
}

// TestEndlessChunks: a write over an entry that claims chunks without end, all of
// which the server claims to have, ends.
func TestEndlessChunks(t *testing.T) {
	for name, test := range map[string]struct {
		old  string
		most int64
	}{
		"of a byte":          {apart(1<<50, 1), 0},
		"of 4 KiB":           {apart(1<<50, chunk), redis.MostAfter},
		"longer than all":    {apart(chunk, 2*chunk), 0},
		"a few, as they are": {apart(5*chunk, chunk), 5},
	} {
		for write, call := range writes {
			t.Run(name+", "+write, func(t *testing.T) {
				var retired atomic.Int64
				opts := replacing(test.old, func() io.Reader { retired.Add(1); return text(":1\r\n") })
				opts.ReadTimeout = time.Hour // it is the number that ends it
				c := open(t, opts)
				if err := call(t.Context(), c); err != nil {
					t.Error(err)
				}
				if n := retired.Load(); n != test.most {
					t.Errorf("%d chunks were retired, want %d", n, test.most)
				}
			})
		}
	}
}

// TestSlowAfterwards: a write that was acknowledged is told as done, in time, even
// if the server says no more.
func TestSlowAfterwards(t *testing.T) {
	for write, call := range writes {
		t.Run(write, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := open(t, replacing(apart(5*chunk, chunk), func() io.Reader { return nil }))
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				if err := call(ctx, c); err != nil || ctx.Err() != nil {
					t.Errorf("error %v, the context's %v, want none", err, ctx.Err())
				}
			})
		})
	}
}

// TestNoChunksOfBatchLeft: the chunks of those items of a batch that the server
// refused are removed, and no other's.
func TestNoChunksOfBatchLeft(t *testing.T) {
	var sent, removed atomic.Int64
	refused := func(name string) bool { return strings.HasSuffix(name, key.String()) }
	c := open(t, scripted(func(command []string) io.Reader {
		switch {
		case command[0] == "getrange":
			return bulk("")
		case command[0] == "set" && refused(command[1]):
			return text("-OOM command not allowed\r\n")
		case command[0] == "set" && strings.Contains(command[1], "+"):
			sent.Add(1)
		case command[0] == "unlink":
			removed.Add(1)
			return text(":1\r\n")
		}
		return text("+OK\r\n")
	}))
	body := interfaces.Text(strings.Repeat("x", 3*chunk))
	err := c.PutBatch(t.Context(), []interfaces.Item{{Key: other, Entry: body}, {Key: key, Entry: body}, {Key: interfaces.Key{1}, Entry: body}})
	if failed, ok := err.(*interfaces.BatchError); !ok || failed.Index != 1 {
		t.Errorf("error %v, want a BatchError of item 1", err)
	}
	if sent.Load() != 9 || removed.Load() != 3 {
		t.Errorf("%d chunks were sent and %d removed, want 9 and the 3 of the item that was refused", sent.Load(), removed.Load())
	}
}
