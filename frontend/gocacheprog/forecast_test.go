// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/frontend/gocacheprog"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memory"
	"github.com/tiercecache/tierce/tiers"
)

// remote is a cache that each machine reaches in one round trip for an
// operation, a batch too. It counts them.
type remote struct {
	interfaces.Cache
	trip time.Duration

	mu      sync.Mutex
	reads   int
	longest int                    // batch, in keys
	keys    map[interfaces.Key]int // how often each was asked for
	written []interfaces.Key
	ready   int // connections that were made ahead
}

// Connect makes connections ahead, which takes a round trip.
func (r *remote) Connect(ctx context.Context, n int) {
	if r.travel(ctx) == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ready += n
	}
}

func newRemote(t *testing.T) *remote {
	t.Helper()
	c, err := memory.New(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &remote{Cache: c, trip: 50 * time.Millisecond, keys: make(map[interfaces.Key]int)}
}

// travel is a round trip for keys.
func (r *remote) travel(ctx context.Context, keys ...interfaces.Key) error {
	r.mu.Lock()
	r.reads += min(1, len(keys))
	r.longest = max(r.longest, len(keys))
	for _, key := range keys {
		r.keys[key]++
	}
	r.mu.Unlock()
	there := time.NewTimer(r.trip)
	defer there.Stop()
	select {
	case <-there.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *remote) Get(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	if err := r.travel(ctx, key); err != nil {
		return interfaces.Entry{}, err
	}
	return r.Cache.Get(ctx, key)
}

func (r *remote) GetBatch(ctx context.Context, keys []interfaces.Key, each func(int, interfaces.Entry, error) error) error {
	if err := r.travel(ctx, keys...); err != nil {
		return err
	}
	return interfaces.GetBatch(ctx, r.Cache, keys, each)
}

func (r *remote) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	r.mu.Lock()
	r.written = append(r.written, key)
	r.mu.Unlock()
	return r.Cache.Put(ctx, key, entry)
}

func (r *remote) Delete(ctx context.Context, key interfaces.Key) error {
	return interfaces.Delete(ctx, r.Cache, key)
}

func (r *remote) Close() error { return nil } // it outlives the machines

// taken returns what was counted since the last call.
func (r *remote) taken() (reads int, keys map[interfaces.Key]int, written []interfaces.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	reads, keys, written = r.reads, r.keys, r.written
	r.reads, r.keys, r.written = 0, make(map[interfaces.Key]int), nil
	return reads, keys, written
}

// team is a remote and the name of what everybody builds.
type team struct {
	*remote
	build    string
	observer tiers.Observer
}

// builder is a machine on which a build runs.
type builder struct {
	*client
	stack *tiers.Stack
}

// machine starts a build in dir.
func (m *team) machine(t *testing.T, dir string) *builder {
	t.Helper()
	near, err := memory.New(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	disk, err := filestream.Open(t.Context(), dir, filestream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	options := gocacheprog.Options{Build: m.build, Verified: true}
	stack, err := tiers.New(tiers.Options{Verify: gocacheprog.New(options).Verify, Observer: m.observer},
		tiers.Layer{Name: "memory", Tier: near, MaxBody: 64 << 10}, tiers.Layer{Name: "disk", Tier: disk},
		tiers.Layer{Name: "remote", Tier: m.remote, Behind: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stack.Close() }) // where a test ends before
	options.Open = opened(stack)
	return &builder{start(t, options), stack}
}

// end ends a build as the command does.
func (b *builder) end() {
	b.t.Helper()
	b.close()
	b.server.Finish(b.t.Context())
	if err := b.stack.Close(); err != nil {
		b.t.Errorf("closing the stack: %v", err)
	}
}

// gets asks for actions as the go command does, two at a time, and returns the
// answers.
func (b *builder) gets(actions ...string) []answer {
	b.t.Helper()
	answers, under := make([]answer, len(actions)), make([]<-chan answer, len(actions))
	for i, action := range actions {
		if i >= 2 {
			answers[i-2] = b.wait(under[i-2])
		}
		under[i] = b.sendGet(action)
	}
	for i := max(0, len(actions)-2); i < len(actions); i++ {
		answers[i] = b.wait(under[i])
	}
	return answers
}

// outputOf is what an action leads to.
func outputOf(action string) []byte { return []byte(strings.Repeat(action+" ", 1000)) }

// wantHits fails the test unless every answer is what its action leads to.
func wantHits(t *testing.T, answers []answer, actions []string) {
	t.Helper()
	for i, a := range answers {
		wantHit(t, a, outputOf(actions[i]))
	}
}

// compile is a build of which nothing is cached.
func (m *team) compile(t *testing.T, actions ...string) {
	t.Helper()
	b := m.machine(t, t.TempDir())
	for i, a := range b.gets(actions...) {
		wantMiss(t, a)
		b.stored(actions[i], outputOf(actions[i]))
	}
	b.end()
}

func actionsOf(prefix string, n int) []string {
	actions := make([]string, n)
	for i := range actions {
		actions[i] = fmt.Sprintf("%s %d", prefix, i)
	}
	return actions
}

func keyOf(t *testing.T, namespace string, part []byte) interfaces.Key {
	t.Helper()
	key, err := encoding.Keyspace{Schema: 1, Namespace: namespace}.Key(part)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func recordKey(t *testing.T, action string) interfaces.Key {
	t.Helper()
	return keyOf(t, "go/action", digest([]byte(action)))
}

func outputKey(t *testing.T, body []byte) interfaces.Key {
	t.Helper()
	return keyOf(t, "go/output", digest(body))
}

// inBubble runs a test with virtual time.
func inBubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// TestForecast: a build like one before costs round trips by batches, not by
// actions, and nothing is fetched twice.
func TestForecast(t *testing.T) {
	actions := actionsOf("package", 300)
	inBubble(t, "the second machine", func(t *testing.T) {
		m := &team{remote: newRemote(t), build: "all"}
		m.compile(t, actions...)
		m.taken()
		b := m.machine(t, t.TempDir())
		began := time.Now()
		wantHits(t, b.gets(actions...), actions)
		if took := time.Since(began); took > 10*m.trip { // virtual time: it counts round trips
			t.Errorf("the build waited for %d round trips, want some", took/m.trip)
		}
		b.end()
		reads, keys, written := m.taken()
		if most := 1 + 2*len(actions)/64; reads > most {
			t.Errorf("%d operations for %d actions, want at most %d", reads, len(actions), most)
		}
		for key, n := range keys {
			if n > 1 {
				t.Errorf("%s was asked for %d times", key.Short(), n)
			}
		}
		if len(written) > 0 {
			t.Errorf("%d entries written, want none: nothing is new", len(written))
		}
	})
	inBubble(t, "without a name each action costs its own", func(t *testing.T) {
		m := &team{remote: newRemote(t)}
		m.compile(t, actions...)
		m.taken()
		b := m.machine(t, t.TempDir())
		wantHits(t, b.gets(actions...), actions)
		b.end()
		if reads, _, _ := m.taken(); reads < 2*len(actions) {
			t.Errorf("%d operations, want two for each of %d actions", reads, len(actions))
		}
	})
	inBubble(t, "what is near does not wait", func(t *testing.T) {
		m := &team{remote: newRemote(t), build: "all"}
		m.compile(t, actions[:20]...)
		dir := t.TempDir()
		b := m.machine(t, dir)
		wantHits(t, b.gets(actions[:20]...), actions)
		b.end()
		m.trip = time.Hour
		b = m.machine(t, dir)
		wantHits(t, b.gets(actions[:20]...), actions)
		b.end()
	})
	inBubble(t, "connections are made while the manifest comes, if something is away", func(t *testing.T) {
		m := &team{remote: newRemote(t), build: "all"}
		m.compile(t, actions[:2]...)
		m.ready = 0
		dir := t.TempDir()
		for _, want := range []bool{true, false} { // everything is near the second time
			b := m.machine(t, dir)
			wantHits(t, b.gets(actions[:2]...), actions)
			b.end()
			if made := m.ready > 0; made != want {
				t.Errorf("connections were made ahead: %t, want %t", made, want)
			}
			m.ready = 0
		}
	})
	inBubble(t, "the next manifest has what was new", func(t *testing.T) {
		m := &team{remote: newRemote(t), build: "all"}
		m.compile(t, actions[:20]...)
		m.compileOn(t, actions[:20], actions[20:40])
		m.taken()
		b := m.machine(t, t.TempDir())
		wantHits(t, b.gets(actions[:40]...), actions)
		b.end()
		if reads, _, _ := m.taken(); reads > 4 {
			t.Errorf("%d operations for 40 actions, want a few", reads)
		}
	})
	t.Run("a local cache has no manifest", func(t *testing.T) {
		cache := disk(t, t.TempDir(), filestream.Options{})
		c := start(t, gocacheprog.Options{Open: opened(cache), Local: true, Build: "all"})
		c.stored("a", pattern(10))
		c.close()
		c.server.Finish(t.Context())
		if n, err := cache.Len(t.Context()); n != 2 || err != nil {
			t.Errorf("%d entries (%v), want a record and an output", n, err)
		}
	})
}

// compileOn is a build of which the old actions are cached and the new are not.
func (m *team) compileOn(t *testing.T, old, fresh []string) {
	t.Helper()
	b := m.machine(t, t.TempDir())
	wantHits(t, b.gets(old...), old)
	for i, a := range b.gets(fresh...) {
		wantMiss(t, a)
		b.stored(fresh[i], outputOf(fresh[i]))
	}
	b.end()
}

// TestNewCode: when one unknown action after the other is nowhere, those that
// follow mostly need not be asked for; one that is there ends that.
func TestNewCode(t *testing.T) {
	old, fresh := actionsOf("old", 5), actionsOf("new", 200)
	inBubble(t, "nowhere", func(t *testing.T) {
		m := &team{remote: newRemote(t), build: "all"}
		m.compile(t, old...)
		m.taken()
		m.compileOn(t, old, fresh)
		if reads, _, _ := m.taken(); reads > 8+200/8+5 {
			t.Errorf("%d operations for %d unknown actions that are nowhere", reads, len(fresh))
		}
	})
	inBubble(t, "somebody else has built it", func(t *testing.T) {
		m := &team{remote: newRemote(t), build: "all"}
		m.compile(t, old...)
		other := &team{remote: m.remote, build: "other"}
		other.compile(t, fresh...)
		b := m.machine(t, t.TempDir())
		for _, action := range actionsOf("nowhere", 7) {
			wantMiss(t, b.get(action))
		}
		wantHits(t, b.gets(fresh...), fresh)
		b.end()
	})
	inBubble(t, "with nothing known everything is asked for", func(t *testing.T) {
		m := &team{remote: newRemote(t), build: "all"}
		b := m.machine(t, t.TempDir())
		for _, a := range b.gets(fresh...) {
			wantMiss(t, a)
		}
		b.end()
		if reads, _, _ := m.taken(); reads < len(fresh) {
			t.Errorf("%d operations, want one for each of %d", reads, len(fresh))
		}
	})
}

// TestLies: a manifest can only cost time.
func TestLies(t *testing.T) {
	actions := actionsOf("package", 30)
	real := func(t *testing.T, i int) gocacheprog.Action {
		body := outputOf(actions[i])
		return gocacheprog.Action{Record: recordKey(t, actions[i]), Output: outputKey(t, body), Size: int64(len(body))}
	}
	for name, lie := range map[string]func(t *testing.T) []byte{
		"outputs of others": func(t *testing.T) []byte {
			var all []gocacheprog.Action
			for i := range actions {
				a := real(t, i)
				a.Output = real(t, (i+1)%len(actions)).Output
				all = append(all, a)
			}
			return gocacheprog.Manifest(all...)
		},
		"keys of nothing": func(t *testing.T) []byte {
			var all []gocacheprog.Action
			for i := range actions {
				a := real(t, i)
				a.Output = sha256.Sum256(a.Record[:])
				all = append(all, a)
			}
			return gocacheprog.Manifest(all...)
		},
		"records and outputs swapped": func(t *testing.T) []byte {
			var all []gocacheprog.Action
			for i := range actions {
				a := real(t, i)
				a.Record, a.Output = a.Output, a.Record
				all = append(all, a)
			}
			return gocacheprog.Manifest(all...)
		},
		"the same again and again": func(t *testing.T) []byte {
			return gocacheprog.Manifest(slices.Repeat([]gocacheprog.Action{real(t, 0)}, 10_000)...)
		},
		"enormous outputs": func(t *testing.T) []byte {
			a := real(t, 0)
			a.Size = 1 << 62
			return gocacheprog.Manifest(a, a, a)
		},
		"itself": func(t *testing.T) []byte {
			return gocacheprog.Manifest(gocacheprog.Action{Record: keyOf(t, "go/manifest", []byte("all"))})
		},
		"nothing":   func(*testing.T) []byte { return nil },
		"garbage":   func(*testing.T) []byte { return pattern(1000) },
		"cut short": func(t *testing.T) []byte { return gocacheprog.Manifest(real(t, 0), real(t, 1))[:100] },
		"too long":  func(*testing.T) []byte { return bytes.Repeat([]byte{1}, 5<<20) },
	} {
		inBubble(t, name, func(t *testing.T) {
			m := &team{remote: newRemote(t), build: "all"}
			m.compile(t, actions...)
			manifest := keyOf(t, "go/manifest", []byte("all"))
			if err := m.Put(t.Context(), manifest, interfaces.Bytes(lie(t))); err != nil {
				t.Fatal(err)
			}
			b := m.machine(t, t.TempDir())
			wantHits(t, b.gets(actions...), actions)
			wantMiss(t, b.get("nothing"))
			b.end()
		})
	}
}

// TestVerify: bytes that came from a remote and are not what the OutputID names
// are a miss, counted as damage, are nowhere any more, and can be made again.
func TestVerify(t *testing.T) {
	actions := actionsOf("package", 10)
	body := outputOf(actions[3])
	wrong := bytes.Clone(body)
	wrong[len(wrong)/2] ^= 1
	for name, lie := range map[string]interfaces.Entry{
		"text":                         interfaces.Bytes(wrong),
		"a stream":                     streamed(wrong),
		"another output":               interfaces.Bytes(outputOf(actions[4])),
		"nothing":                      interfaces.Text(""),
		"a record":                     interfaces.Text("").WithHead(interfaces.Head{Tag: string(digest(body))}),
		"a body that calls itself one": interfaces.Bytes(wrong).WithHead(interfaces.Head{Tag: string(digest(body))}),
	} {
		for _, build := range []string{"", "all"} {
			inBubble(t, fmt.Sprintf("%s/%q", name, build), func(t *testing.T) {
				var seen recorder
				m := &team{remote: newRemote(t), build: build, observer: &seen}
				m.compile(t, actions...)
				m.remote.Cache = &liar{m.remote.Cache, outputKey(t, body), lie}
				b := m.machine(t, t.TempDir())
				for i, a := range b.gets(actions...) {
					if i == 3 {
						wantMiss(t, a)
					} else {
						wantHit(t, a, outputOf(actions[i]))
					}
				}
				if name != "a record" && !slices.ContainsFunc(seen.all(), func(e tiers.Event) bool {
					return e.Layer == "remote" && e.Reason == cacheerr.ReasonDamaged
				}) {
					t.Error("no damage was told")
				}
				b.stored(actions[3], body)
				wantHit(t, b.get(actions[3]), body)
				b.end()
			})
		}
	}
}

// streamed returns body as an entry that can be read once.
func streamed(body []byte) interfaces.Entry {
	return interfaces.Stream(bytes.NewReader(body), int64(len(body)))
}

// liar answers for one key with something else, until that is removed.
type liar struct {
	interfaces.Cache
	key interfaces.Key
	lie interfaces.Entry
}

func (l *liar) Get(ctx context.Context, key interfaces.Key) (interfaces.Entry, error) {
	if key != l.key {
		return l.Cache.Get(ctx, key)
	}
	if _, ok := l.lie.Text(); ok {
		return l.lie, nil
	}
	body := l.lie.Reader().(*bytes.Reader)
	return interfaces.Stream(bytes.NewReader(bodyOf(body)), l.lie.Size).WithHead(l.lie.Head), nil
}

func bodyOf(r *bytes.Reader) []byte {
	text := make([]byte, r.Size())
	_, err := r.ReadAt(text, 0)
	if err != nil {
		panic(err)
	}
	return text
}

// TestForecastHangs: a remote that hangs costs a get its patience, once it is
// asked, and the build nothing else.
func TestForecastHangs(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		m := &team{remote: newRemote(t), build: "all"}
		m.trip = time.Hour
		near := disk(t, t.TempDir(), filestream.Options{})
		stack, err := tiers.New(tiers.Options{}, tiers.Layer{Name: "disk", Tier: near}, tiers.Layer{Name: "remote", Tier: m.remote, Behind: true})
		if err != nil {
			t.Fatal(err)
		}
		var told warnings
		c := start(t, gocacheprog.Options{Open: opened(stack), Build: "all", Verified: true, Warn: told.warn})
		wantMiss(t, c.get("a"))
		c.stored("a", pattern(10))
		wantHit(t, c.get("a"), pattern(10))
		c.close()
		c.server.Finish(t.Context())
		if err := stack.Close(); err != nil && !errors.Is(err, tiers.ErrNotDrained) {
			t.Error(err)
		}
	})
}

// TestPace: batches grow while they come quickly, and never come to be so long
// that a narrow network is taken for one that hangs.
func TestPace(t *testing.T) {
	limit := int64(256 << 10)
	for _, step := range []struct {
		took time.Duration
		want int64
	}{
		{0, 512 << 10}, {0, 1 << 20}, {0, 1 << 20}, // none has come yet
		{time.Millisecond, 2 << 20}, {time.Millisecond, 4 << 20}, {time.Millisecond, 4 << 20},
		{300 * time.Millisecond, 4 << 20},
		{time.Second, 2 << 20}, {time.Second, 1 << 20}, {time.Second, 512 << 10}, {time.Second, 256 << 10}, {time.Hour, 256 << 10},
		{time.Millisecond, 512 << 10},
	} {
		if limit = gocacheprog.Pace(limit, step.took); limit != step.want {
			t.Errorf("after %v: %d bytes, want %d", step.took, limit, step.want)
		}
	}
}

// TestAtOnce: a near server is asked for few batches at once, a distant one for
// as many as may be.
func TestAtOnce(t *testing.T) {
	last := 0
	for _, took := range []time.Duration{0, time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond, 60 * time.Millisecond, time.Hour} {
		n := gocacheprog.AtOnce(took)
		if n < max(2, last) || n > 12 || took >= 60*time.Millisecond && n != 12 {
			t.Errorf("%d batches at once when the manifest took %v, and %d when it took less", n, took, last)
		}
		last = n
	}
}
