// SPDX-License-Identifier: Apache-2.0

package faulttier_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tiercecache/tierce/cachetest"
	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/faulttier"
)

func TestConformance(t *testing.T) {
	below := make(map[interfaces.Cache]*cachetest.Full)
	wrap := func(full *cachetest.Full) interfaces.Cache {
		c := faulttier.New(full)
		below[c] = full
		return c
	}
	t.Run("T9 over a cache with every capability", func(t *testing.T) {
		cachetest.Run(t, cachetest.Config{
			Open: func(t *testing.T) interfaces.Cache { return wrap(cachetest.NewFull(t)) },
			Reopen: func(_ *testing.T, closed interfaces.Cache) interfaces.Cache {
				return wrap(below[closed].Reopen())
			},
			Damage:  func(_ *testing.T, c interfaces.Cache, key interfaces.Key) { below[c].Damage(key) },
			Require: cachetest.Capabilities(t.Context(), cachetest.NewFull(t)),
		})
	})
	t.Run("T9 over a cache with none", func(t *testing.T) {
		cachetest.Run(t, cachetest.Config{
			Open:    func(t *testing.T) interfaces.Cache { return faulttier.New(cachetest.Bare(cachetest.NewFull(t))) },
			Require: []string{"Closer"},
		})
	})
	t.Run("T9 over a cache that cannot be closed", func(t *testing.T) {
		cachetest.Run(t, cachetest.Config{
			Open:    func(t *testing.T) interfaces.Cache { return faulttier.New(closeless{cachetest.NewFull(t)}) },
			Require: []string{"Closer"},
		})
	})
}

type closeless struct{ interfaces.Cache }

var (
	key  = encoding.RawKey([]byte("key"))
	body = strings.Repeat("body", 1000)
)

// full returns a cache with every capability and one entry, and the rules.
func full(t *testing.T, rules ...faulttier.Rule) *faulttier.Cache {
	t.Helper()
	c := faulttier.New(cachetest.NewFull(t))
	if err := c.Put(t.Context(), key, interfaces.Text(body)); err != nil {
		t.Fatal(err)
	}
	c.SetRules(rules...)
	return c
}

// get returns what Get and the reading of its body return.
func get(ctx context.Context, c interfaces.Cache, key interfaces.Key) (string, error) {
	entry, err := c.Get(ctx, key)
	if err != nil {
		return "", err
	}
	read, err := io.ReadAll(entry.Reader())
	return string(read), errors.Join(err, entry.Close())
}

// calls are all operations, each of which a rule can choose.
func calls(ctx context.Context, c interfaces.Cache) map[faulttier.Op]func() error {
	put := func(entry interfaces.Entry) []interfaces.Item { return []interfaces.Item{{Key: key, Entry: entry}} }
	return map[faulttier.Op]func() error{
		faulttier.Get:      func() error { _, err := get(ctx, c, key); return err },
		faulttier.Put:      func() error { return c.Put(ctx, key, interfaces.Text(body)) },
		faulttier.Insert:   func() error { _, err := interfaces.Insert(ctx, c, key, interfaces.Text(body)); return err },
		faulttier.Delete:   func() error { return interfaces.Delete(ctx, c, key) },
		faulttier.Stat:     func() error { _, err := interfaces.Stat(ctx, c, key); return err },
		faulttier.Len:      func() error { _, err := interfaces.Len(ctx, c); return err },
		faulttier.Clear:    func() error { return interfaces.Clear(ctx, c) },
		faulttier.Path:     func() error { _, _, err := interfaces.Path(ctx, c, key); return err },
		faulttier.PutBatch: func() error { return interfaces.PutBatch(ctx, c, put(interfaces.Text(body))) },
		faulttier.Ping:     func() error { return interfaces.Ping(ctx, c) },
		faulttier.Close:    func() error { return interfaces.Close(c) },
		faulttier.List: func() error {
			for _, err := range interfaces.List(ctx, c) {
				return err
			}
			return nil
		},
		faulttier.GetBatch: func() error {
			each := func(_ int, _ interfaces.Entry, err error) error { return err }
			return interfaces.GetBatch(ctx, c, []interfaces.Key{key}, each)
		},
	}
}

