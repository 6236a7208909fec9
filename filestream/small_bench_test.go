// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
)

// packed is the least that a pack of small entries could do: an open file that
// records are appended to, and a table of buckets in another that says where
// they are. It checks nothing, takes no space back and survives no crash.
type packed struct {
	pack, table *os.File
	end         int64
	record      [128]byte
	bucket      [64]byte // four slots of eight bytes of key and eight of place
}

func newPacked(b *testing.B) *packed {
	b.Helper()
	dir, p := b.TempDir(), new(packed)
	for name, file := range map[string]**os.File{"pack": &p.pack, "table": &p.table} {
		opened, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = opened.Close() })
		*file = opened
	}
	return p
}

func (p *packed) at(key interfaces.Key) int64 {
	return int64(binary.LittleEndian.Uint64(key[:])%(1<<18)) * int64(len(p.bucket))
}

func (p *packed) put(key interfaces.Key) error {
	copy(p.record[:], key[:])
	if _, err := p.pack.WriteAt(p.record[:], p.end); err != nil {
		return err
	}
	at := p.at(key)
	_, _ = p.table.ReadAt(p.bucket[:], at) // what is not there is empty
	slot := bytes.Index(p.bucket[:], make([]byte, 16)) &^ 15
	binary.LittleEndian.PutUint64(p.bucket[max(0, slot)+8:], uint64(p.end)+1)
	copy(p.bucket[max(0, slot):], key[8:16])
	p.end += int64(len(p.record))
	_, err := p.table.WriteAt(p.bucket[max(0, slot):][:16], at+int64(max(0, slot)))
	return err
}

func (p *packed) get(key interfaces.Key) error {
	_, _ = p.table.ReadAt(p.bucket[:], p.at(key)) // the last one may be short
	slot := max(0, bytes.Index(p.bucket[:], key[8:16]))
	_, err := p.pack.ReadAt(p.record[:], max(0, int64(binary.LittleEndian.Uint64(p.bucket[slot+8:]))-1))
	return err
}

// BenchmarkSmall stores and finds entries without a body, as the Go front end's
// records are, beside a pack (docs/design/016).
func BenchmarkSmall(b *testing.B) {
	const entries = 4096
	head := interfaces.Head{Tag: strings.Repeat("t", 32)}
	each := func(b *testing.B, do func(interfaces.Key) error) {
		b.Helper()
		for i := 0; b.Loop(); i++ {
			if err := do(benchKey(i % entries)); err != nil {
				b.Fatal(err)
			}
		}
	}
	fill := func(b *testing.B, put func(interfaces.Key) error) {
		b.Helper()
		for i := range entries {
			if err := put(benchKey(i)); err != nil {
				b.Fatal(err)
			}
		}
	}
	file := func(b *testing.B) (put, find func(interfaces.Key) error) {
		b.Helper()
		c := openBench(b, filestream.Options{})
		return func(key interfaces.Key) error {
				return c.Put(context.Background(), key, interfaces.Text("").WithHead(head))
			}, func(key interfaces.Key) error {
				_, err := c.Stat(context.Background(), key)
				return err
			}
	}
	pack := func(b *testing.B) (put, find func(interfaces.Key) error) {
		b.Helper()
		p := newPacked(b)
		return p.put, p.get
	}
	for name, kind := range map[string]func(*testing.B) (put, find func(interfaces.Key) error){"file": file, "pack": pack} {
		b.Run("put/"+name, func(b *testing.B) {
			put, _ := kind(b)
			each(b, put)
		})
		b.Run("find/"+name, func(b *testing.B) {
			put, find := kind(b)
			fill(b, put)
			each(b, find)
		})
	}
}
