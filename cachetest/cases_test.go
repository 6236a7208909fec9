// SPDX-License-Identifier: Apache-2.0

package cachetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/tiercecache/tierce/cachetest"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// fault is a way to be no cache, and the sub-test that notices, with a part of
// what it says.
type fault struct {
	name    string
	subTest string
	says    string
	config  cachetest.Config
}

// by returns the config for a Full after change.
func by(change func(*broken)) cachetest.Config {
	open := func(t *testing.T) interfaces.Cache { return newBroken(t, change) }
	return cachetest.Config{Open: open}
}

func faults() []fault {
	return append(append(basicFaults(), bodyFaults()...), append(concurrentFaults(), otherFaults()...)...)
}

// text returns the body of e, which it closes.
func text(e entry) string {
	body, _ := io.ReadAll(e.Reader()) // half a body is a fault as well
	_ = e.Close()
	return string(body)
}

func basicFaults() []fault {
	return []fault{
		{"lost a capability", "T9 required capabilities", "Inserter is required", by(func(b *broken) { b.insert = unsupportedInsert })},
		{"absent is an empty hit", "T1 absent is a bare miss", "want cacheerr.ErrMiss itself", by(func(b *broken) {
			b.get = func(f full, c ctx, k key) (entry, error) {
				e, err := f.Get(c, k)
				if errors.Is(err, cacheerr.ErrMiss) {
					err = nil
				}
				return e, err
			}
		})},
		{"absent is a wrapped miss", "T1 absent is a bare miss", "want cacheerr.ErrMiss itself", by(func(b *broken) {
			b.get = func(f full, c ctx, k key) (entry, error) {
				e, err := f.Get(c, k)
				if err != nil {
					err = fmt.Errorf("get: %w", err)
				}
				return e, err
			}
		})},
		{"empty is absent", "T1 an empty body is a hit", "want body", by(func(b *broken) {
			b.get = func(f full, c ctx, k key) (entry, error) {
				e, err := f.Get(c, k)
				if err == nil && e.Size == 0 {
					err = cacheerr.ErrMiss
				}
				return e, err
			}
		})},
		{"Insert replaces", "T2 T3 Insert keeps the first", "it says true", by(func(b *broken) {
			b.insert = func(f full, c ctx, k key, e entry) (bool, error) { return true, f.Put(c, k, e) }
		})},
		{"Insert says no and replaces", "T2 T3 Insert keeps the first", `got body "pear"`, by(func(b *broken) {
			b.insert = func(f full, c ctx, k key, e entry) (bool, error) {
				_, err := f.Stat(c, k)
				return errors.Is(err, cacheerr.ErrMiss), f.Put(c, k, e)
			}
		})},
		{"unsupported Insert stores", "T2 T3 Insert keeps the first", "want a miss", by(func(b *broken) {
			b.insert = func(f full, c ctx, k key, e entry) (bool, error) {
				return false, errors.Join(f.Put(c, k, e), errors.ErrUnsupported)
			}
		})},
		{"Put keeps the old", "T4 Put replaces", `got body "apple"`, by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error {
				_, err := f.Insert(c, k, e)
				return err
			}
		})},
		{"Delete of absent is nil", "T4 Delete", "step 1, delete absent fruit", by(func(b *broken) {
			b.delete = func(f full, c ctx, k key) error { _ = f.Delete(c, k); return nil }
		})},
		{"Delete does nothing", "T4 Delete", "miss fruit", by(func(b *broken) {
			b.delete = func(f full, c ctx, k key) error { _, err := f.Stat(c, k); return err }
		})},
		{"Len counts writes", "T4 Len, List and Clear", "4 entries", by(func(b *broken) {
			var puts int
			b.put = func(f full, c ctx, k key, e entry) error { puts++; return f.Put(c, k, e) }
			b.len = func(full, ctx) (int, error) { return puts, nil }
		})},
		{"List names a key twice", "T4 Len, List and Clear", "are listed before", by(func(b *broken) {
			b.list = func(f full, c ctx) iter.Seq2[key, error] {
				return func(yield func(key, error) bool) {
					for k, err := range f.List(c) {
						if !yield(k, err) || !yield(k, err) {
							return
						}
					}
				}
			}
		})},
		{"Clear does nothing", "T4 Len, List and Clear", "step 1, len 0", by(func(b *broken) {
			b.clear = func(full, ctx) error { return nil }
		})},
		{"keys are strings of C", "keys of any bytes", "want a miss", by(func(b *broken) {
			cut := func(k key) (short key) {
				copy(short[:], strings.SplitN(string(k[:]), "\x00", 2)[0])
				return short
			}
			b.get = func(f full, c ctx, k key) (entry, error) { return f.Get(c, cut(k)) }
			b.put = func(f full, c ctx, k key, e entry) error { return f.Put(c, cut(k), interfaces.Text(text(e))) }
		})},
		{"forgets all", "", "not one hit in the whole suite", by(func(b *broken) {
			b.get = func(full, ctx, key) (entry, error) { return entry{}, cacheerr.ErrMiss }
			b.getBatch = func(full, ctx, []key, each) error { return errors.ErrUnsupported }
		})},
	}
}

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
		{"Put closes", "the caller closes what it puts", "closed the body 1 times", by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error { return errors.Join(f.Put(c, k, e), e.Close()) }
		})},
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
		{"cancelled and stored", "T10 cancelled while the body is read", "want a miss", by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error {
				return errors.Join(f.Put(context.WithoutCancel(c), k, e), c.Err())
			}
		})},
	}
}

