// SPDX-License-Identifier: Apache-2.0

package memo_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memo"
)

const golden = "testdata/dump1.txt"

// texts are results of all forms that a dump has.
var texts = map[string]string{
	"one line": `{"Tile":32}`, "empty": "", "lines": "first\n\tsecond\n\nlast\n", "break": "\n", "bytes": "\x00\xff\x80", "carriage": "a\r\nb", "blank": " ",
}

// fill records texts.
func fill(t testing.TB, r *memo.Recorder) {
	t.Helper()
	f := function(t, r, "example.text", raw())
	for name, text := range texts {
		_, err := f.Insert(t.Context(), name, text)
		mustDo(t, err)
	}
	_, err := f.Insert(t.Context(), strings.Repeat("long ", 1000), "parameters that are long are left out")
	mustDo(t, err)
}

func content(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	mustDo(t, err)
	return string(b)
}

// prepopulated opens a recorder that has nothing but a dump.
func prepopulated(t testing.TB, paths ...string) (*memo.Recorder, error) {
	t.Helper()
	return memo.OpenDeterministic(t.Context(), memo.DeterministicOptions{Mode: memo.StrictlyPrepopulated, Prepopulate: paths})
}

func TestDump(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "dump")
	r := open(t, newMemory(t), memo.DeterministicOptions{Dump: path})
	mustDo(t, r.Close(ctx))
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a recorder with nothing to dump made a file: %v", err)
	}
	fill(t, r)
	mustDo(t, r.Close(ctx))
	t.Run("R13 the format of the first release", func(t *testing.T) {
		if got := content(t, path); got != content(t, golden) {
			t.Errorf("the dump is\n%s", got)
		}
	})
	t.Run("R13 it pre-populates a later run, as it is", func(t *testing.T) {
		for _, path := range []string{path, golden} {
			r, err := prepopulated(t, path)
			mustDo(t, err)
			f := function(t, r, "example.text", raw())
			for name, text := range texts {
				got, err := f.Get(ctx, name)
				wantSame(t, got, err, text)
			}
			again := filepath.Join(t.TempDir(), "again")
			mustDo(t, r.Dump(ctx, again))
			if content(t, again) != content(t, golden) {
				t.Error("the dump of what was loaded is another")
			}
		}
	})
	t.Run("R13 a dump onto itself changes nothing", func(t *testing.T) {
		mustDo(t, os.Chmod(path, 0o444))
		before, err := os.Stat(path)
		mustDo(t, err)
		mustDo(t, r.Dump(ctx, path))
		after, err := os.Stat(path)
		if err != nil || !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
			t.Errorf("the file was replaced, %v", err)
		}
	})
}

// with returns a recorder that has recorded these results of f.
func with(t *testing.T, results map[int]int) *memo.Recorder {
	t.Helper()
	r := open(t, newMemory(t), memo.DeterministicOptions{})
	f := function(t, r, "f", memo.Settings[int, int]{})
	for params, result := range results {
		_, err := f.Insert(t.Context(), params, result)
		mustDo(t, err)
	}
	return r
}

func TestMerge(t *testing.T) {
	t.Run("R13 the union, whatever the order", testUnion)
	t.Run("R13 other bytes are a conflict that names the key", testConflict)
	t.Run("R13 a file that is no dump is left alone", testNoDump)
	t.Run("R13 many at once lose nothing", testManyDumps)
	t.Run("R13 where nothing can be written", testDumpNowhere)
}

func testUnion(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	one, two := with(t, map[int]int{1: 1, 2: 2}), with(t, map[int]int{2: 2, 3: 3})
	mustDo(t, errors.Join(one.Dump(ctx, dir+"/a"), two.Dump(ctx, dir+"/a"), two.Dump(ctx, dir+"/b"), one.Dump(ctx, dir+"/b")))
	if content(t, dir+"/a") != content(t, dir+"/b") || strings.Count(content(t, dir+"/a"), "\nentry ") != 3 {
		t.Errorf("%s\nand\n%s", content(t, dir+"/a"), content(t, dir+"/b"))
	}
}

func testConflict(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "dump")
	mustDo(t, with(t, map[int]int{1: 1, 2: 2}).Dump(ctx, path))
	before := content(t, path)
	err := with(t, map[int]int{0: 0, 2: 3}).Dump(ctx, path)
	e := wantError[*cacheerr.DeterministicCachingIMCDumpConflictError](t, err)
	if e.Path != path || !strings.Contains(before, "entry "+e.Key+"\nfunction: f\n") {
		t.Errorf("error %v, want the path and a key of it", e)
	}
	if content(t, path) != before {
		t.Error("the dump was touched")
	}
	other := filepath.Join(t.TempDir(), "dump")
	mustDo(t, with(t, map[int]int{2: 3}).Dump(ctx, other))
	_, err = prepopulated(t, path, other)
	wantError[*cacheerr.DeterministicCachingIMCDumpConflictError](t, err)
}

func testNoDump(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "notes")
	mustDo(t, os.WriteFile(path, []byte("notes\n"), 0o666))
	wantError[*memo.DumpError](t, with(t, map[int]int{1: 1}).Dump(ctx, path))
	wantSame(t, content(t, path), nil, "notes\n")
}

