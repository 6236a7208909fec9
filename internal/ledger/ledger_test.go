// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/internal/ledger"
	"github.com/tiercecache/tierce/internal/lock"
	"github.com/tiercecache/tierce/tiers"
)

var day = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// newPath returns the path of a ledger that is not there yet.
func newPath(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "ledger.jsonl")
}

func add(t testing.TB, path string, lines ...ledger.Line) {
	t.Helper()
	for _, line := range lines {
		if err := ledger.Append(t.Context(), path, line); err != nil {
			t.Fatalf("Append: %v", err)
		}
	}
}

func sum(t testing.TB, path string) ledger.Line {
	t.Helper()
	line, err := ledger.Sum(t.Context(), path)
	if err != nil {
		t.Fatalf("Sum: %v", err)
	}
	return line
}

// gets is a line of n gets.
func gets(n int64) ledger.Line { return ledger.Line{Snapshot: tiers.Snapshot{Gets: n}} }

// found is a line that names n damaged entries, of about a kilobyte each.
func found(n int) ledger.Line {
	line := gets(1)
	for i := range n {
		line.Damaged = append(line.Damaged, ledger.Damaged{Time: day.Add(time.Duration(i)), What: fmt.Sprint(i, strings.Repeat(" damaged", 128))})
	}
	return line
}

