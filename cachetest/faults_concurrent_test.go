// SPDX-License-Identifier: Apache-2.0

package cachetest_test

import (
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/tiercecache/tierce/interfaces"
)

// readerFaults returns what can be wrong with readers beside others.
func readerFaults() []fault {
	return []fault{
		{"Gets share a reader", "two Gets are independent", "second Get after the first", by(func(b *broken) {
			open := make(map[key]entry)
			b.get = func(f full, c ctx, k key) (entry, error) {
				if e, ok := open[k]; ok {
					return e, nil
				}
				e, err := f.Get(c, k)
				if err == nil {
					open[k] = e
				}
				return e, err
			}
		})},
		{"reads where the key points now", "reading while the entry goes", "while a reader is at work: it read", by(func(b *broken) {
			b.get = func(f full, c ctx, k key) (entry, error) {
				e, err := f.Get(c, k)
				if err != nil || e.Size < 1000 {
					return e, err
				}
				_ = e.Close()
				return interfaces.Stream(&late{f: f, c: c, k: k}, e.Size).WithHead(e.Head), nil
			}
		})},
		{"removes before it writes", "M6 F12 one key, many goroutines", "want what one of them wrote", by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error {
				_ = f.Delete(c, k)
				runtime.Gosched()
				return f.Put(c, k, e)
			}
		})},
	}
}

// writerFaults returns what can be wrong with writers beside others.
func writerFaults() []fault {
	return []fault{
		{"mixes two writers", "M6 F12 one key, many goroutines", "want what one of them wrote", by(func(b *broken) {
			var mu sync.Mutex
			var before string
			b.put = func(f full, c ctx, k key, e entry) error {
				body := text(e)
				mu.Lock()
				mixed := body[:len(body)/2] + before[min(len(before), len(body)/2):]
				before = body
				mu.Unlock()
				return f.Put(c, k, interfaces.Text(mixed))
			}
		})},
		{"drops what it cannot do at once", "M6 F12 many keys, many goroutines", "want body", by(func(b *broken) {
			var mu sync.Mutex
			b.put = func(f full, c ctx, k key, e entry) error {
				if !mu.TryLock() {
					return nil
				}
				defer mu.Unlock()
				for range 10 {
					runtime.Gosched()
				}
				return f.Put(c, k, e)
			}
		})},
		{"Insert looks first", "T2 one winner of concurrent Inserts", "want one true", by(func(b *broken) {
			b.insert = func(f full, c ctx, k key, e entry) (bool, error) {
				if _, err := f.Stat(c, k); err == nil {
					return false, nil
				}
				runtime.Gosched()
				return true, f.Put(c, k, e)
			}
		})},
	}
}

// leakFaults returns what can be wrong with what is left behind.
func leakFaults() []fault {
	return []fault{
		{"a goroutine stays", "nothing is left behind", "left behind after Close: goroutine", by(func(b *broken) {
			stop := make(chan struct{})
			b.get = func(f full, c ctx, k key) (entry, error) { go func() { <-stop }(); return f.Get(c, k) }
		})},
		{"a file stays open", "nothing is left behind", "left behind after Close: file", by(func(b *broken) {
			b.close = func(f full) error {
				file, err := os.Open(os.Args[0])
				open.Store(file) // or the collector closes it
				return errors.Join(err, f.Close())
			}
		})},
	}
}

var open atomic.Value

// late is a body that gets the entry again for each read.
type late struct {
	f  full
	c  ctx
	k  key
	at int64
}

func (l *late) Read(p []byte) (int, error) {
	e, err := l.f.Get(l.c, l.k)
	if err != nil {
		return 0, err
	}
	body := text(e)
	if l.at >= int64(len(body)) {
		return 0, io.EOF
	}
	n := copy(p, body[l.at:])
	l.at += int64(n)
	return n, nil
}
