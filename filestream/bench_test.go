// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
)

var sizes = []int{4 << 10, 64 << 10, 1 << 20}

func openBench(b *testing.B, opts filestream.Options) *filestream.Cache {
	b.Helper()
	c, err := filestream.Open(b.Context(), b.TempDir(), opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c
}

func benchKey(i int) interfaces.Key { return encoding.RawKey(fmt.Append(nil, i)) }

// BenchmarkGet reads every byte of entries, beside os.ReadFile on files of the
// same size.
func BenchmarkGet(b *testing.B) {
	const entries = 64
	for _, size := range sizes {
		body := bytes.Repeat([]byte("x"), size)
		for _, policy := range []filestream.Verify{filestream.VerifyFirstRead, filestream.VerifyAlways} {
			b.Run(fmt.Sprintf("%d/tierce-%s", size, policy), func(b *testing.B) {
				c := openBench(b, filestream.Options{Verify: policy})
				for i := range entries {
					if err := c.Put(b.Context(), benchKey(i), interfaces.Bytes(body)); err != nil {
						b.Fatal(err)
					}
				}
				keys := make([]interfaces.Key, entries)
				for i := range keys {
					keys[i] = benchKey(i)
				}
				buf := make([]byte, 0, size)
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for i := 0; b.Loop(); i++ {
					entry, err := c.Get(context.Background(), keys[i%entries])
					if err != nil {
						b.Fatal(err)
					}
					if _, ok := entry.Text(); !ok {
						if buf, err = entry.AppendTo(buf[:0]); err != nil {
							b.Fatal(err)
						}
					}
					if err := entry.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(fmt.Sprintf("%d/os.ReadFile", size), func(b *testing.B) {
			dir := b.TempDir()
			paths := make([]string, entries)
			for i := range paths {
				key := benchKey(i).String()
				paths[i] = filepath.Join(dir, key[:2], key[2:])
				_ = os.MkdirAll(filepath.Dir(paths[i]), 0o700)
				if err := os.WriteFile(paths[i], body, 0o644); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				if _, err := os.ReadFile(paths[i%entries]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPut stores new entries, beside temp file, write and rename.
func BenchmarkPut(b *testing.B) {
	for _, size := range sizes {
		body := bytes.Repeat([]byte("x"), size)
		b.Run(fmt.Sprintf("%d/tierce", size), func(b *testing.B) {
			c := openBench(b, filestream.Options{})
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				if err := c.Put(context.Background(), benchKey(i%4096), interfaces.Stream(bytes.NewReader(body), int64(size))); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("%d/rename", size), func(b *testing.B) {
			dir := b.TempDir()
			_ = os.Mkdir(filepath.Join(dir, "tmp"), 0o700)
			for i := range 256 {
				_ = os.Mkdir(filepath.Join(dir, fmt.Sprintf("%02x", i)), 0o700)
			}
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				key := benchKey(i % 4096).String()
				file, err := os.CreateTemp(filepath.Join(dir, "tmp"), "")
				if err != nil {
					b.Fatal(err)
				}
				if _, err := file.Write(body); err != nil {
					b.Fatal(err)
				}
				if err := file.Close(); err != nil {
					b.Fatal(err)
				}
				if err := os.Rename(file.Name(), filepath.Join(dir, key[:2], key[2:])); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
