// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

func stream(body string) interfaces.Entry {
	return interfaces.Stream(onlyReader{strings.NewReader(body)}, int64(len(body)))
}

func unsized(body string) interfaces.Entry {
	return interfaces.Stream(onlyReader{strings.NewReader(body)}, interfaces.SizeUnknown)
}

// wantIn fails the test unless exactly the layers of r named have key with body.
func wantIn(t *testing.T, r *rig, key interfaces.Key, body string, names ...string) {
	t.Helper()
	all := map[string]*fake{"near": r.near, "middle": r.middle, "far": r.far}
	for _, name := range names {
		want(t, all[name].full, key, body)
		delete(all, name)
	}
	for name, f := range all {
		if got, err := read(t, f.full, key); !same(err, cacheerr.ErrMiss) {
			t.Errorf("layer %s has %q (error %v), want nothing", name, got, err)
		}
	}
}

func TestPut(t *testing.T) {
	key, long := keyOf("key"), strings.Repeat("long ", 1000)
	small := func(layers []tiers.Layer) { layers[0].MaxBody = 10 }
	for _, test := range []struct {
		name   string
		entry  interfaces.Entry
		body   string
		policy func([]tiers.Layer)
		fault  func(*rig)
		in     []string
	}{
		{"text goes to every layer", interfaces.Text("body"), "body", nil, nil, []string{"near", "middle", "far"}},
		{"a stream goes to every layer", stream(long), long, nil, nil, []string{"near", "middle", "far"}},
		{"of unknown size too", unsized(long), long, nil, nil, []string{"near", "middle", "far"}},
		{"not to layers with a smaller limit", stream(long), long, small, nil, []string{"middle", "far"}},
		{"nor of unknown size", unsized(long), long, small, nil, []string{"middle", "far"}},
		{"of unknown size to a limited layer later", unsized("body"), "body", small, nil, []string{"near", "middle", "far"}},
		{"not to read-only layers", stream(long), long, func(l []tiers.Layer) { l[0].ReadOnly = true }, nil, []string{"middle", "far"}},
		{"a large stream goes to every layer", stream(large), large, nil, nil, []string{"near", "middle", "far"}},
		{"a large one of unknown size too", unsized(large), large, nil, nil, []string{"near", "middle", "far"}},
		{"a large one of unknown size not to limited layers", unsized(large), large, small, nil, []string{"middle", "far"}},
		{"of unknown size to a limited layer later", unsized(large), large, func(l []tiers.Layer) { l[0].MaxBody = 1 << 20 }, nil, []string{"near", "middle", "far"}},
		{"past a layer that refuses a large one", stream(large), large, nil, func(r *rig) { r.near.onPut = refuse }, []string{"middle", "far"}},
		{"past a layer that has read half of a small one", stream(long), long, nil, func(r *rig) { r.near.onPut = spoil }, []string{"middle", "far"}},
		{"past one that has read half of a large file", interfaces.Stream(strings.NewReader(large), int64(len(large))), large, nil, func(r *rig) { r.near.onPut = spoil }, []string{"middle", "far"}},
		{"the farthest may fail with a large one", stream(large), large, nil, func(r *rig) { r.far.onPut = spoil }, []string{"near", "middle"}},
		{"past a layer that refuses", stream(long), long, nil, func(r *rig) { r.near.onPut = refuse }, []string{"middle", "far"}},
		{"past one that has read half of text", interfaces.Text(long), long, nil, func(r *rig) { r.near.onPut = spoil }, []string{"middle", "far"}},
		{"past one that has read half of a file", interfaces.Stream(strings.NewReader(long), int64(len(long))), long, nil, func(r *rig) { r.near.onPut = spoil }, []string{"middle", "far"}},
		{"the farthest may fail", stream(long), long, nil, func(r *rig) { r.far.onPut = spoil }, []string{"near", "middle"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, func(layers []tiers.Layer) {
				if test.policy != nil {
					test.policy(layers)
				}
			})
			if test.fault != nil {
				test.fault(r)
			}
			if err := r.Put(t.Context(), key, test.entry); err != nil {
				t.Fatalf("Put: %v", err)
			}
			wantIn(t, r, key, test.body, test.in...)
			if n := max(r.near.puts.Load(), r.middle.puts.Load(), r.far.puts.Load()); n != 1 {
				t.Errorf("a layer was put to %d times, want once at most", n)
			}
		})
	}
}

