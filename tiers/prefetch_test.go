// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/tiercecache/tierce/cachetest"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// distant is a far layer that answers batches.
type distant struct {
	*fake
	batches atomic.Int64
	onBatch func() error // before a batch; an error is its answer
}

func (d *distant) GetBatch(ctx context.Context, keys []interfaces.Key, each func(int, interfaces.Entry, error) error) error {
	d.batches.Add(1)
	if d.onBatch != nil {
		if err := d.onBatch(); err != nil {
			return err
		}
	}
	type getter struct{ interfaces.Cache }
	return interfaces.GetBatch(ctx, getter{d.fake}, keys, each)
}

// holdBatch makes every batch wait for the gate, and then fail with err if there
// is one.
func (d *distant) holdBatch(err error) gate {
	held := make(gate)
	d.onBatch = func() error { held.pass(); return err }
	return held
}

// machine is a stack of memory and disk before a far layer.
type machine struct {
	*tiers.Stack
	memory *fake
	disk   *cachetest.Full
	far    *distant
	events *events
}

func newMachine(t *testing.T, opts tiers.Options) *machine {
	t.Helper()
	m := &machine{memory: newFake(t), disk: cachetest.NewFull(t), far: &distant{fake: newFake(t)}, events: &events{}}
	opts.Observer = m.events
	m.Stack = newStack(t, opts, tiers.Layer{Name: "memory", Tier: m.memory}, tiers.Layer{Name: "disk", Tier: m.disk},
		tiers.Layer{Name: "far", Tier: m.far})
	return m
}

// asked fails the test unless the far layer was asked so many times.
func (m *machine) asked(t *testing.T, batches, gets int64) {
	t.Helper()
	if b, g := m.far.batches.Load(), m.far.gets.Load(); b != batches || g != gets {
		t.Errorf("the far layer had %d batches and in all %d keys, want %d and %d", b, g, batches, gets)
	}
}

func prefetch(t *testing.T, s *tiers.Stack, keys ...interfaces.Key) {
	t.Helper()
	if err := s.Prefetch(t.Context(), keys); err != nil {
		t.Errorf("Prefetch: %v", err)
	}
}

func TestPrefetch(t *testing.T) {
	t.Run("one batch for what is not near, and one copy of each", testPrefetchOneBatch)
	t.Run("a large stream", testPrefetchLarge)
	t.Run("a layer that takes nothing", testPrefetchRefused)
	t.Run("far layers are asked in order", testPrefetchInOrder)
	t.Run("nothing is far", testPrefetchNothingFar)
	t.Run("T10 closed, cancelled", testPrefetchClosed)
}

func testPrefetchOneBatch(t *testing.T) {
	a, b, c, d := keyOf("a"), keyOf("b"), keyOf("c"), keyOf("d")
	m := newMachine(t, tiers.Options{})
	put(t, m.memory, a, "in memory")
	put(t, m.disk, b, "on disk")
	put(t, m.far, c, "far")
	put(t, m.far, d, "")
	prefetch(t, m.Stack, a, b, c, d, c)
	m.asked(t, 1, 2)
	m.events.want(t, "far prefetch hit", "disk prefetch promoted", "far prefetch hit", "memory prefetch promoted")
	want(t, m.disk, c, "far")
	wantMiss(t, m.disk, d)
	wantMiss(t, m.memory, c)
	want(t, m, d, "")
	if _, size, err := m.Path(t.Context(), c); size != 3 || err != nil {
		t.Errorf("Path: %d bytes and %v, want 3", size, err)
	}
	prefetch(t, m.Stack, a, b, c, d)
	m.asked(t, 1, 2)
}

func testPrefetchLarge(t *testing.T) {
	a := keyOf("a")
	m := newMachine(t, tiers.Options{})
	m.far.streams = true
	put(t, m.far, a, large)
	prefetch(t, m.Stack, a)
	want(t, m.disk, a, large)
	m.asked(t, 1, 1)
}

