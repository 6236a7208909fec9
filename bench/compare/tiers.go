// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/maypok86/otter/v2"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memory"
)

// bench returns a competitor that runs a benchmark and compares nanoseconds for
// each operation. What it allocates is printed once.
func bench(name string, run func(b *testing.B)) competitor {
	said := false
	return competitor{name, func() (float64, error) {
		result := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			run(b)
		})
		if result.N == 0 {
			return 0, fmt.Errorf("the benchmark failed")
		}
		if !said {
			said = true
			fmt.Fprintf(os.Stderr, "%s: %d B and %d allocations for each operation\n", name, result.AllocedBytesPerOp(), result.AllocsPerOp())
		}
		return float64(result.T.Nanoseconds()) / float64(result.N), nil
	}}
}

func benchKeys(n int) []interfaces.Key {
	keys := make([]interfaces.Key, n)
	for i := range keys {
		keys[i] = encoding.RawKey(fmt.Append(nil, i))
	}
	return keys
}

// compareMemory compares hits of the memory tier with golang-lru and otter, on
// the same keys, from one goroutine and from as many as there are cores.
func compareMemory(rounds int) {
	const entries = 4096
	keys := benchKeys(entries)
	ctx := context.Background()
	entry := interfaces.Text(string(make([]byte, 64)))
	ours, err := memory.New(memory.Options{MaxBytes: 1 << 30})
	if err != nil {
		panic(err) // the options are right
	}
	theirs, err := lru.New[interfaces.Key, interfaces.Entry](entries)
	if err != nil {
		panic(err) // the size is right
	}
	other := otter.Must(&otter.Options[interfaces.Key, interfaces.Entry]{MaximumSize: 2 * entries})
	for _, key := range keys {
		if err := ours.Put(ctx, key, entry); err != nil {
			panic(err) // it fits
		}
		theirs.Add(key, entry)
		other.Set(key, entry)
	}
	gets := []struct {
		name string
		get  func(interfaces.Key) bool
	}{
		{"golang-lru", func(key interfaces.Key) bool { _, ok := theirs.Get(key); return ok }},
		{"tierce", func(key interfaces.Key) bool { _, err := ours.Get(ctx, key); return err == nil }},
		{"otter", func(key interfaces.Key) bool { _, ok := other.GetIfPresent(key); return ok }},
	}
	var single, parallel []competitor
	for _, g := range gets {
		single = append(single, bench(g.name, func(b *testing.B) {
			for i := range b.N {
				if !g.get(keys[i%entries]) {
					b.Fatal("a miss")
				}
			}
		}))
		parallel = append(parallel, bench(g.name, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if !g.get(keys[i%entries]) {
						b.Error("a miss")
						return
					}
				}
			})
		}))
	}
	base := []string{"golang-lru"}
	_ = table("Memory: Get hit, one goroutine", "ns", rounds, base, single...)
	_ = table(fmt.Sprintf("Memory: Get hit, %d goroutines", runtime.GOMAXPROCS(0)), "ns", rounds, base, parallel...)
}

// compareDisk compares the disk tier with the system calls that it stands for.
func compareDisk(ctx context.Context, rounds int) error {
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20} {
		if err := compareDiskAt(ctx, rounds, size); err != nil {
			return err
		}
	}
	return nil
}

const diskEntries = 256