// TestNothingOldAnswers is about layers that do not take an entry and have an
// older one under its key.
func TestNothingOldAnswers(t *testing.T) {
	key := keyOf("key")
	for name, fault := range map[string]func(*rig){
		"a layer that refuses":     func(r *rig) { r.near.onPut = refuse },
		"a layer that breaks off":  func(r *rig) { r.middle.onPut = spoil },
		"the farthest that failed": func(r *rig) { r.far.onPut = refuse },
	} {
		for how, write := range writesOf(key) {
			t.Run("T4 "+how+" and "+name, func(t *testing.T) {
				r := newRig(t)
				put(t, r, key, "old")
				fault(r)
				if err := write(t.Context(), r, "new, and longer"); err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				for _, f := range []*fake{r.near, r.middle, r.far} {
					if got, err := read(t, f.full, key); err == nil && got != "new, and longer" {
						t.Errorf("a layer still has %q", got)
					}
				}
				want(t, r, key, "new, and longer")
			})
		}
	}
	t.Run("T4 a layer with a limit", func(t *testing.T) {
		r := newRig(t, func(layers []tiers.Layer) { layers[0].MaxBody, layers[2].MaxBody = 5, 5 })
		for how, write := range writesOf(key) {
			put(t, r, key, "old")
			if err := write(t.Context(), r, "new, and longer"); err != nil {
				t.Fatalf("%s: %v", how, err)
			}
			wantIn(t, r, key, "new, and longer", "middle")
		}
	})
	t.Run("T10 layers that are not reached before the context ends", func(t *testing.T) {
		r := newRig(t)
		put(t, r, key, "old")
		ctx, cancel := context.WithCancel(t.Context())
		r.near.afterPut = cancel
		if err := r.Put(ctx, key, stream("new")); err != nil {
			t.Errorf("Put whose context ends when a layer has the entry: %v", err)
		}
		wantIn(t, r, key, "new", "near")
	})
}

// full is a disk that has no room from its second Put on.
type full struct {
	*filestream.Cache
	puts atomic.Int64
}

func (f *full) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	if f.puts.Add(1) > 1 {
		return errIll
	}
	return f.Cache.Put(ctx, key, entry)
}

func (f *full) PutBatch(context.Context, []interfaces.Item) error { return errors.ErrUnsupported }

// TestPathOutlivesFailedPut: a file in somebody's hands stays when the same is
// put again and does not fit. What is not the same goes: it must not answer.
func TestPathOutlivesFailedPut(t *testing.T) {
	key := keyOf("key")
	for _, test := range []struct {
		name  string
		entry interfaces.Entry
		stays bool
	}{
		{"the same", interfaces.Text("body"), true},
		{"another body", interfaces.Text("yodb"), false},
		{"another tag", interfaces.Text("body").WithHead(interfaces.Head{Tag: "another"}), false},
	} {
		for how, write := range map[string]func(s *tiers.Stack) error{
			"Put": func(s *tiers.Stack) error { return s.Put(t.Context(), key, test.entry) },
			"PutBatch": func(s *tiers.Stack) error {
				return s.PutBatch(t.Context(), []interfaces.Item{{Key: key, Entry: test.entry}})
			},
		} {
			t.Run(how+" of "+test.name, func(t *testing.T) {
				files, err := filestream.Open(t.Context(), t.TempDir(), filestream.Options{})
				if err != nil {
					t.Fatal(err)
				}
				s := newStack(t, tiers.Options{}, tiers.Layer{Name: "memory", Tier: newFake(t)}, tiers.Layer{Name: "disk", Tier: &full{Cache: files}})
				put(t, s, key, "body")
				path, _, err := s.Path(t.Context(), key)
				if err != nil {
					t.Fatalf("Path: %v", err)
				}
				if err := write(s); err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				if _, err := os.Stat(path); (err == nil) != test.stays {
					t.Errorf("the file: %v, want that it stays: %t", err, test.stays)
				}
			})
		}
	}
}

