// SPDX-License-Identifier: Apache-2.0

package boltindex_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/boltindex"
	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
)

// newIndex returns an index that is checked when the test ends.
func newIndex(t testing.TB, opts boltindex.Options) (x *boltindex.Index, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "index")
	x = boltindex.New(path, opts)
	t.Cleanup(func() {
		if err := x.Check(context.Background()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Check: %v", err)
		}
	})
	return x, path
}

func key(n int) interfaces.Key { return encoding.RawKey(fmt.Append(nil, n)) }

// record is of an entry of a block, used at n.
func record(n int) boltindex.Record {
	return boltindex.Record{Key: key(n), Disk: 4096, Used: int64(n), Stored: int64(n), Boot: 7, Checksum: interfaces.Checksum{byte(n)}}
}

func stored(n int) boltindex.Change {
	return boltindex.Change{Kind: boltindex.Stored, Record: record(n)}
}

func used(n int, at int64) boltindex.Change {
	return boltindex.Change{Kind: boltindex.Used, Record: boltindex.Record{Key: key(n), Used: at}}
}

func removed(n int, at int64) boltindex.Change {
	return boltindex.Change{Kind: boltindex.Removed, Record: boltindex.Record{Key: key(n), Stored: at}}
}

func storedAll(from, to int) []boltindex.Change {
	var changes []boltindex.Change
	for n := from; n < to; n++ {
		changes = append(changes, stored(n))
	}
	return changes
}

func apply(t testing.TB, x *boltindex.Index, changes ...boltindex.Change) {
	t.Helper()
	if err := x.Apply(t.Context(), changes); err != nil {
		t.Fatalf("Apply: %v", err)
	}
}

func status(t testing.TB, x *boltindex.Index) boltindex.Status {
	t.Helper()
	s, err := x.Status(t.Context())
	if err != nil {
		t.Fatalf("Status: %v", err)
	}
	return s
}

// wantTotals checks the sums, and with them that Status needs no scan.
func wantTotals(t testing.TB, x *boltindex.Index, entries int64) {
	t.Helper()
	if got, want := status(t, x).Totals, (boltindex.Totals{Entries: entries, Bytes: 4096 * entries}); got != want {
		t.Errorf("totals %+v, want %+v", got, want)
	}
}

// oldest returns the times of the n oldest after a position.
func oldest(t testing.TB, x *boltindex.Index, after boltindex.Position, n int) (times []int64) {
	t.Helper()
	records, err := x.Oldest(t.Context(), after, n)
	if err != nil {
		t.Fatalf("Oldest: %v", err)
	}
	for _, r := range records {
		times = append(times, r.Used)
	}
	return times
}

func wantTimes(t testing.TB, got []int64, want ...int64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("used at %v, want %v", got, want)
	}
}

