// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/frontend/gocacheprog"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// TestForecast: a build like one before costs round trips by batches, not by
// actions, and nothing is fetched twice.
func TestForecast(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"the second machine":                                                  forecastSecond,
		"without a name each action costs its own":                            forecastUnnamed,
		"what is near does not wait":                                          forecastNear,
		"connections are made while the manifest comes, if something is away": forecastConnects,
		"the next manifest has what was new":                                  forecastNew,
	} {
		inBubble(t, name, test)
	}
}

func forecastSecond(t *testing.T) {
	actions := actionsOf("package", 300)
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
}

func forecastUnnamed(t *testing.T) {
	actions := actionsOf("package", 300)
	m := &team{remote: newRemote(t)}
	m.compile(t, actions...)
	m.taken()
	b := m.machine(t, t.TempDir())
	wantHits(t, b.gets(actions...), actions)
	b.end()
	if reads, _, _ := m.taken(); reads < 2*len(actions) {
		t.Errorf("%d operations, want two for each of %d actions", reads, len(actions))
	}
}

func forecastNear(t *testing.T) {
	actions := actionsOf("package", 20)
	m := &team{remote: newRemote(t), build: "all"}
	m.compile(t, actions...)
	dir := t.TempDir()
	b := m.machine(t, dir)
	wantHits(t, b.gets(actions...), actions)
	b.end()
	m.trip = time.Hour
	b = m.machine(t, dir)
	wantHits(t, b.gets(actions...), actions)
	b.end()
}

func forecastConnects(t *testing.T) {
	actions := actionsOf("package", 2)
	m := &team{remote: newRemote(t), build: "all"}
	m.compile(t, actions...)
	m.ready = 0
	dir := t.TempDir()
	for _, want := range []bool{true, false} { // everything is near the second time
		b := m.machine(t, dir)
		wantHits(t, b.gets(actions...), actions)
		b.end()
		if made := m.ready > 0; made != want {
			t.Errorf("connections were made ahead: %t, want %t", made, want)
		}
		m.ready = 0
	}
}

func forecastNew(t *testing.T) {
	actions := actionsOf("package", 40)
	m := &team{remote: newRemote(t), build: "all"}
	m.compile(t, actions[:20]...)
	m.compileOn(t, actions[:20], actions[20:40])
	m.taken()
	b := m.machine(t, t.TempDir())
	wantHits(t, b.gets(actions...), actions)
	b.end()
	if reads, _, _ := m.taken(); reads > 4 {
		t.Errorf("%d operations for 40 actions, want a few", reads)
	}
}

// TestForecastLocal: a local cache has no manifest.
func TestForecastLocal(t *testing.T) {
	cache := disk(t, t.TempDir(), filestream.Options{})
	c := start(t, gocacheprog.Options{Open: opened(cache), Local: true, Build: "all"})
	c.stored("a", pattern(10))
	c.close()
	c.server.Finish(t.Context())
	if n, err := cache.Len(t.Context()); n != 2 || err != nil {
		t.Errorf("%d entries (%v), want a record and an output", n, err)
	}
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
	for name, lie := range lies(t, actionsOf("package", 30)) {
		inBubble(t, name, func(t *testing.T) {
			m := &team{remote: newRemote(t), build: "all"}
			actions := actionsOf("package", 30)
			m.compile(t, actions...)
			manifest := keyOf(t, "go/manifest", []byte("all"))
			if err := m.Put(t.Context(), manifest, interfaces.Bytes(lie)); err != nil {
				t.Fatal(err)
			}
			b := m.machine(t, t.TempDir())
			wantHits(t, b.gets(actions...), actions)
			wantMiss(t, b.get("nothing"))
			b.end()
		})
	}
}

// lies returns manifests of the build of actions that are not true.
func lies(t *testing.T, actions []string) map[string][]byte {
	t.Helper()
	var others, nothing, swapped, truth []gocacheprog.Action
	for _, action := range actions {
		body := outputOf(action)
		truth = append(truth, gocacheprog.Action{Record: recordKey(t, action), Output: outputKey(t, body), Size: int64(len(body))})
	}
	for i, a := range truth {
		other, none, swap := a, a, a
		other.Output = truth[(i+1)%len(truth)].Output
		none.Output = sha256.Sum256(a.Record[:])
		swap.Record, swap.Output = a.Output, a.Record
		others, nothing, swapped = append(others, other), append(nothing, none), append(swapped, swap)
	}
	enormous := truth[0]
	enormous.Size = 1 << 62
	return map[string][]byte{
		"outputs of others":           gocacheprog.Manifest(others...),
		"keys of nothing":             gocacheprog.Manifest(nothing...),
		"records and outputs swapped": gocacheprog.Manifest(swapped...),
		"the same again and again":    gocacheprog.Manifest(slices.Repeat(truth[:1], 10_000)...),
		"enormous outputs":            gocacheprog.Manifest(enormous, enormous, enormous),
		"itself":                      gocacheprog.Manifest(gocacheprog.Action{Record: keyOf(t, "go/manifest", []byte("all"))}),
		"nothing":                     nil,
		"garbage":                     pattern(1000),
		"cut short":                   gocacheprog.Manifest(truth[0], truth[1])[:100],
		"too long":                    bytes.Repeat([]byte{1}, 5<<20),
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
