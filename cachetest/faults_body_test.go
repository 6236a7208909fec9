// SPDX-License-Identifier: Apache-2.0

package cachetest_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"
	"unsafe"

	"github.com/tiercecache/tierce/interfaces"
)

// bodyFaults returns what can be wrong with bodies that are right.
func bodyFaults() []fault {
	return []fault{
		{"unknown size is empty", "bodies of every size and reader", "body \"\" and error <nil>, want body", by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error {
				if e.Size < 0 {
					e = entry{}
				}
				return f.Put(c, k, e)
			}
		})},
		{"entries are lent and lost", "bodies of every size and reader", "were not closed", by(func(b *broken) {
			b.get = func(f full, c ctx, k key) (entry, error) { _, _ = f.Get(c, k); return f.Get(c, k) }
		})},
		{"one read is all", "large body streamed", "Put of", by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error {
				piece := make([]byte, 1<<20)
				n, _ := e.Reader().Read(piece)
				return f.Put(c, k, interfaces.Stream(strings.NewReader(string(piece[:n])), e.Size))
			}
		})},
		{"the last MiB is zero", "large body streamed", "wrong bytes between", by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error {
				body := []byte(text(e))
				clear(body[max(0, len(body)-1<<20):])
				return f.Put(c, k, interfaces.Bytes(body))
			}
		})},
		{"stores the path", "F14 body from a file", "want body of 10000", by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error {
				if file, ok := e.Reader().(*os.File); ok {
					e = interfaces.Text(file.Name())
				}
				return f.Put(c, k, e)
			}
		})},
		{"Put closes", "the caller closes what it puts", "closed the body 1 times", by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error { return errors.Join(f.Put(c, k, e), e.Close()) }
		})},
	}
}

// badBodyFaults returns what can be wrong with bodies that are wrong.
func badBodyFaults() []fault {
	return []fault{
		{"ignores the size", "F3 a bad body stores nothing", "shorter than its size: no error", by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error { e.Size = interfaces.SizeUnknown; return f.Put(c, k, e) }
		})},
		{"reads as far as the size", "F3 a bad body stores nothing", "longer than its size: no error", by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error {
				if e.Size < 0 {
					return f.Put(c, k, e)
				}
				return f.Put(c, k, interfaces.Stream(io.LimitReader(e.Reader(), e.Size), e.Size).WithHead(e.Head))
			}
		})},
		{"believes in any size", "F3 a bad body stores nothing", "panics: runtime error: makeslice", by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error {
				if e.Size < 0 {
					return f.Put(c, k, e)
				}
				_ = make([]byte, e.Size)
				return f.Put(c, k, e)
			}
		})},
		{"a failing body is kept", "F3 a bad body stores nothing", "failing at once: no error", by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error { return f.Put(c, k, interfaces.Text(text(e))) }
		})},
		{"a failing body costs the old one", "F3 a bad body stores nothing", `want body "the old body"`, by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error { _ = f.Delete(c, k); return f.Put(c, k, e) }
		})},
		{"the cause is lost", "F3 a bad body stores nothing", "as its cause", by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error {
				if err := f.Put(c, k, e); err != nil {
					return errors.New("put failed")
				}
				return nil
			}
		})},
		{"ignores the checksum", "F3 a bad body stores nothing", "wrong checksum: no error", by(func(b *broken) {
			b.insert = func(f full, c ctx, k key, e entry) (bool, error) {
				e.Checksum = interfaces.Checksum{}
				return f.Insert(c, k, e)
			}
		})},
		{"cancelled and stored", "T10 cancelled while the body is read", "want a miss", by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error {
				return errors.Join(f.Put(context.WithoutCancel(c), k, e), c.Err())
			}
		})},
	}
}

// aliasFaults returns what can be wrong with whose memory a body is.
func aliasFaults() []fault {
	return []fault{
		{"shares memory", "M5 no memory shared with the caller", "want body", by(func(b *broken) {
			shared := make(map[key]string)
			b.put = func(f full, c ctx, k key, e entry) error {
				if from, ok := e.Reader().(io.WriterTo); ok {
					_, _ = from.WriteTo(thief(func(p []byte) { shared[k] = unsafe.String(unsafe.SliceData(p), len(p)) }))
					return nil
				}
				return f.Put(c, k, e)
			}
			b.get = func(f full, c ctx, k key) (entry, error) {
				if body, ok := shared[k]; ok && len(body) == 100_000 {
					return interfaces.Text(body).WithHead(head{Time: time.Now().UTC()}), nil
				}
				return interfaces.Text(strings.Clone(shared[k])).WithHead(head{Time: time.Now().UTC()}), nil
			}
		})},
	}
}

// thief is a writer that keeps the memory which it is shown.
type thief func(p []byte)

func (t thief) Write(p []byte) (int, error) { t(p); return len(p), nil }