// writesOf returns the ways to put body under key.
func writesOf(key interfaces.Key) map[string]func(ctx context.Context, r *rig, body string) error {
	return map[string]func(ctx context.Context, r *rig, body string) error{
		"Put of text": func(ctx context.Context, r *rig, body string) error {
			return r.Put(ctx, key, interfaces.Text(body))
		},
		"Put of a stream": func(ctx context.Context, r *rig, body string) error {
			return r.Put(ctx, key, interfaces.Stream(strings.NewReader(body), int64(len(body))))
		},
		"PutBatch": func(ctx context.Context, r *rig, body string) error {
			return r.PutBatch(ctx, []interfaces.Item{{Key: key, Entry: interfaces.Text(body)}})
		},
	}
}

func TestPutFails(t *testing.T) {
	t.Run("E4 TierFailures says why of each layer", testPutFailures)
	t.Run("a spoiled stream is not given to those behind", testPutSpoiled)
	t.Run("a body that fails is no failure of a layer", testPutBodyFails)
	t.Run("nor is one of which a layer reads more than it should have", testPutReadTooMuch)
	t.Run("of unknown size where all have limits", testPutUnknownSize)
	t.Run("T10 the context's error is bare", testPutContext)
}

func testPutFailures(t *testing.T) {
	key, layers := keyOf("key"), func(l []tiers.Layer) { l[0].MaxBody, l[1].ReadOnly = 2, true }
	r := newRig(t, layers)
	r.far.onPut = refuse
	err := r.Put(t.Context(), key, interfaces.Text("body"))
	failures, ok := errors.AsType[*cacheerr.TierFailures](err)
	if !ok || len(failures.Failures) != 3 {
		t.Fatalf("Put that no layer takes: error %v (%T), want TierFailures of 3", err, err)
	}
	for i, name := range []string{"near", "middle", "far"} {
		if got := failures.Failures[i].Tier; got != name {
			t.Errorf("failure %d is of layer %q, want %q", i, got, name)
		}
	}
	tooLarge, _ := errors.AsType[*cacheerr.EntryTooLargeError](failures.Failures[0].Err)
	if tooLarge == nil || tooLarge.Requested != 4 || tooLarge.Available != 2 {
		t.Errorf("of the layer with a limit: %v, want EntryTooLargeError 4 of 2", failures.Failures[0].Err)
	}
	if !errors.Is(failures.Failures[1].Err, cacheerr.ErrReadOnly) || !errors.Is(failures.Failures[2].Err, errIll) {
		t.Errorf("the others: %v and %v, want ErrReadOnly and the layer's own", failures.Failures[1].Err, failures.Failures[2].Err)
	}
	r.events.want(t, "far put failed", "stack put failed")
}

func testPutSpoiled(t *testing.T) {
	key := keyOf("key")
	r := newRig(t)
	r.near.onPut = spoil
	err := r.Put(t.Context(), key, stream(large))
	failures, ok := errors.AsType[*cacheerr.TierFailures](err)
	if !ok || !strings.Contains(failures.Failures[2].Err.Error(), "io.Seeker") {
		t.Errorf("Put: error %v, want TierFailures that say what would help", err)
	}
	wantIn(t, r, key, "")
	if n := r.middle.puts.Load() + r.far.puts.Load(); n != 0 {
		t.Errorf("%d puts of half a body", n)
	}
}

func testPutBodyFails(t *testing.T) {
	key := keyOf("key")
	r := newRig(t)
	broken := errors.New("broken")
	for name, entry := range map[string]interfaces.Entry{
		"fails":                         interfaces.Stream(iotest.ErrReader(broken), 10),
		"too short":                     interfaces.Stream(onlyReader{strings.NewReader("short")}, 10),
		"too long":                      interfaces.Stream(onlyReader{strings.NewReader("much too long")}, 10),
		"large, fails":                  interfaces.Stream(io.MultiReader(strings.NewReader(large), iotest.ErrReader(broken)), 1<<20),
		"large, short":                  interfaces.Stream(onlyReader{strings.NewReader(large)}, int64(len(large))+1),
		"large, long":                   interfaces.Stream(onlyReader{strings.NewReader(large)}, int64(len(large))-1),
		"large, of unknown size, fails": interfaces.Stream(io.MultiReader(strings.NewReader(large), iotest.ErrReader(broken)), -1),
	} {
		if err := r.Put(t.Context(), key, entry); err == nil || strings.Contains(name, "fails") && !errors.Is(err, broken) {
			t.Errorf("Put of a body that is %s: error %v", name, err)
		} else if _, ok := errors.AsType[*cacheerr.TierFailures](err); ok {
			t.Errorf("Put of a body that is %s: error %v, which blames layers", name, err)
		}
		r.events.want(t, "stack put failed")
		wantIn(t, r, key, "")
	}
}