func testManyDumps(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	path, all := filepath.Join(dir, "dump"), sync.WaitGroup{}
	for i := range 20 {
		r := with(t, map[int]int{i: i, 100: 100})
		all.Go(func() {
			if err := r.Dump(ctx, path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := strings.Count(content(t, path), "\nentry "); n != 21 {
		t.Errorf("the dump has %d entries, want 21", n)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) != 0 || err != nil {
		t.Errorf("left over: %v", left)
	}
}

func testDumpNowhere(t *testing.T) {
	ctx := t.Context()
	err := with(t, map[int]int{1: 1}).Dump(ctx, filepath.Join(t.TempDir(), "none", "dump"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestBadDumps(t *testing.T) {
	good := content(t, golden)
	load := func(t *testing.T, text string) error {
		t.Helper()
		path := filepath.Join(t.TempDir(), "dump")
		mustDo(t, os.WriteFile(path, []byte(text), 0o666))
		_, err := prepopulated(t, path)
		return err
	}
	key := good[strings.Index(good, "entry ")+6:][:64]
	block := good[strings.Index(good, "entry "):][:strings.Index(good[strings.Index(good, "entry "):], "\n\n")+2]
	for name, test := range map[string]struct{ text, want string }{
		"a newer format":        {strings.Replace(good, "dump 1", "dump 2", 1), "format"},
		"another tool's file":   {"{\"a\": 1}\n", "does not begin"},
		"an empty file":         {"", "does not begin"},
		"a beginning":           {"tierce dump 1", "cut off"},
		"without its end":       {strings.TrimSuffix(good, "end\n"), "cut off"},
		"cut off within an end": {strings.TrimSuffix(good, "\n"), "cut off"},
		"more behind the end":   {good + "more\n", "behind"},
		"an entry twice":        {strings.Replace(good, block, block+block, 1), "twice"},
		"no entry":              {strings.Replace(good, "\nentry ", "\nentrance ", 1), "should begin"},
		"a short key":           {strings.Replace(good, key, key[:63], 1), "64 hex digits"},
	} {
		t.Run("R13 "+name, func(t *testing.T) {
			err := load(t, test.text)
			if e := wantError[*memo.DumpError](t, err); e != nil && (!strings.Contains(e.Error(), test.want) || e.Line < 1 || e.Path == "") {
				t.Errorf("error %v, want %q", e, test.want)
			}
			wantError[cacheerr.UserError](t, err)
		})
	}
	t.Run("R13 cut off anywhere", func(t *testing.T) {
		for n := range len(good) {
			if load(t, good[:n]) == nil {
				t.Fatalf("%d of %d bytes are a dump", n, len(good))
			}
		}
	})
	t.Run("R13 one byte changed in an entry names its key", func(t *testing.T) {
		for i := strings.Index(block, "\n"); i < len(block)-2; i++ {
			changed := []byte(block)
			changed[i] ^= 1
			err := load(t, strings.Replace(good, block, string(changed), 1))
			if e, ok := errors.AsType[*cacheerr.DeterministicCachingIMCDumpConflictError](err); ok && e.Key == key {
				continue
			}
			if _, ok := errors.AsType[*memo.DumpError](err); !ok || changed[i] != '\n' && block[i] != '\n' {
				t.Errorf("byte %d, %q for %q: error %v", i, changed[i], block[i], err)
			}
		}
	})
	t.Run("R13 a dump that is not there", func(t *testing.T) {
		if _, err := prepopulated(t, filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %v", err)
		}
	})
}

// FuzzLoad holds that a file either is refused with a documented error, or is
// what its dump says: loading and dumping it again gives a dump that loads the
// same.
func FuzzLoad(f *testing.F) {
	good, err := os.ReadFile(golden)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, text := range []string{"tierce dump 1\nend\n", "tierce dump 1\n\nentry x\n", "tierce dump 9\n", "\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		dumped, err := memo.Reload(text)
		if err != nil {
			_, isDump := errors.AsType[*memo.DumpError](err)
			_, isConflict := errors.AsType[*cacheerr.DeterministicCachingIMCDumpConflictError](err)
			if !isDump && !isConflict {
				t.Fatalf("error %T %v", err, err)
			}
			return
		}
		if again, err := memo.Reload(dumped); err != nil || !bytes.Equal(again, dumped) {
			t.Errorf("%q became %q, then %q, error %v", text, dumped, again, err)
		}
	})
}

// TestGoldenKeys holds that the golden dump is about the keys that it would be
// about today.
func TestGoldenKeys(t *testing.T) {
	for name := range texts {
		space := encoding.Keyspace{Namespace: "memo/deterministic"}
		key, err := space.Key([]byte("example.text"), []byte(name), []byte(isolationOfNothing))
		mustDo(t, err)
		if !strings.Contains(content(t, golden), "\nentry "+key.String()+"\n") {
			t.Errorf("R2 %s is not there under %s", name, interfaces.Key(key))
		}
	}
}
