// SPDX-License-Identifier: Apache-2.0

package cachetest_test

import (
	"errors"
	"io"
	"time"

	"github.com/tiercecache/tierce/interfaces"
)

// headFaults returns what can be wrong with heads.
func headFaults() []fault {
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
	}
}

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