// thief is a writer that keeps the memory which it is shown.
type thief func(p []byte)

func (t thief) Write(p []byte) (int, error) { t(p); return len(p), nil }

// headFault returns a fault of Get's heads.
func headFault(name, subTest, says string, change func(*head)) fault {
	return fault{name, subTest, says, by(func(b *broken) {
		b.get = func(f full, c ctx, k key) (entry, error) {
			e, err := f.Get(c, k)
			h := e.Head
			change(&h)
			return e.WithHead(h), err
		}
	})}
}

func concurrentFaults() []fault {
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

func otherFaults() []fault {
	return []fault{
		headFault("time in seconds", "head comes back", "time 2024", func(h *head) { h.Time = h.Time.Truncate(time.Second) }),
		headFault("no tag", "head comes back", "tag body", func(h *head) { h.Tag = "" }),
		headFault("cost in milliseconds", "head comes back", "cost 123ms", func(h *head) { h.Cost = h.Cost.Truncate(time.Millisecond) }),
		headFault("local time", "head comes back", "is not in UTC", func(h *head) { h.Time = h.Time.In(time.FixedZone("here", 3600)) }),
		headFault("another checksum", "checksum", "that of key and body is", func(h *head) { h.Checksum[0]++ }),
		{"the old head stays", "head comes back", "which is of the entry before", by(func(b *broken) {
			heads := make(map[key]head)
			b.put = func(f full, c ctx, k key, e entry) error {
				h, ok := heads[k]
				if !ok {
					h, heads[k] = e.Head, e.Head
				}
				h.Size, h.Checksum = e.Size, interfaces.Checksum{}
				return f.Put(c, k, e.WithHead(h))
			}
		})},
		{"cuts the tag", "tag too long", "no error", by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error {
				e.Tag = e.Tag[:min(len(e.Tag), interfaces.MaxTag)]
				return f.Put(c, k, e)
			}
		})},
		{"takes no open body", "what Get returns Put accepts", "Put of what Get returned", by(func(b *broken) {
			b.put = func(f full, c ctx, k key, e entry) error {
				if _, ok := e.Reader().(io.Closer); ok {
					return errors.New("something is open")
				}
				return f.Put(c, k, e)
			}
		})},
		{"Stat of absent is nil", "Stat", "Stat of an absent key", by(func(b *broken) {
			b.stat = func(f full, c ctx, k key) (head, error) { h, _ := f.Stat(c, k); return h, nil }
		})},
		{"Stat knows the size alone", "Stat", "Stat with head 0", by(func(b *broken) {
			b.stat = func(f full, c ctx, k key) (head, error) { h, err := f.Stat(c, k); return head{Size: h.Size}, err }
		})},
		{"a file with a header", "F1 Path", "the file is", by(func(b *broken) {
			b.path = func(f full, c ctx, k key) (string, head, error) {
				path, h, err := f.Path(c, k)
				if body, readErr := os.ReadFile(path); readErr == nil {
					_ = os.WriteFile(path, append([]byte("header"), body...), 0o600)
				}
				return path, h, err
			}
		})},
		{"a batch calls twice", "GetBatch", "want once for each", by(func(b *broken) {
			b.getBatch = func(f full, c ctx, keys []key, each each) error {
				return errors.Join(f.GetBatch(c, keys, each), f.GetBatch(c, keys, each))
			}
		})},
		{"a batch goes on after the end", "GetBatch", "want that error after 1", by(func(b *broken) {
			b.getBatch = func(f full, c ctx, keys []key, each each) error {
				var last error
				err := f.GetBatch(c, keys, func(i int, e entry, err error) error { last = each(i, e, err); return nil })
				return errors.Join(err, last)
			}
		})},
		{"a batch names nobody", "F15 PutBatch", "want an *interfaces.BatchError", by(func(b *broken) {
			b.putBatch = func(f full, c ctx, items []interfaces.Item) error {
				for _, item := range items {
					if err := f.Put(c, item.Key, item.Entry); err != nil {
						return err
					}
				}
				return nil
			}
		})},
		{"a batch is all or nothing", "F15 PutBatch", "want body", by(func(b *broken) {
			b.putBatch = func(f full, c ctx, items []interfaces.Item) error {
				err := f.PutBatch(c, items)
				for i := 0; err != nil && i < len(items); i++ {
					_ = f.Delete(c, items[i].Key)
				}
				return err
			}
		})},
		{"never answers", "Ping and Consistency", "Ping of a cache that works", by(func(b *broken) {
			b.ping = func(full, ctx) error { return errors.New("no answer") }
		})},
		{"claims consistency", "Ping and Consistency", "strong without Inserter", by(func(b *broken) { b.insert = unsupportedInsert })},
		{"damage is a hit", "T7 damage is a miss", "no error", by(func(b *broken) {
			b.get = func(f full, c ctx, k key) (entry, error) {
				e, err := f.Get(c, k)
				if errors.Is(err, cacheerr.ErrDamaged) {
					return interfaces.Text("damaged").WithHead(head{Time: time.Now().UTC()}), nil
				}
				return e, err
			}
		})},
		{"damage is absence", "T7 damage is a miss", "is damaged", by(func(b *broken) {
			b.get = func(f full, c ctx, k key) (entry, error) {
				e, err := f.Get(c, k)
				if errors.Is(err, cacheerr.ErrMiss) {
					err = cacheerr.ErrMiss
				}
				return e, err
			}
		})},
		{"damage stays", "T7 damage is a miss", "Stat after damage was found", by(func(b *broken) {
			damaged := make(map[key]head)
			b.get = func(f full, c ctx, k key) (entry, error) {
				h, _ := f.Stat(c, k)
				e, err := f.Get(c, k)
				if errors.Is(err, cacheerr.ErrDamaged) {
					damaged[k] = h
				}
				return e, err
			}
			b.stat = func(f full, c ctx, k key) (head, error) {
				if h, ok := damaged[k]; ok {
					return h, nil
				}
				return f.Stat(c, k)
			}
		})},
		{"does not notice that it is closed", "T10 closed cache", "want [the cache is closed", by(func(b *broken) {
			b.close = func(full) error { return nil }
		})},
		{"closes once", "T10 closed cache", "second Close", by(func(b *broken) {
			closed := false
			b.close = func(f full) error {
				if closed {
					return cacheerr.ErrClosed
				}
				closed = true
				return f.Close()
			}
		})},
		{"does not look at the context", "T10 cancelled context", "Get: no error", by(func(b *broken) {
			b.get = func(f full, c ctx, k key) (entry, error) { return f.Get(context.WithoutCancel(c), k) }
		})},
		{"the fiftieth hit is a miss", "random operations against a model", "a miss, want body", by(func(b *broken) {
			hits := 0
			b.get = func(f full, c ctx, k key) (entry, error) {
				e, err := f.Get(c, k)
				if err == nil {
					hits++
				}
				if hits == 50 {
					return entry{}, errors.Join(e.Close(), cacheerr.ErrMiss)
				}
				return e, err
			}
		})},
		{"forgets on closing", "entries outlive the cache", "after reopening", cachetest.Config{
			Open:   openFull,
			Reopen: func(t *testing.T, _ interfaces.Cache) interfaces.Cache { return openFull(t) },
		}},
		{"trusts its receiver", "T10 nil cache", "Get of a nil cache panics", cachetest.Config{
			Open: func(t *testing.T) interfaces.Cache { return &pointed{newBroken(t, func(*broken) {})} },
		}},
	}
}

// pointed is a broken cache that can be nil.
type pointed struct{ broken }
