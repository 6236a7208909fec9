// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tiercecache/tierce/config"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// counter is a cache that has nothing and counts Puts.
type counter struct {
	mu   sync.Mutex
	puts int // guarded by mu
}

func (c *counter) Get(context.Context, interfaces.Key) (interfaces.Entry, error) {
	return interfaces.Entry{}, cacheerr.ErrMiss
}

func (c *counter) Put(context.Context, interfaces.Key, interfaces.Entry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.puts++
	return nil
}

// opened is an observer of which layers a stack has.
type opened struct{ names []string }

func (o *opened) Observe(e tiers.Event) {
	if e.Op == tiers.OpOpen {
		o.names = append(o.names, e.Layer)
	}
}

// What a file says of a layer holds in the stack, and the order is the file's.
func TestLayerPolicies(t *testing.T) {
	counters := make(map[string]*counter)
	registry := config.Registry{"counter": func(_ context.Context, raw config.Raw) (interfaces.Cache, error) {
		if err := raw.Decode(&struct{}{}); err != nil {
			return nil, err
		}
		counters[raw.Name] = new(counter)
		return counters[raw.Name], nil
	}}
	c := load(t, fromFile(t, `
tiers:
  - {type: counter, name: small, max_body: 1KiB}
  - {type: counter, name: all}
  - {type: counter, name: closed, read_only: true}
`))
	observer := new(opened)
	stack, err := c.Open(t.Context(), registry, tiers.Options{Observer: observer})
	if err != nil {
		t.Fatal(err)
	}
	for i, size := range []int{1 * kib, 2 * kib} {
		if err := stack.Put(t.Context(), interfaces.Key{byte(i)}, interfaces.Text(strings.Repeat("x", size))); err != nil {
			t.Fatal(err)
		}
	}
	if err := stack.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"small": 1, "all": 2, "closed": 0} {
		if got := counters[name].puts; got != want {
			t.Errorf("the tier %s got %d Puts, want %d", name, got, want)
		}
	}
	if got := strings.Join(observer.names, " "); got != "small all closed" {
		t.Errorf("the layers are %s, want small all closed", got)
	}
}

func TestQueue(t *testing.T) {
	c := load(t, fromFile(t, "queue: {size: 5, wait: true, workers: 2, drain_timeout: 3s}\n"))
	if want := (config.Queue{Size: 5, Wait: true, Workers: 2, DrainTimeout: 3 * time.Second}); c.Queue != want {
		t.Errorf("the queue is %+v, want %+v", c.Queue, want)
	}
	open(t, c, config.Builtin())
}

// gate is a cache whose Puts wait until it is opened.
type gate struct {
	counter
	opened chan struct{}
}

func (g *gate) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	<-g.opened
	return g.counter.Put(ctx, key, entry)
}

// drops is an observer that counts what was not written behind.
type drops struct {
	mu sync.Mutex
	n  int // guarded by mu
}

func (d *drops) Observe(e tiers.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.Result == tiers.Dropped {
		d.n++
	}
}

// A tier behind a queue of two, of which a worker takes another one: of ten
// keys at least seven find no room.
func TestQueueOfAStack(t *testing.T) {
	late := &gate{opened: make(chan struct{})}
	registry := config.Builtin()
	registry["gate"] = func(context.Context, config.Raw) (interfaces.Cache, error) { return late, nil }
	c := load(t, fromFile(t, "queue: {size: 2, workers: 1}\ntiers: [{type: memory}, {type: gate, behind: true}]\n"))
	observer := new(drops)
	stack, err := c.Open(t.Context(), registry, tiers.Options{Observer: observer, QueueSize: 100})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if err := stack.Put(t.Context(), interfaces.Key{byte(i)}, interfaces.Text("body")); err != nil {
			t.Fatal(err)
		}
	}
	close(late.opened)
	if err := stack.Close(); err != nil {
		t.Fatal(err)
	}
	if observer.n < 7 || observer.n+late.puts != 10 {
		t.Errorf("%d keys were dropped and %d written, want at least 7 of 10 dropped", observer.n, late.puts)
	}
}
