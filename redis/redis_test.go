// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/redis"
)

// noise returns n bytes that do not compress.
func noise(seed uint64, n int64) string {
	b, _ := io.ReadAll(io.LimitReader(source(seed), n)) // never fails
	return string(b)
}

func source(seed uint64) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}) }

// TestInsertRace is R9 and T2: of four writers, in any topology, exactly one
// wins, and all read its bytes.
func TestInsertRace(t *testing.T) {
	const rounds, writers = 50, 4
	for _, topology := range topologies {
		for name, size := range map[string]int64{"small": 1000, "in chunks": 3 * chunk} {
			t.Run(topology.name+", "+name, func(t *testing.T) {
				opts := alone(topology.options(t))
				opts.ChunkSize = chunk
				var caches [writers]*redis.Cache // as of four machines
				for i := range caches {
					caches[i] = open(t, opts)
				}
				for round := range rounds {
					race(t, caches[:], interfaces.Key{1, byte(round)}, size)
				}
			})
		}
	}
}

func race(t *testing.T, caches []*redis.Cache, key interfaces.Key, size int64) {
	t.Helper()
	won, got := make([]bool, len(caches)), make([]string, len(caches))
	start := make(chan struct{})
	var all sync.WaitGroup
	for i, c := range caches {
		all.Go(func() {
			<-start
			var err error
			if won[i], err = c.Insert(t.Context(), key, interfaces.Text(noise(uint64(i), size))); err != nil {
				t.Errorf("Insert: %v", err)
			}
			if got[i], err = body(t, c, key); err != nil {
				t.Errorf("Get: %v", err)
			}
		})
	}
	close(start)
	all.Wait()
	winners := 0
	for i := range caches {
		if won[i] {
			winners++
			for _, text := range got {
				if text != noise(uint64(i), size) {
					t.Errorf("somebody read %d bytes that are not the winner's", len(text))
				}
			}
		}
	}
	if winners != 1 {
		t.Errorf("%d of %d writers were told that they won, want 1", winners, len(caches))
	}
}