func TestApply(t *testing.T) {
	t.Run("stored, used, removed", func(t *testing.T) {
		x, _ := newIndex(t, boltindex.Options{})
		apply(t, x, storedAll(1, 6)...)
		wantTotals(t, x, 5)
		wantTimes(t, oldest(t, x, boltindex.Position{}, 9), 1, 2, 3, 4, 5)
		apply(t, x, used(2, 20), removed(4, 4), removed(77, 100), used(78, 100))
		wantTotals(t, x, 4)
		wantTimes(t, oldest(t, x, boltindex.Position{}, 9), 1, 3, 5, 20)
		wantTimes(t, oldest(t, x, boltindex.Position{}, 2), 1, 3)
	})
	t.Run("a record keeps everything", func(t *testing.T) {
		x, _ := newIndex(t, boltindex.Options{})
		apply(t, x, stored(3))
		got, err := x.Oldest(t.Context(), boltindex.Position{}, 1)
		if err != nil || len(got) != 1 || got[0] != record(3) {
			t.Errorf("Oldest: %+v and error %v, want %+v", got, err, record(3))
		}
	})
	t.Run("a replaced entry is counted once and keeps its use", func(t *testing.T) {
		x, _ := newIndex(t, boltindex.Options{})
		apply(t, x, stored(1), used(1, 50))
		again := stored(1)
		again.Stored, again.Disk, again.Used = 40, 8192, 40
		apply(t, x, again)
		if got := status(t, x).Totals; got != (boltindex.Totals{Entries: 1, Bytes: 8192}) {
			t.Errorf("totals %+v", got)
		}
		wantTimes(t, oldest(t, x, boltindex.Position{}, 9), 50)
	})
	t.Run("what is told late does not undo what is newer", func(t *testing.T) {
		x, _ := newIndex(t, boltindex.Options{})
		again := stored(1)
		again.Stored = 100
		apply(t, x, again)
		apply(t, x, removed(1, 99), stored(1), used(1, 0))
		got, err := x.Oldest(t.Context(), boltindex.Position{}, 1)
		if err != nil || len(got) != 1 || got[0] != again.Record {
			t.Errorf("Oldest: %+v and error %v, want %+v", got, err, again.Record)
		}
	})
	t.Run("uses closer together than Exact are one", func(t *testing.T) {
		x, _ := newIndex(t, boltindex.Options{Exact: 10})
		apply(t, x, stored(1))
		apply(t, x, used(1, 10))
		wantTimes(t, oldest(t, x, boltindex.Position{}, 9), 1)
		apply(t, x, used(1, 11))
		wantTimes(t, oldest(t, x, boltindex.Position{}, 9), 11)
	})
	t.Run("an ended context", func(t *testing.T) {
		x, _ := newIndex(t, boltindex.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := x.Apply(ctx, storedAll(0, 2)); !errors.Is(err, context.Canceled) {
			t.Errorf("Apply: %v", err)
		}
	})
}

func TestOldest(t *testing.T) {
	x, _ := newIndex(t, boltindex.Options{})
	const n = 600
	changes := storedAll(0, n)
	for i := range changes { // many of one time, so that the key decides
		changes[i].Used = int64(i / 7)
	}
	apply(t, x, changes...)
	want := slices.SortedFunc(slices.Values(changes), func(a, b boltindex.Change) int {
		return cmp.Or(cmp.Compare(a.Used, b.Used), bytes.Compare(a.Key[:], b.Key[:]))
	})
	for _, step := range []int{1, 13, n + 1} {
		t.Run(fmt.Sprint("by ", step), func(t *testing.T) {
			var got []boltindex.Record
			for after := (boltindex.Position{}); ; {
				some, err := x.Oldest(t.Context(), after, step)
				if err != nil {
					t.Fatal(err)
				}
				if len(some) == 0 {
					break
				}
				got, after = append(got, some...), some[len(some)-1].Position()
			}
			if len(got) != n {
				t.Fatalf("%d records, want %d", len(got), n)
			}
			for i, r := range got {
				if r != want[i].Record {
					t.Fatalf("record %d is %+v, want %+v", i, r, want[i].Record)
				}
			}
		})
	}
}

// inShard returns the records of 0 to n that are of a shard.
func inShard(n int, shard byte) (records []boltindex.Record) {
	for i := range n {
		if r := record(i); r.Key[0] == shard {
			records = append(records, r)
		}
	}
	return records
}

func TestReconcile(t *testing.T) {
	const n = 5000
	t.Run("an index is filled shard by shard", func(t *testing.T) {
		x, _ := newIndex(t, boltindex.Options{})
		for s := range boltindex.Shards {
			if x.Reconcile(t.Context(), []byte{byte(s)}, inShard(n, byte(s))) != nil || status(t, x).Complete() != (s == 255) {
				t.Fatalf("after shard %d: %+v", s, status(t, x))
			}
		}
		wantTotals(t, x, n)
		wantTimes(t, oldest(t, x, boltindex.Position{}, 3), 0, 1, 2)
	})
	t.Run("several shards at once", func(t *testing.T) {
		x, _ := newIndex(t, boltindex.Options{})
		apply(t, x, storedAll(0, n)...)
		all := make([]byte, boltindex.Shards)
		for s := range all {
			all[s] = byte(s)
		}
		first, last := inShard(n, 0), inShard(n, 255)
		if err := x.Reconcile(t.Context(), all, slices.Concat(last, first)); err != nil {
			t.Fatal(err)
		}
		wantTotals(t, x, int64(len(first)+len(last)))
		if !status(t, x).Complete() {
			t.Error("the index is not complete")
		}
	})
	t.Run("files are the truth, but for uses", testFilesAreTheTruth)
}

func testFilesAreTheTruth(t *testing.T) {
	const n = 5000
	shard := key(0)[0]
	x, _ := newIndex(t, boltindex.Options{})
	apply(t, x, storedAll(0, n)...)
	files := inShard(n, shard)
	gone, replaced, read := files[0], files[1], files[2]
	apply(t, x, boltindex.Change{Kind: boltindex.Used, Record: boltindex.Record{Key: replaced.Key, Used: 10 * n}})
	apply(t, x, boltindex.Change{Kind: boltindex.Used, Record: boltindex.Record{Key: read.Key, Used: 20 * n}})
	files = files[1:]
	files[0].Disk, files[0].Stored, files[0].Used = 8192, 2*n, 2*n
	added := boltindex.Record{Key: interfaces.Key{shard, 1, 2}, Disk: 512, Used: 9, Stored: 9}
	files = append(files, added)
	if err := x.Reconcile(t.Context(), []byte{shard}, slices.Clone(files)); err != nil {
		t.Fatal(err)
	}
	got, err := x.Shard(t.Context(), shard)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(files)
	for i := range want {
		if want[i].Key == read.Key {
			want[i].Used = 20 * n
		}
	}
	slices.SortFunc(want, func(a, b boltindex.Record) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	if !slices.Equal(got, want) {
		t.Errorf("the shard holds %d records, want %d: %+v, %+v", len(got), len(want), got[:3], want[:3])
	}
	if slices.ContainsFunc(got, func(r boltindex.Record) bool { return r.Key == gone.Key }) {
		t.Error("a file that is gone is in the index")
	}
	if got := status(t, x).Entries; got != n {
		t.Errorf("%d entries, want %d: one went, one came", got, n)
	}
}

// TestModel compares the index with a map after random changes.
func TestModel(t *testing.T) {
	x, _ := newIndex(t, boltindex.Options{})
	model := make(map[interfaces.Key]boltindex.Record)
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 30 {
		var changes []boltindex.Change
		for i := range 300 {
			n, at := random.IntN(1000), int64(1000*round+i)
			change := boltindex.Change{Kind: boltindex.Stored, Record: record(n)}
			change.Stored, change.Used, change.Disk = at, at, int64(random.IntN(9))*4096
			old, known := model[change.Key]
			switch random.IntN(3) {
			case 0:
				change.Used = max(at, old.Used)
				model[change.Key] = change.Record
			case 1:
				change = used(n, at)
				if known {
					old.Used = at
					model[change.Key] = old
				}
			case 2:
				change = removed(n, at)
				delete(model, change.Key)
			}
			changes = append(changes, change)
		}
		apply(t, x, changes...)
	}
	got := make(map[interfaces.Key]boltindex.Record)
	var sum boltindex.Totals
	for s := range boltindex.Shards {
		records, err := x.Shard(t.Context(), byte(s))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			got[r.Key] = r
			sum.Entries++
			sum.Bytes += r.Disk
		}
	}
	if !maps.Equal(got, model) {
		t.Errorf("%d records, want the %d of the model", len(got), len(model))
	}
	if totals := status(t, x).Totals; totals != sum {
		t.Errorf("totals %+v, want %+v", totals, sum)
	}
}

func TestMissing(t *testing.T) {
	t.Run("nothing is made by looking", func(t *testing.T) {
		x, path := newIndex(t, boltindex.Options{})
		if _, err := x.Status(t.Context()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Status: %v", err)
		}
		if _, err := x.Oldest(t.Context(), boltindex.Position{}, 1); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Oldest: %v", err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("there is a file: %v", err)
		}
	})
	t.Run("the first write makes it and says so", func(t *testing.T) {
		now := time.Unix(12345, 0)
		x, path := newIndex(t, boltindex.Options{Clock: func() time.Time { return now }})
		apply(t, x, stored(1))
		if s := status(t, x); s.Why != "there was none" || !s.Made.Equal(now) || s.FileBytes <= 0 || s.Complete() {
			t.Errorf("Status: %+v", s)
		}
		names, err := filepath.Glob(path + "*")
		if err != nil || len(names) != 3 { // with the lock and the proof
			t.Errorf("files %v and error %v", names, err)
		}
	})
	t.Run("a missing directory is an error", func(t *testing.T) {
		x := boltindex.New(filepath.Join(t.TempDir(), "none", "index"), boltindex.Options{})
		if err := x.Apply(t.Context(), storedAll(0, 1)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Apply: %v", err)
		}
	})
}