func testPrefetchRefused(t *testing.T) {
	a := keyOf("a")
	m := newMachine(t, tiers.Options{})
	m.memory.onPut = refuse
	put(t, m.far, a, "")
	prefetch(t, m.Stack, a)
	want(t, m.disk, a, "")
}

func testPrefetchInOrder(t *testing.T) {
	a, b := keyOf("a"), keyOf("b")
	near, first, second := newFake(t), &distant{fake: newFake(t)}, &distant{fake: newFake(t)}
	s := newStack(t, tiers.Options{}, tiers.Layer{Name: "near", Tier: near}, tiers.Layer{Name: "1", Tier: first}, tiers.Layer{Name: "2", Tier: second})
	put(t, first, a, "first")
	put(t, second, a, "hidden")
	put(t, second, b, "second")
	prefetch(t, s, a, b)
	want(t, near, a, "first")
	want(t, near, b, "second")
	if n := second.gets.Load(); n != 1 {
		t.Errorf("the second layer was asked for %d keys, want 1", n)
	}
}

func testPrefetchNothingFar(t *testing.T) {
	a := keyOf("a")
	s := newStack(t, tiers.Options{}, tiers.Layer{Name: "disk", Tier: cachetest.NewFull(t)})
	prefetch(t, s, a)
}