func TestFail(t *testing.T) {
	for op := range calls(t.Context(), nil) {
		t.Run(string(op), func(t *testing.T) {
			own := errors.New("own")
			c := full(t,
				faulttier.Rule{On: []faulttier.Op{op}, When: faulttier.Nth(1), Fault: faulttier.Fail(nil)},
				faulttier.Rule{On: []faulttier.Op{op}, When: faulttier.Nth(2), Fault: faulttier.Fail(own)})
			before := c.Count(op)
			call := calls(t.Context(), c)[op]
			err := call()
			if _, ok := errors.AsType[cacheerr.BackendError](err); !ok || !errors.Is(err, faulttier.ErrInjected) {
				t.Errorf("first call: error %v, want a BackendError with cause ErrInjected", err)
			}
			if item, ok := errors.AsType[*interfaces.BatchError](err); op == faulttier.PutBatch && (!ok || item.Key != key) {
				t.Errorf("first call: error %v (%T), want a *interfaces.BatchError of the first item", err, err)
			}
			if op == faulttier.Close { // there is no second
				return
			}
			if err := call(); !errors.Is(err, own) {
				t.Errorf("second call: error %v, want %v", err, own)
			}
			if got, err := get(t.Context(), c, key); op != faulttier.Get && (err != nil || got != body) {
				t.Errorf("after the faults: %d bytes and error %v, want the entry untouched", len(got), err)
			}
			if err := call(); err != nil {
				t.Errorf("third call: %v", err)
			}
			if n := c.Count(op) - before; n < 3 || c.Faults() != 2 {
				t.Errorf("%d calls and %d faults counted, want 3 and 2", n, c.Faults())
			}
		})
	}
}

func TestCloseFailsAndCloses(t *testing.T) {
	below := cachetest.NewFull(t)
	c := faulttier.New(below, faulttier.Rule{Fault: faulttier.Fail(nil)})
	if err := c.Close(); !errors.Is(err, faulttier.ErrInjected) {
		t.Errorf("Close: error %v, want ErrInjected", err)
	}
	if err := below.Ping(t.Context()); !errors.Is(err, cacheerr.ErrClosed) {
		t.Errorf("the cache below after Close: %v, want ErrClosed", err)
	}
}

func TestUnsupportedIsNotCounted(t *testing.T) {
	c := faulttier.New(cachetest.Bare(cachetest.NewFull(t)), faulttier.Rule{On: []faulttier.Op{faulttier.Stat}, Fault: faulttier.Hang()})
	if _, err := interfaces.Stat(t.Context(), c, key); !errors.Is(err, cacheerr.ErrMiss) {
		t.Errorf("Stat by its fallback: error %v, want a miss", err)
	}
	if stats, gets := c.Count(faulttier.Stat), c.Count(faulttier.Get); stats != 0 || gets != 1 {
		t.Errorf("%d Stats and %d Gets counted, want 0 and 1", stats, gets)
	}
}

func TestBreakBody(t *testing.T) {
	for _, n := range []int64{0, 1, 2000, int64(len(body)), 1 << 20} {
		own := errors.New("own")
		c := full(t, faulttier.Rule{Fault: faulttier.BreakBody(n, own)})
		got, err := get(t.Context(), c, key)
		if want := body[:min(n, int64(len(body)))]; got != want || !errors.Is(err, own) {
			t.Errorf("Get with a body that fails after %d bytes: %d bytes and error %v", n, len(got), err)
		}
		for _, op := range []faulttier.Op{faulttier.Put, faulttier.PutBatch} {
			if err := calls(t.Context(), c)[op](); !errors.Is(err, own) {
				t.Errorf("%s of a body that fails after %d bytes: error %v, want %v", op, n, err, own)
			}
		}
		c.SetRules()
		if got, err := get(t.Context(), c, key); err != nil || got != body {
			t.Errorf("after the rules went: %d bytes and error %v, want the entry untouched", len(got), err)
		}
	}
}

func TestFlip(t *testing.T) {
	short, long := encoding.RawKey([]byte("short")), key
	c := full(t)
	if err := c.Put(t.Context(), short, interfaces.Text("short")); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[int64][2]string{
		0:       {"rhort", "c" + body[1:]},
		4:       {"shoru", body[:4] + "c" + body[5:]},
		3000:    {"short", body[:3000] + "c" + body[3001:]},
		1 << 20: {"short", body},
	} {
		c.SetRules(faulttier.Rule{Fault: faulttier.Flip(at)})
		for i, key := range []interfaces.Key{short, long} { // in memory and open
			if got, err := get(t.Context(), c, key); err != nil || got != want[i] {
				t.Errorf("Flip(%d) of body %d: %.10q... and error %v, want %.10q...", at, i, got, err, want[i])
			}
		}
	}
	c.SetRules(faulttier.Rule{Fault: faulttier.Flip(1)})
	checked := interfaces.Text("a").WithHead(interfaces.Head{Checksum: encoding.SumString(key, "ab")})
	if err := c.Put(t.Context(), key, checked); err == nil {
		t.Error("Put of a damaged body with the checksum of the whole one: no error")
	}
}