func TestCompact(t *testing.T) {
	x, _ := newIndex(t, boltindex.Options{})
	const n = 30000
	apply(t, x, storedAll(0, n)...)
	full := status(t, x)
	var gone []boltindex.Change
	for i := range n - 10 {
		gone = append(gone, removed(i, n))
	}
	apply(t, x, gone...)
	apply(t, x, used(n-1, 2*n)) // which finds it sparse
	apply(t, x, used(n-1, 3*n))
	after := status(t, x)
	if after.FileBytes*10 > full.FileBytes || after.Entries != 10 || after.Why != full.Why {
		t.Errorf("full %+v, then %+v", full.Totals, after.Totals)
		t.Errorf("the file takes %d bytes, and took %d when it was full", after.FileBytes, full.FileBytes)
	}
	wantTimes(t, oldest(t, x, boltindex.Position{}, 2), n-10, n-9)
}

func TestChanges(t *testing.T) {
	var text []byte
	changes := []boltindex.Change{stored(1), used(2, 9), removed(3, 10)}
	for _, change := range changes {
		text = boltindex.AppendChange(text, change)
	}
	if len(text) != 3*boltindex.ChangeSize {
		t.Errorf("%d bytes, want %d", len(text), 3*boltindex.ChangeSize)
	}
	if got := slices.Collect(boltindex.ParseChanges(text)); !slices.Equal(got, changes) {
		t.Errorf("parsed %+v, want %+v", got, changes)
	}
	torn := slices.Concat(text[:boltindex.ChangeSize], text[boltindex.ChangeSize:][:17], text[2*boltindex.ChangeSize:])
	if got := slices.Collect(boltindex.ParseChanges(torn)); len(got) != 2 || got[0] != changes[0] || got[1] != changes[2] {
		t.Errorf("of a torn one: %+v, want the first and the last", got)
	}
}

func FuzzParseChanges(f *testing.F) {
	f.Add([]byte(nil), 0)
	f.Add([]byte("s"), 3)
	f.Add([]byte(strings.Repeat("r", 2*boltindex.ChangeSize)), 5)
	f.Fuzz(func(t *testing.T, junk []byte, n int) {
		for range boltindex.ParseChanges(junk) { // must end
		}
		// Whatever stands before it, a change is found.
		text := boltindex.AppendChange(slices.Clone(junk), stored(n))
		found := slices.Collect(boltindex.ParseChanges(text))
		if len(found) == 0 || found[len(found)-1] != stored(n) {
			t.Errorf("%d bytes of junk hide a change", len(junk))
		}
	})
}
