// SPDX-License-Identifier: Apache-2.0

package memo_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/redistest"
	"github.com/tiercecache/tierce/memo"
	"github.com/tiercecache/tierce/redis"
)

// wantCollected collects from tier into path.
func wantCollected(t *testing.T, tier interfaces.Cache, path string, found, added int) {
	t.Helper()
	gotFound, gotAdded, err := memo.Collect(t.Context(), tier, path, nil)
	if err != nil || gotFound != found || gotAdded != added {
		t.Errorf("%d found, %d added, error %v; want %d and %d", gotFound, gotAdded, err, found, added)
	}
}

// collectors are tiers that synchronize.
func collectors(t *testing.T, test func(t *testing.T, tier interfaces.Cache)) {
	t.Run("disk", func(t *testing.T) {
		tier, err := filestream.Open(t.Context(), t.TempDir(), filestream.Options{})
		mustDo(t, err)
		t.Cleanup(func() { mustDo(t, tier.Close()) })
		test(t, tier)
	})
	t.Run("redis", func(t *testing.T) {
		tier, err := redis.Open(t.Context(), redis.Options{URL: redistest.Single(t).URL, Prefix: redistest.Prefix + "collect:"})
		mustDo(t, err)
		t.Cleanup(func() { mustDo(t, tier.Close()) })
		test(t, tier)
	})
}

func TestCollect(t *testing.T) {
	collectors(t, func(t *testing.T, tier interfaces.Cache) {
		ctx, path := t.Context(), filepath.Join(t.TempDir(), "dump")
		wantCollected(t, tier, path, 0, 0)
		if _, err := os.Stat(path); err == nil {
			t.Error("nothing to dump made a file")
		}
		fill(t, open(t, tier, memo.DeterministicOptions{}))
		fast := function(t, newFast(t, tier, memo.Options{}), "example.text", raw())
		_, err := fast.Insert(ctx, "a", "promised to nobody")
		mustDo(t, err)
		mustDo(t, tier.Put(ctx, interfaces.Key{1}, interfaces.Text("another's")))
		t.Run("R13 is the dump of those who recorded", func(t *testing.T) {
			wantCollected(t, tier, path, len(texts)+1, len(texts)+1)
			wantSame(t, content(t, path), nil, content(t, golden))
			wantCollected(t, tier, path, len(texts)+1, 0)
		})
		t.Run("R13 merges", func(t *testing.T) {
			f := function(t, open(t, tier, memo.DeterministicOptions{}), "f", memo.Settings[int, int]{})
			_, err := f.Insert(ctx, 1, 2)
			mustDo(t, err)
			wantCollected(t, tier, path, len(texts)+2, 1)
		})
		t.Run("R13 other bytes are a conflict that names the key", func(t *testing.T) {
			other := newMemory(t)
			_, err := function(t, open(t, other, memo.DeterministicOptions{}), "f", memo.Settings[int, int]{}).Insert(ctx, 1, 3)
			mustDo(t, err)
			before := content(t, path)
			_, _, err = memo.Collect(ctx, other, path, nil)
			e := wantError[*cacheerr.DeterministicCachingIMCDumpConflictError](t, err)
			if e != nil && !strings.Contains(before, "entry "+e.Key+"\nfunction: f\n") {
				t.Errorf("error %v, want a key of f", e)
			}
			wantSame(t, content(t, path), nil, before)
		})
	})
}

func TestCollectWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dump")
	t.Run("a tier that cannot list", func(t *testing.T) {
		if _, _, err := memo.Collect(t.Context(), struct{ interfaces.Cache }{newMemory(t)}, path, nil); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("error %v, want ErrUnsupported", err)
		}
	})
	t.Run("a caller that gives up", func(t *testing.T) {
		cache := newMemory(t)
		fill(t, open(t, cache, memo.DeterministicOptions{}))
		ctx, cancel := context.WithCancel(t.Context())
		_, _, err := memo.Collect(ctx, cache, path, func(int) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want that of the context", err)
		}
	})
	t.Run("a name that is too long for a tag is recorded all the same", func(t *testing.T) {
		cache := newMemory(t)
		f := function(t, open(t, cache, memo.DeterministicOptions{}), strings.Repeat("f", interfaces.MaxTag), memo.Settings[int, int]{})
		_, err := f.Insert(t.Context(), 1, 2)
		mustDo(t, err)
		got, err := f.Get(t.Context(), 1)
		wantSame(t, got, err, 2)
		wantCollected(t, cache, path, 0, 0)
	})
}

func TestReadDump(t *testing.T) {
	recordings, err := memo.ReadDump(golden)
	mustDo(t, err)
	if len(recordings) != len(texts)+1 {
		t.Fatalf("%d recordings, want %d", len(recordings), len(texts)+1)
	}
	for i, r := range recordings {
		want, known := texts[r.Params]
		if r.Params == "…" {
			want, known = "parameters that are long are left out", true
		}
		if !known || r.Result != want || r.Function != "example.text" || len(r.Isolation) != 32 {
			t.Errorf("got %+v", r)
		}
		if i > 0 && recordings[i-1].Key.String() >= r.Key.String() {
			t.Errorf("%s is before %s", recordings[i-1].Key, r.Key)
		}
	}
	changed := filepath.Join(t.TempDir(), "dump")
	mustDo(t, os.WriteFile(changed, []byte(strings.Replace(content(t, golden), `{"Tile":32}`, `{"Tile":33}`, 1)), 0o666))
	_, err = memo.ReadDump(changed)
	wantError[*cacheerr.DeterministicCachingIMCDumpConflictError](t, err)
}

// FuzzTag reads any tag: what is one of ours is the same when written again.
func FuzzTag(f *testing.F) {
	for _, tag := range []string{
		"", "tierce recording 1\n", "tierce recording 1\nfunction: f\nisolation: 0\nparams: 1\n\n", "tierce recording 1\nfunction: f\nisolation: 0\nparams:\n\ta\n\tb\n\n",
		"tierce recording 1\nfunction base64: AA==\nisolation:\nparams: …\n\n", "tierce recording 1\nfunction: f\nisolation: 0\nparams: 1\n\nmore",
	} {
		f.Add(tag)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		if again, ok := memo.ReadTag(tag); ok && again != tag {
			t.Errorf("%q is %q when written again", tag, again)
		}
	})
}