// TestInsertMeanwhile is R15: what was in the way and went before it was looked
// at, as leases do, is no damage, however often it happens.
func TestInsertMeanwhile(t *testing.T) {
	const rounds, writers = 400, 6
	opts, key := alone(single(t)), interfaces.Key{1}
	var all sync.WaitGroup
	for range writers {
		c := open(t, opts)
		all.Go(func() {
			for range rounds {
				inserted, err := c.Insert(t.Context(), key, interfaces.Text("lease"))
				if err == nil && inserted {
					err = c.Delete(t.Context(), key)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestLargeEntry: 300 MiB go in and out, and the client takes 64 MiB for it.
// A process of its own is measured: the race detector's memory is not Go's.
func TestLargeEntry(t *testing.T) {
	if url := os.Getenv("TEST_LARGE_ENTRY"); url != "" {
		largeEntry(t, url)
		return
	}
	server := fleet.Single(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLargeEntry$")
	cmd.Env = append(os.Environ(), "TEST_LARGE_ENTRY="+server.URL)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// meter reads from r and looks at the memory of this process now and then.
type meter struct {
	r    io.Reader
	read int64
	peak *uint64
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if m.read += int64(n); m.read>>20 != (m.read-int64(n))>>20 {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		*m.peak = max(*m.peak, now.Sys-now.HeapReleased)
	}
	return n, err
}

func largeEntry(t *testing.T, url string) {
	const size, limit = 300 << 20, 64 << 20
	c := open(t, alone(redis.Options{URL: url}))
	t.Cleanup(func() { _ = c.Clear(t.Context()) })
	var peak uint64
	in := &meter{r: io.LimitReader(source(1), size), peak: &peak}
	if err := c.Put(t.Context(), key, interfaces.Stream(in, interfaces.SizeUnknown)); err != nil {
		t.Fatal(err)
	}
	entry, err := c.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if err := same(&meter{r: entry.Reader(), peak: &peak}, io.LimitReader(source(1), size)); err != nil || entry.Size != size {
		t.Errorf("%d bytes and error %v, want %d", entry.Size, err, size)
	}
	if peak > limit {
		t.Errorf("%d MiB of memory, want at most %d", peak>>20, limit>>20)
	}
	t.Logf("%d MiB of memory", peak>>20)
	if err := c.Delete(context.WithoutCancel(t.Context()), key); err != nil {
		t.Error(err)
	}
}

// same returns how two readers differ.
func same(got, want io.Reader) error {
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := int64(0); ; {
		n, err := io.ReadFull(got, a)
		m, wantErr := io.ReadFull(want, b)
		if n != m || !bytes.Equal(a[:n], b[:m]) || !errors.Is(err, wantErr) {
			return fmt.Errorf("behind %d bytes: %d bytes and error %v, want %d and %v", at, n, err, m, wantErr)
		}
		if at += int64(n); wantErr != nil {
			return nil
		}
	}
}

// TestLifetime: what was written together does not expire together, chunks not
// before what names them, and what has expired is absent.
func TestLifetime(t *testing.T) {
	opts := alone(single(t))
	opts.ChunkSize = chunk
	server := behind(t, opts)
	for jitter, want := range map[float64]time.Duration{0: 90 * time.Minute, 0.5: 100 * time.Minute, 0.999999: 110 * time.Minute} {
		opts.TTL, opts.Random = 100*time.Minute, func() float64 { return jitter }
		c := open(t, opts)
		for op, call := range map[string]func() error{
			"Put": func() error { return c.Put(t.Context(), key, interfaces.Text(noise(1, 3*chunk))) },
			"PutBatch": func() error {
				return c.PutBatch(t.Context(), []interfaces.Item{{Key: key, Entry: interfaces.Text(noise(1, 3*chunk))}})
			},
			"Insert": func() error {
				_ = c.Delete(t.Context(), key)
				_, err := c.Insert(t.Context(), key, interfaces.Text(noise(1, 3*chunk)))
				return err
			},
		} {
			if err := call(); err != nil {
				t.Fatal(err)
			}
			left := server.PTTL(t.Context(), server.name(key)).Val()
			if left > want || left < want-5*time.Minute { // of which a slow machine may have used some
				t.Errorf("%s with jitter %v: %v to live, want %v", op, jitter, left, want)
			}
			for _, name := range server.chunks(key) {
				if chunks := server.PTTL(t.Context(), name).Val(); chunks <= left {
					t.Errorf("%s: a chunk has %v to live, its entry %v", op, chunks, left)
				}
			}
		}
	}
	c := open(t, opts)
	if err := server.PExpire(t.Context(), server.name(key), 0).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), key); err != cacheerr.ErrMiss {
		t.Errorf("Get of what has expired: error %v, want a bare miss", err)
	}
}

// TestPrefix is T8 and what Clear may touch: entries of another prefix or
// version, and what is not this cache's at all, are neither seen nor removed.
func TestPrefix(t *testing.T) {
	for _, topology := range topologies {
		t.Run(topology.name, func(t *testing.T) {
			opts := alone(topology.options(t))
			c, server := open(t, opts), behind(t, opts)
			neighbour := alone(opts)
			n := open(t, neighbour)
			put(t, n, key, "the neighbour's")
			newer := opts.Prefix + "2:" + key.String()
			foreign := opts.Prefix + "1:not a key"
			server.set(newer, "of another version")
			server.set(foreign, "of another program")
			if _, err := c.Get(t.Context(), key); err != cacheerr.ErrMiss {
				t.Errorf("Get of a key that others have: error %v, want a bare miss", err)
			}
			put(t, c, key, "ours")
			put(t, c, other, "ours too")
			if n, err := interfaces.Len(t.Context(), c); n != 2 || err != nil {
				t.Errorf("Len is %d and error %v, want 2", n, err)
			}
			if err := c.Clear(t.Context()); err != nil {
				t.Error(err)
			}
			if n, err := interfaces.Len(t.Context(), c); n != 0 || err != nil {
				t.Errorf("Len after Clear is %d and error %v", n, err)
			}
			if got, err := body(t, n, key); got != "the neighbour's" || err != nil {
				t.Errorf("the neighbour's entry: %q and error %v", got, err)
			}
			if server.value(newer) != "of another version" || server.value(foreign) != "of another program" {
				t.Error("Clear has changed what is not this cache's")
			}
			used := ""
			if topology.name != "TLS and ACL" { // whose user may not ask
				used = server.Info(t.Context(), "commandstats").Val()
			}
			for _, never := range []string{"cmdstat_keys:", "cmdstat_flush"} {
				if strings.Contains(used, never) {
					t.Errorf("the server was told to %s", never)
				}
			}
		})
	}
}

// TestManyKeys: more than one pipeline's worth, of all sizes, in one batch.
func TestManyKeys(t *testing.T) {
	for _, topology := range []topology{topologies[0], topologies[4]} {
		t.Run(topology.name, func(t *testing.T) {
			opts := alone(topology.options(t))
			opts.ChunkSize = 256 << 10
			c := open(t, opts)
			const n = 1200
			items, keys := make([]interfaces.Item, 0, n), make([]interfaces.Key, 0, 2*n)
			for i := range n {
				key := interfaces.Key{9, byte(i), byte(i >> 8)}
				size := int64(i)
				if i%100 == 0 { // some beyond what a batch brings at once, and in chunks
					size = int64(i) << 10
				}
				items = append(items, interfaces.Item{Key: key, Entry: interfaces.Text(noise(uint64(i), size))})
				keys = append(keys, key, interfaces.Key{8, byte(i), byte(i >> 8)}) // every second is absent
			}
			if err := c.PutBatch(t.Context(), items); err != nil {
				t.Fatal(err)
			}
			asked := make([]int, len(keys))
			err := c.GetBatch(t.Context(), keys, func(i int, entry interfaces.Entry, err error) error {
				asked[i]++
				if i%2 == 1 {
					if err != cacheerr.ErrMiss {
						t.Errorf("key %d: error %v, want a bare miss", i, err)
					}
					return nil
				}
				if err != nil {
					t.Errorf("key %d: %v", i, err)
					return nil
				}
				got, err := entry.Bytes()
				if want, _ := items[i/2].Entry.Text(); string(got) != want || err != nil {
					t.Errorf("key %d: %d bytes and error %v, want %d", i, len(got), err, len(want))
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			for i, times := range asked {
				if times != 1 {
					t.Errorf("key %d was answered %d times", i, times)
				}
			}
		})
	}
}

// TestConsistency: what is promised is no more than what a failover keeps.
func TestConsistency(t *testing.T) {
	for want, all := range map[interfaces.Consistency][]redis.Options{
		interfaces.ConsistencyStrong: {{URL: "redis://one"}, {Addrs: []string{"one:1"}}, {URL: "unix:///socket"}},
		interfaces.ConsistencyEventual: {
			{URL: "redis://one?master=m"}, {URL: "redis://one?cluster=true"}, {URL: "redis://one?addr=two:1"},
			{Addrs: []string{"one:1", "two:1"}}, {Addrs: []string{"one:1"}, Cluster: true}, {Addrs: []string{"one:1"}, Master: "m"},
		},
	} {
		for _, opts := range all {
			if got := open(t, opts).Consistency(); got != want {
				t.Errorf("%+v: %v, want %v", opts, got, want)
			}
		}
	}
}
