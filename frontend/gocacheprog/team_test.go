// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tiercecache/tierce/encoding"
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