func TestSum(t *testing.T) {
	path := newPath(t)
	first := ledger.Line{
		Snapshot: tiers.Snapshot{
			Gets: 3, Hits: 2, Misses: 1, Puts: 1, Errors: 1, HitBytes: 10, PutBytes: 5, SecondsSaved: 1.5,
			Tiers:       []tiers.TierSnapshot{{Name: "disk", Hits: 2, Misses: 1, Puts: 1, Errors: 1}},
			MissReasons: tiers.MissReasons{Damaged: 1}, Promotions: 1, Dropped: 1,
		},
		Since: day, Damaged: []ledger.Damaged{{Time: day, What: "first"}},
	}
	second := ledger.Line{
		Snapshot: tiers.Snapshot{Gets: 1, Misses: 1, Tiers: []tiers.TierSnapshot{{Name: "disk", Misses: 1}, {Name: "redis"}}, MissReasons: tiers.MissReasons{Absent: 1}},
		Since:    day.Add(-time.Hour), Damaged: []ledger.Damaged{{Time: day, What: "second"}},
	}
	add(t, path, first, second)
	want := ledger.Line{
		Snapshot: tiers.Snapshot{
			Gets: 4, Hits: 2, Misses: 2, Puts: 1, Errors: 1, HitBytes: 10, PutBytes: 5, SecondsSaved: 1.5,
			Tiers:       []tiers.TierSnapshot{{Name: "disk", Hits: 2, Misses: 2, Puts: 1, Errors: 1}, {Name: "redis"}},
			MissReasons: tiers.MissReasons{Damaged: 1, Absent: 1}, Promotions: 1, Dropped: 1,
		},
		Since: day.Add(-time.Hour), Damaged: []ledger.Damaged{{Time: day, What: "first"}, {Time: day, What: "second"}},
	}
	if got := sum(t, path); !reflect.DeepEqual(got, want) {
		t.Errorf("Sum\n%+v, want\n%+v", got, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the ledger is %v (%v), want it only for its user", info.Mode(), err)
	}
}

// TestSince: the sum began when the first did; who does not say does not count.
func TestSince(t *testing.T) {
	path := newPath(t)
	for _, step := range []struct{ since, want time.Time }{
		{time.Time{}, time.Time{}}, {day, day}, {day.Add(time.Hour), day}, {time.Time{}, day}, {day.Add(-1), day.Add(-1)},
	} {
		add(t, path, ledger.Line{Since: step.since})
		if got := sum(t, path).Since; !got.Equal(step.want) {
			t.Errorf("since %v after a line since %v, want %v", got, step.since, step.want)
		}
	}
}

// TestMissing: what is not there is empty, and makes nothing.
func TestMissing(t *testing.T) {
	path := newPath(t)
	text, err := json.Marshal(sum(t, path))
	if err != nil || !strings.HasPrefix(string(text), `{"gets":0,"hits":0,`) || strings.Contains(string(text), "null") {
		t.Errorf("as JSON %s (%v), want zeros and empty lists", text, err)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		t.Error(err)
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 0 {
		t.Errorf("Sum made %v", files)
	}
	if got, err := ledger.Sum(t.Context(), filepath.Join(path, "below", "a", "missing", "directory")); err != nil || got.Gets != 0 {
		t.Errorf("in a directory that is missing: %+v and %v, want nothing", got, err)
	}
}

// TestTorn: a line that cannot be read is left out, and costs no other.
func TestTorn(t *testing.T) {
	path := newPath(t)
	add(t, path, gets(1), gets(2))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(text) + 1 {
		if err := os.WriteFile(path, text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		// A line that has lost nothing but its line feed is whole.
		want := int64(4)
		if first := strings.IndexByte(string(text), '\n'); cut >= first {
			want++
		}
		if cut >= len(text)-1 {
			want += 2
		}
		add(t, path, gets(4))
		if got := sum(t, path).Gets; got != want {
			t.Errorf("cut at %d of %d: %d gets, want %d", cut, len(text), got, want)
		}
	}
	add(t, path, gets(8))
	for _, garbage := range []string{"\n\n", "not JSON\n", "{}\n", "[]\n", `{"gets":"x"}` + "\n", strings.Repeat("\x00", 2<<20) + "\n"} {
		before := sum(t, path).Gets
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.WriteString(garbage)
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
		add(t, path, gets(1))
		if got := sum(t, path).Gets; got != before+1 {
			t.Errorf("%d gets with %.20q in between, want %d", got, garbage, before+1)
		}
	}
}

// TestCompact: the file stays short, and the sum what it is.
func TestCompact(t *testing.T) {
	path := newPath(t)
	longest := int64(0)
	const lines = 100
	for range lines {
		add(t, path, found(10))
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		longest = max(longest, info.Size())
	}
	if longest < 200<<10 || longest > 300<<10 {
		t.Errorf("%d lines of 10 KiB made a file of up to %d bytes, want some 256 KiB", lines, longest)
	}
	got := sum(t, path)
	if got.Gets != lines || len(got.Damaged) != 20 {
		t.Errorf("%d gets and %d damaged entries, want %d and 20", got.Gets, len(got.Damaged), lines)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 2 { // and the lock's
		t.Errorf("files %v (%v), want the ledger and its lock", files, err)
	}
}

// TestDamaged: of many damaged entries the last are named, also when one process
// met them all.
func TestDamaged(t *testing.T) {
	path := newPath(t)
	add(t, path, found(150), found(3)) // too few to be compacted
	info, err := os.Stat(path)
	if err != nil || info.Size() > 64<<10 {
		t.Errorf("the ledger has %d bytes (%v), want no more than 23 damaged entries take", info.Size(), err)
	}
	got := sum(t, path).Damaged
	if len(got) != 20 {
		t.Fatalf("%d damaged entries are named, want 20", len(got))
	}
	for i, want := range []string{"133 ", "134 "} {
		if !strings.HasPrefix(got[i].What, want) {
			t.Errorf("place %d has %.10q, want %q", i, got[i].What, want)
		}
	}
	if last := got[19].What; !strings.HasPrefix(last, "2 ") {
		t.Errorf("the last is %.10q, want that of the last line", last)
	}
}

// TestLocked is L2: a ledger that a stranger keeps locked is given up after a
// second.
func TestLocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := newPath(t)
		add(t, path, gets(1))
		release, err := lock.Files(path+".lock").Acquire(t.Context(), lock.Try)
		if err != nil {
			t.Fatal(err)
		}
		for name, wait := range map[string]func() error{
			"Append": func() error { return ledger.Append(t.Context(), path, gets(1)) },
			"Sum":    func() error { _, err := ledger.Sum(t.Context(), path); return err },
		} {
			began := time.Now()
			err := wait()
			var timeout *cacheerr.FileLockTimeoutError
			if !errors.As(err, &timeout) || timeout.Path != path+".lock" || timeout.Timeout != 200*time.Millisecond {
				t.Errorf("%s: error %v, want a FileLockTimeoutError of 200 ms", name, err)
			}
			if took := time.Since(began); took != 200*time.Millisecond {
				t.Errorf("%s took %v, want 200 ms", name, took)
			}
		}
		release()
		add(t, path, gets(1))
		if got := sum(t, path).Gets; got != 2 {
			t.Errorf("%d gets, want the 2 that were not refused", got)
		}
	})
}

// TestErrors: what cannot be written is said, with the path.
func TestErrors(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ledger.Append(ctx, newPath(t), gets(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
	file := newPath(t)
	add(t, file, gets(1))
	for name, path := range map[string]string{
		"no directory": filepath.Join(newPath(t), "ledger"), "a file in place of one": filepath.Join(file, "ledger"),
		"a directory in place of the ledger": filepath.Dir(file),
	} {
		err := ledger.Append(t.Context(), path, gets(1))
		if !errors.As(err, new(*fs.PathError)) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want a PathError", name, err)
		}
	}
	if _, err := ledger.Sum(t.Context(), filepath.Dir(file)); !errors.As(err, new(*fs.PathError)) {
		t.Errorf("Sum of a directory: error %v, want a PathError", err)
	}
}

// FuzzSum: whatever a ledger has, it can be added up and added to, and lines
// that can be read count.
func FuzzSum(f *testing.F) {
	text, err := json.Marshal(found(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(text, '\n'))
	f.Add(text[:len(text)/2])
	f.Add([]byte(`{"gets":1}` + "\n" + `{"gets":2` + "\n\x00\x00\n" + `{"gets":4}`))
	f.Add([]byte("null\r\n\n[]\n\"x\"\n{}"))
	f.Add([]byte(`{"since":"yesterday"}` + "\n" + `{"tiers":null,"damaged_entries":[{},{}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := newPath(t)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		want := int64(0)
		for _, text := range strings.Split(string(content), "\n") {
			var line ledger.Line
			if json.Unmarshal([]byte(text), &line) == nil {
				want += line.Gets
			}
		}
		if got := sum(t, path).Gets; got != want {
			t.Errorf("%d gets, want %d", got, want)
		}
		add(t, path, gets(7))
		if got := sum(t, path).Gets; got != want+7 {
			t.Errorf("%d gets after a line with 7, want %d", got, want+7)
		}
	})
}

func ExampleSum() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, path := context.Background(), filepath.Join(dir, "ledger.jsonl")
	for range 3 { // three builds
		if err := ledger.Append(ctx, path, ledger.Line{Snapshot: tiers.Snapshot{Gets: 10, Hits: 9, Misses: 1}}); err != nil {
			fmt.Println(err)
		}
	}
	sum, err := ledger.Sum(ctx, path)
	fmt.Println(sum.Gets, sum.Hits, sum.Misses, err)
	// Output: 30 27 3 <nil>
}