func testPrefetchClosed(t *testing.T) {
	a := keyOf("a")
	m := newMachine(t, tiers.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	m.far.onBatch = func() error { cancel(); return ctx.Err() }
	if err := m.Prefetch(ctx, []interfaces.Key{a}); !same(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	_ = m.Close()
	if err := m.Prefetch(t.Context(), []interfaces.Key{a}); !same(err, cacheerr.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := m.Newest(t.Context(), a); !same(err, cacheerr.ErrClosed) {
		t.Errorf("Newest, closed: %v", err)
	}
}

// during runs do while a batch is under way, which goes on when do waits, and
// then fails with err or answers.
func during(t *testing.T, m *machine, err error, do func(), keys ...interfaces.Key) {
	t.Helper()
	held := m.far.holdBatch(err)
	var all sync.WaitGroup
	all.Go(func() { prefetch(t, m.Stack, keys...) })
	synctest.Wait()
	all.Go(do)
	held.open()
	all.Wait()
}

// TestPrefetchJoins: who asks for what is being prefetched waits for that, and
// the far layer is asked for no key twice.
func TestPrefetchJoins(t *testing.T) {
	key, absent := keyOf("key"), keyOf("absent")
	for _, test := range []struct {
		name string
		do   func(t *testing.T, m *machine)
	}{
		{"Get", func(t *testing.T, m *machine) { want(t, m, key, "body") }},
		{"Get of what is absent", func(t *testing.T, m *machine) { wantMiss(t, m, absent) }},
		{"Path", func(t *testing.T, m *machine) {
			if _, size, err := m.Path(t.Context(), key); size != 4 || err != nil {
				t.Errorf("Path: %d bytes and %v, want 4", size, err)
			}
		}},
		{"Path of what is absent", func(t *testing.T, m *machine) {
			if _, _, err := m.Path(t.Context(), absent); !same(err, cacheerr.ErrMiss) {
				t.Errorf("Path: %v, want a miss", err)
			}
		}},
		{"Prefetch", func(t *testing.T, m *machine) { prefetch(t, m.Stack, key, absent) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(t, tiers.Options{})
				put(t, m.far, key, "body")
				during(t, m, nil, func() { test.do(t, m) }, key, absent)
				m.asked(t, 1, 2)
			})
		})
	}
	t.Run("a key that somebody gets is left to them", func(t *testing.T) { synctest.Test(t, testPrefetchLeavesKeys) })
	t.Run("a key that is not under way yet does not wait", func(t *testing.T) { synctest.Test(t, testPrefetchOthersGoOn) })
	t.Run("who waits for a layer that fails asks for himself", func(t *testing.T) { synctest.Test(t, testPrefetchFails) })
	t.Run("what is put meanwhile stays", func(t *testing.T) { synctest.Test(t, testPrefetchKeepsPuts) })
}

func testPrefetchLeavesKeys(t *testing.T) {
	key := keyOf("key")
	m := newMachine(t, tiers.Options{})
	put(t, m.far, key, "body")
	held := m.far.holdGets()
	var all sync.WaitGroup
	all.Go(func() { want(t, m, key, "body") })
	synctest.Wait()
	prefetch(t, m.Stack, key)
	held.open()
	all.Wait()
	m.asked(t, 0, 1)
}

func testPrefetchOthersGoOn(t *testing.T) {
	key, absent := keyOf("key"), keyOf("absent")
	m := newMachine(t, tiers.Options{})
	put(t, m.far, key, "body")
	held := m.far.holdBatch(nil)
	var all sync.WaitGroup
	all.Go(func() { prefetch(t, m.Stack, absent) })
	synctest.Wait()
	want(t, m, key, "body")
	held.open()
	all.Wait()
}

func testPrefetchFails(t *testing.T) {
	key := keyOf("key")
	m := newMachine(t, tiers.Options{})
	put(t, m.far, key, "body")
	during(t, m, errIll, func() { want(t, m, key, "body") }, key)
	m.asked(t, 1, 1)
}

func testPrefetchKeepsPuts(t *testing.T) {
	key := keyOf("key")
	m := newMachine(t, tiers.Options{})
	put(t, m.far, key, "old")
	answered := make(gate)
	m.far.afterGet = answered.pass
	var all sync.WaitGroup
	all.Go(func() { prefetch(t, m.Stack, key) })
	synctest.Wait()
	put(t, m, key, "new")
	answered.open()
	all.Wait()
	want(t, m, key, "new")
	want(t, m.disk, key, "new")
}

// placing is a disk whose first Place can be held up.
type placing struct {
	*filestream.Cache
	before, after func()
}

func (p *placing) Place(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (bool, error) {
	p.before()
	placed, err := p.Cache.Place(ctx, key, entry)
	p.after()
	return placed, err
}

// TestPrefetchUndoesItsOwn is about an entry that is put or removed while a
// prefetch places it: what was put stays, and so does its file, which may be in
// somebody's hands. What was placed does not outlive another's body.
func TestPrefetchUndoesItsOwn(t *testing.T) {
	before := func(p *placing, held gate) { p.before = held.pass }
	after := func(p *placing, held gate) { p.after = held.pass }
	for _, test := range []struct {
		name      string
		far, body string
		hold      func(*placing, gate)
	}{
		{"the same is put before the file is there", "body", "body", before},
		{"the same large body is put before the file is there", large, large, before},
		{"another body is put before the file is there", "body", "another", before},
		{"it is removed before the file is there", "body", "", before},
		{"the same is put when the file is there", "body", "body", after},
		{"another body is put when the file is there", "body", "another", after},
		{"a large body is put when the file is there", "body", large, after},
		{"it is removed when the file is there", "body", "", after},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testPrefetchUndoes(t, test.hold, test.far, test.body) })
		})
	}
}