func testPutReadTooMuch(t *testing.T) {
	key := keyOf("key")
	r := newRig(t)
	r.near.onPut = func(_ context.Context, _ interfaces.Key, entry interfaces.Entry) error {
		_, _ = io.CopyN(io.Discard, entry.Reader(), entry.Size+1)
		return errIll
	}
	err := r.Put(t.Context(), key, interfaces.Stream(onlyReader{strings.NewReader(large + large)}, int64(len(large))))
	if !errors.Is(err, errIll) {
		t.Errorf("Put: error %v, want what the layer says of it", err)
	}
	r.events.want(t, "stack put failed")
}

func testPutUnknownSize(t *testing.T) {
	key := keyOf("key")
	r := newRig(t, func(l []tiers.Layer) { l[0].MaxBody, l[1].MaxBody, l[2].MaxBody = 9, 9, 9 })
	if err := r.Put(t.Context(), key, unsized(large)); err == nil || !strings.Contains(err.Error(), "Entry.Size") {
		t.Errorf("Put: error %v, want one that says what to set", err)
	}
	if err := r.Put(t.Context(), key, unsized("a body")); err != nil {
		t.Errorf("Put of a small body: %v", err)
	}
	wantIn(t, r, key, "a body", "near", "middle", "far")
}

func testPutContext(t *testing.T) {
	key := keyOf("key")
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	r.near.onPut = func(context.Context, interfaces.Key, interfaces.Entry) error { cancel(); return errIll }
	if err := r.Put(ctx, key, interfaces.Text("body")); !same(err, context.Canceled) {
		t.Errorf("Put: error %v, want context.Canceled itself", err)
	}
	r.events.want(t, "stack put failed")
}

// TestPipe is about an io.Seeker that cannot seek.
func TestPipe(t *testing.T) {
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	go func() {
		_, _ = in.WriteString(large) // as much as somebody reads
		_ = in.Close()
	}()
	r, key := newRig(t), keyOf("key")
	r.near.onPut = refuse
	if err := r.Put(t.Context(), key, interfaces.Stream(out, int64(len(large)))); err != nil {
		t.Fatalf("Put from a pipe: %v", err)
	}
	wantIn(t, r, key, large, "middle", "far")
}

// TestRewind begins in the middle of a reader: the body is what is left.
func TestRewind(t *testing.T) {
	r, key := newRig(t), keyOf("key")
	r.near.onPut = spoil
	body := strings.NewReader("skipped " + large)
	if _, err := body.Seek(8, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if err := r.Put(t.Context(), key, interfaces.Stream(body, int64(len(large)))); err != nil {
		t.Fatalf("Put: %v", err)
	}
	wantIn(t, r, key, large, "middle", "far")
}

func TestOneTime(t *testing.T) {
	key := keyOf("key")
	noon := time.Date(2026, 1, 2, 12, 0, 0, 5, time.FixedZone("", 3600))
	near, far := newFake(t), newFake(t)
	s := newStack(t, tiers.Options{Clock: func() time.Time { noon = noon.Add(time.Hour); return noon }},
		tiers.Layer{Name: "near", Tier: near}, tiers.Layer{Name: "far", Tier: far})
	for how, write := range map[string]func() error{
		"Put":    func() error { return s.Put(t.Context(), key, interfaces.Text("body")) },
		"stream": func() error { return s.Put(t.Context(), key, stream("body")) },
		"batch": func() error {
			return s.PutBatch(t.Context(), []interfaces.Item{{Key: key, Entry: interfaces.Text("body")}})
		},
	} {
		if err := write(); err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		want := noon.UTC()
		for _, f := range []*fake{near, far} {
			if head, err := f.Stat(t.Context(), key); err != nil || head.Time != want {
				t.Errorf("%s: time %v (error %v), want %v in every layer", how, head.Time, err, want)
			}
		}
	}
}