func compareDiskAt(ctx context.Context, rounds, size int) error {
	dir, err := os.MkdirTemp("", "tierce-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the system's temporary directory
	d := &disk{ctx: ctx, dir: dir, body: bytes.Repeat([]byte("tierce. "), size/8), keys: benchKeys(diskEntries)}
	if err := d.prepare(); err != nil {
		return err
	}
	title := fmt.Sprintf("Disk, %d KiB: ", size>>10)
	if err := table(title+"Get, every byte read", "ns", rounds, []string{"os.ReadFile"},
		bench("os.ReadFile", d.readFile),
		bench("open and pread into a reused buffer", d.pread),
		bench("tierce", d.get(d.first)),
		bench("tierce, verified at each read", d.get(d.always)),
	); err != nil {
		return err
	}
	return table(title+"Put", "ns", rounds, []string{"temp file, write, rename"},
		bench("temp file, write, rename", d.rename),
		bench("tierce", d.put),
	)
}

type disk struct {
	ctx           context.Context
	dir           string
	body          []byte
	keys          []interfaces.Key
	paths         []string
	first, always *filestream.Cache
	n             int // of new names
}

func (d *disk) prepare() (err error) {
	if d.first, err = filestream.Open(d.ctx, filepath.Join(d.dir, "first"), filestream.Options{}); err != nil {
		return err
	}
	if d.always, err = filestream.Open(d.ctx, filepath.Join(d.dir, "always"), filestream.Options{Verify: filestream.VerifyAlways}); err != nil {
		return err
	}
	for _, key := range d.keys {
		path := d.path("plain", key)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, d.body, 0o600); err != nil {
			return err
		}
		d.paths = append(d.paths, path)
		for _, c := range []*filestream.Cache{d.first, d.always} {
			if err := c.Put(d.ctx, key, interfaces.Bytes(d.body)); err != nil {
				return err
			}
		}
	}
	for i := range 256 { // both sides find their directories made
		for _, side := range []string{"renamed", "first/entries", "always/entries"} {
			if err := os.MkdirAll(filepath.Join(d.dir, side, fmt.Sprintf("%02x", i)), 0o700); err != nil {
				return err
			}
		}
	}
	return os.MkdirAll(filepath.Join(d.dir, "tmp"), 0o700)
}

func (d *disk) path(folder string, key interfaces.Key) string {
	name := key.String()
	return filepath.Join(d.dir, folder, name[:2], name[2:])
}

func (d *disk) readFile(b *testing.B) {
	for i := range b.N {
		if _, err := os.ReadFile(d.paths[i%diskEntries]); err != nil {
			b.Fatal(err)
		}
	}
}

func (d *disk) pread(b *testing.B) {
	buf := make([]byte, len(d.body))
	for i := range b.N {
		file, err := os.Open(d.paths[i%diskEntries])
		if err != nil {
			b.Fatal(err)
		}
		if _, err := file.ReadAt(buf, 0); err != nil {
			b.Fatal(err)
		}
		_ = file.Close()
	}
}

func (d *disk) get(c *filestream.Cache) func(b *testing.B) {
	return func(b *testing.B) {
		buf := make([]byte, 0, len(d.body))
		for i := range b.N {
			entry, err := c.Get(d.ctx, d.keys[i%diskEntries])
			if err != nil {
				b.Fatal(err)
			}
			if text, ok := entry.Text(); ok { // read already
				if len(text) != len(d.body) {
					b.Fatal("a part")
				}
			} else if buf, err = entry.AppendTo(buf[:0]); err != nil {
				b.Fatal(err)
			}
			_ = entry.Close()
		}
	}
}

// next returns a key that was not stored before: a new file each time.
func (d *disk) next() interfaces.Key {
	d.n++
	return encoding.RawKey(fmt.Append(nil, "new", d.n))
}

func (d *disk) put(b *testing.B) {
	for range b.N {
		entry := interfaces.Stream(bytes.NewReader(d.body), int64(len(d.body)))
		if err := d.first.Put(d.ctx, d.next(), entry); err != nil {
			b.Fatal(err)
		}
	}
}

func (d *disk) rename(b *testing.B) {
	for range b.N {
		file, err := os.CreateTemp(filepath.Join(d.dir, "tmp"), "")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := file.Write(d.body); err != nil {
			b.Fatal(err)
		}
		if err := file.Close(); err != nil {
			b.Fatal(err)
		}
		if err := os.Rename(file.Name(), d.path("renamed", d.next())); err != nil {
			b.Fatal(err)
		}
	}
}