func TestBatchBodies(t *testing.T) {
	c := full(t, faulttier.Rule{Fault: faulttier.Flip(0)})
	want := "c" + body[1:]
	err := c.GetBatch(t.Context(), []interfaces.Key{key, key}, func(i int, entry interfaces.Entry, err error) error {
		got, readErr := io.ReadAll(entry.Reader())
		if string(got) != want || err != nil || readErr != nil {
			t.Errorf("body %d of the batch: %.10q... and errors %v and %v, want %.10q...", i, got, err, readErr, want)
		}
		return nil
	})
	if err != nil {
		t.Errorf("GetBatch: %v", err)
	}
	other := encoding.RawKey([]byte("other"))
	if inserted, err := c.Insert(t.Context(), other, interfaces.Text(body)); err != nil || !inserted {
		t.Errorf("Insert: %t and error %v, want true", inserted, err)
	}
	c.SetRules()
	if got, err := get(t.Context(), c, other); err != nil || got != want {
		t.Errorf("what Insert kept: %.10q... and error %v, want %.10q...", got, err, want)
	}
}

func TestHangUntilCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := full(t, faulttier.Rule{On: []faulttier.Op{faulttier.Get}, Fault: faulttier.Hang()})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { _, err := get(ctx, c, key); done <- err }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("Get returned %v before it was cancelled", err)
		default:
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Get after it was cancelled: error %v, want context.Canceled", err)
		}
	})
}

func TestWaitForTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ready := make(chan struct{})
		c := full(t, faulttier.Rule{On: []faulttier.Op{faulttier.Get}, When: faulttier.UpTo(3), Fault: faulttier.Wait(ready)})
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if got, err := get(t.Context(), c, key); err != nil || got != body {
					t.Errorf("Get that had to wait: %d bytes and error %v", len(got), err)
				}
			})
		}
		synctest.Wait()
		if n := c.Faults(); n != 3 {
			t.Errorf("%d calls wait, want 3", n)
		}
		if _, err := get(t.Context(), c, key); err != nil {
			t.Errorf("the fourth Get: %v", err)
		}
		close(ready)
		all.Wait()
	})
}

func TestWhen(t *testing.T) {
	for when, want := range map[faulttier.When]string{
		nil: "!!!!!", faulttier.Nth(2): ".!...", faulttier.From(4): "...!!", faulttier.UpTo(2): "!!...",
		faulttier.Chance(0, 1): ".....", faulttier.Chance(1, 1): "!!!!!",
	} {
		c := full(t, faulttier.Rule{On: []faulttier.Op{faulttier.Get}, Key: key, When: when, Fault: faulttier.Fail(nil)})
		other := encoding.RawKey([]byte("another"))
		got := ""
		for range 5 {
			if _, err := get(t.Context(), c, other); !errors.Is(err, cacheerr.ErrMiss) {
				t.Errorf("%v: Get of another key: error %v, want a miss", when, err)
			}
			_ = c.Ping(t.Context()) // of no key: not counted by the rule
			if _, err := get(t.Context(), c, key); err != nil {
				got += "!"
			} else {
				got += "."
			}
		}
		if got != want {
			t.Errorf("%v chooses %s, want %s", when, got, want)
		}
	}
}

func TestChanceIsRepeatable(t *testing.T) {
	choose := func(seed uint64) (chosen string) {
		c := full(t, faulttier.Rule{When: faulttier.Chance(0.3, seed), Fault: faulttier.Fail(nil)})
		for range 300 {
			chosen += fmt.Sprint(c.Ping(t.Context()) != nil)
		}
		return chosen
	}
	first := choose(7)
	if first != choose(7) || first == choose(8) {
		t.Error("want the same calls for the same seed, and others for another")
	}
	if n := strings.Count(first, "true"); n < 50 || n > 130 {
		t.Errorf("%d of 300 calls chosen with chance 0.3", n)
	}
}

func TestFirstRuleDecides(t *testing.T) {
	own := errors.New("own")
	rules := []faulttier.Rule{{When: faulttier.Nth(2), Fault: faulttier.Fail(own)}, {Fault: faulttier.Fail(nil)}}
	c := full(t, rules...)
	clear(rules) // which are the cache's no more
	for i, want := range []error{faulttier.ErrInjected, own, faulttier.ErrInjected} {
		if err := c.Ping(t.Context()); !errors.Is(err, want) {
			t.Errorf("call %d: error %v, want %v", i+1, err, want)
		}
	}
}

func ExampleRule() {
	fmt.Println(faulttier.Rule{Fault: faulttier.Hang()})
	fmt.Println(faulttier.Rule{
		On:    []faulttier.Op{faulttier.Put, faulttier.Insert},
		When:  faulttier.Nth(3),
		Fault: faulttier.BreakBody(100, nil),
	})
	fmt.Println(faulttier.Rule{
		On:    []faulttier.Op{faulttier.Get},
		Key:   encoding.RawKey([]byte("key")),
		When:  faulttier.Chance(0.5, 1),
		Fault: faulttier.Flip(7),
	})
	// Output:
	// any operation: hang until cancelled
	// put or insert, call 3: body fails after 100 bytes with "faulttier: injected"
	// get of key 2c70e12b7a06, with chance 0.5 of seed 1: body has byte 7 damaged
}