func testPrefetchUndoes(t *testing.T, hold func(*placing, gate), fetched, body string) {
	ctx, key, held, far := t.Context(), keyOf("key"), make(gate), &distant{fake: newFake(t)}
	files, err := filestream.Open(ctx, t.TempDir(), filestream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	disk := &placing{Cache: files, before: func() {}, after: func() {}}
	hold(disk, held)
	s := newStack(t, tiers.Options{}, tiers.Layer{Name: "memory", Tier: newFake(t)}, tiers.Layer{Name: "disk", Tier: disk}, tiers.Layer{Name: "far", Tier: far})
	put(t, far, key, fetched)
	go prefetch(t, s, key)
	synctest.Wait()
	path, _, _ := s.PathNear(ctx, key)
	go func() {
		change := func() error { return s.Put(ctx, key, stream(body)) }
		if body == "" {
			change = func() error { return s.Delete(ctx, key) }
		}
		if err := change(); err != nil {
			t.Errorf("Put or Delete: %v", err)
		}
	}()
	synctest.Wait()
	if path == "" {
		path, _, _ = s.PathNear(ctx, key)
	}
	held.open()
	synctest.Wait()
	if got, err := os.ReadFile(path); string(got) != body || body == "" && err == nil {
		t.Errorf("the file: %.20q and %v, want %.20q", got, err, body)
	}
}

// honest is an Options.Verify that lets pass what begins with "good".
func honest(_ interfaces.Key, entry interfaces.Entry) (interfaces.Entry, error) {
	if text, ok := entry.Text(); ok && !strings.HasPrefix(text, "good") {
		return entry, cacheerr.ErrDamaged
	} else if ok {
		return entry, nil
	}
	return interfaces.Stream(failsAtEnd{entry}, entry.Size).WithHead(entry.Head), nil
}

// failsAtEnd is a body of which only its end shows that it is another's.
type failsAtEnd struct{ entry interfaces.Entry }

func (f failsAtEnd) Read(p []byte) (int, error) {
	n, err := f.entry.Reader().Read(p)
	if err != nil {
		return n, cacheerr.ErrDamaged
	}
	return n, nil
}

func (f failsAtEnd) Close() error { return f.entry.Close() }

// TestVerify: what does not pass reaches neither a near layer nor a caller, is
// counted as damage, and goes from the layer that had it.
func TestVerify(t *testing.T) {
	key := keyOf("key")
	get := func(t *testing.T, s *tiers.Stack) error { _, err := read(t, s, key); return err }
	ways := map[string]func(t *testing.T, s *tiers.Stack) error{
		"Get":  get,
		"Path": func(t *testing.T, s *tiers.Stack) error { _, _, err := s.Path(t.Context(), key); return err },
		"GetBatch": func(t *testing.T, s *tiers.Stack) (err error) {
			return errors.Join(s.GetBatch(t.Context(), []interfaces.Key{key}, func(_ int, _ interfaces.Entry, got error) error { err = got; return nil }), err)
		},
		"Prefetch": func(t *testing.T, s *tiers.Stack) error {
			prefetch(t, s, key)
			return get(t, s)
		},
		"Newest": func(t *testing.T, s *tiers.Stack) error {
			entry, err := s.Newest(t.Context(), key)
			if err == nil {
				_, err = entry.Bytes()
			}
			return err
		},
	}
	for way, ask := range ways {
		for name, body := range map[string]string{"text": "bad", "stream": large} {
			t.Run(way+" of a "+name, func(t *testing.T) {
				m := newMachine(t, tiers.Options{Verify: honest})
				m.far.streams = name == "stream"
				put(t, m.far, key, body)
				if err := ask(t, m.Stack); !errors.Is(err, cacheerr.ErrMiss) {
					t.Errorf("%v, want a miss", err)
				}
				wantMiss(t, m.memory, key)
				wantMiss(t, m.disk, key)
				if way == "Newest" && name == "stream" {
					return // its caller alone has read it
				}
				wantMiss(t, m.far, key)
				if !slices.ContainsFunc(m.events.linesOf("far"), func(line string) bool { return strings.HasSuffix(line, " miss damaged") }) {
					t.Error("the damage is not told")
				}
			})
		}
		t.Run(way+" of what passes", func(t *testing.T) {
			m := newMachine(t, tiers.Options{Verify: honest})
			put(t, m.far, key, "good")
			if err := ask(t, m.Stack); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("a read-only layer keeps what it has", testReadOnlyKeeps)
	t.Run("near layers are not asked about", testNearNotAsked)
}

func testReadOnlyKeeps(t *testing.T) {
	key := keyOf("key")
	near, far := cachetest.NewFull(t), newFake(t)
	s := newStack(t, tiers.Options{Verify: honest}, tiers.Layer{Name: "near", Tier: near}, tiers.Layer{Name: "far", Tier: far, ReadOnly: true})
	put(t, far, key, "bad")
	if _, err := read(t, s, key); !errors.Is(err, cacheerr.ErrMiss) {
		t.Errorf("%v, want a miss", err)
	}
	want(t, far, key, "bad")
}

func testNearNotAsked(t *testing.T) {
	key := keyOf("key")
	m := newMachine(t, tiers.Options{Verify: honest})
	put(t, m, key, "bad, but ours")
	want(t, m, key, "bad, but ours")
}

// TestNewest: near layers do not hide what a far one has.
func TestNewest(t *testing.T) {
	a, b := keyOf("a"), keyOf("b")
	m := newMachine(t, tiers.Options{})
	put(t, m.memory, a, "old")
	put(t, m.far, a, "new")
	put(t, m.disk, b, "only here")
	entry, err := m.Newest(t.Context(), a)
	if body, _ := entry.Text(); body != "new" || err != nil {
		t.Errorf("%q and %v, want what is far", body, err)
	}
	if _, err := m.Newest(t.Context(), b); !same(err, cacheerr.ErrMiss) {
		t.Errorf("%v, want a miss", err)
	}
	want(t, m.memory, a, "old")
	m.asked(t, 0, 2)
}

// TestNear: the near part of a stack does not wait for the far one.
func TestNear(t *testing.T) {
	a, b, c := keyOf("a"), keyOf("b"), keyOf("c")
	m := newMachine(t, tiers.Options{})
	put(t, m.memory, a, "memory")
	put(t, m.disk, b, "disk")
	put(t, m.far, c, "far")
	for key, want := range map[interfaces.Key]error{a: nil, b: nil, c: cacheerr.ErrMiss} {
		if _, err := m.StatNear(t.Context(), key); !same(err, want) {
			t.Errorf("StatNear: %v, want %v", err, want)
		}
	}
	for key, want := range map[interfaces.Key]error{a: cacheerr.ErrMiss, b: nil, c: cacheerr.ErrMiss} {
		if _, _, err := m.PathNear(t.Context(), key); !same(err, want) {
			t.Errorf("PathNear: %v, want %v", err, want)
		}
	}
	m.asked(t, 0, 0)
	got := m.events.lines()
	slices.Sort(got)
	if want := []string{"disk path hit", "disk stat hit", "memory stat hit"}; !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	_ = m.Close()
	if _, err := m.StatNear(t.Context(), a); !same(err, cacheerr.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, _, err := m.PathNear(t.Context(), a); !same(err, cacheerr.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// connecting is a layer that makes connections ahead.
type connecting struct {
	interfaces.Cache
	made atomic.Int64
}

func (c *connecting) Connect(_ context.Context, n int) { c.made.Add(int64(n)) }

// TestConnect: those layers are asked for connections that are far and have some.
func TestConnect(t *testing.T) {
	near, far := &connecting{Cache: newFake(t)}, &connecting{Cache: newFake(t)}
	s := newStack(t, tiers.Options{}, tiers.Layer{Name: "near", Tier: near}, tiers.Layer{Name: "far", Tier: far},
		tiers.Layer{Name: "without", Tier: newFake(t)})
	s.Connect(t.Context(), 3)
	if n, f := near.made.Load(), far.made.Load(); n != 0 || f != 3 {
		t.Errorf("%d connections near and %d far, want 0 and 3", n, f)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s.Connect(t.Context(), 3)
	if n := far.made.Load(); n != 3 {
		t.Errorf("%d connections once it is closed, want 3 as before", n)
	}
}

// TestBeginPrefetch: what was begun is waited for, before anything is fetched.
func TestBeginPrefetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := keyOf("key")
		m := newMachine(t, tiers.Options{})
		put(t, m.far, key, "body")
		fetch := m.BeginPrefetch(t.Context(), []interfaces.Key{key})
		var got sync.WaitGroup
		got.Go(func() { want(t, m, key, "body") })
		synctest.Wait()
		m.asked(t, 0, 0)
		if err := fetch(); err != nil {
			t.Errorf("fetching: %v", err)
		}
		got.Wait()
		m.asked(t, 1, 1)
	})
}
