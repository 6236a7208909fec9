// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/frontend/gocacheprog"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/faulttier"
	"github.com/tiercecache/tierce/tiers"
)

// lookups are the operations of which a get may be made.
var lookups = []faulttier.Op{faulttier.Get, faulttier.Path, faulttier.Stat, faulttier.GetBatch}

// TestOrder is PROTOCOLS 1, Concurrency: answers in any order, and standard
// input read whatever the cache does.
func TestOrder(t *testing.T) {
	t.Run("a get that waits holds up no other", func(t *testing.T) {
		ill := faulttier.New(disk(t, t.TempDir(), filestream.Options{}))
		c := start(t, gocacheprog.Options{Open: opened(ill)})
		body := pattern(100)
		c.stored("a", body)
		ready := make(chan struct{})
		ill.SetRules(faulttier.Rule{On: lookups, When: faulttier.Nth(1), Fault: faulttier.Wait(ready)})
		waiting := c.sendGet("a")
		waitFor(t, func() bool { return ill.Faults() > 0 })
		wantHit(t, c.get("a"), body)
		c.stored("b", pattern(large))
		wantHit(t, c.get("b"), pattern(large))
		select {
		case a := <-waiting:
			t.Errorf("answered before the cache did: %s", a.text)
		default:
		}
		close(ready)
		wantHit(t, c.wait(waiting), body)
		c.close()
	})
	for _, local := range []bool{true, false} {
		t.Run(fmt.Sprintf("standard input is drained while puts are stuck/local=%t", local), func(t *testing.T) { stuckPuts(t, local) })
	}
}

// stuckPuts has far more puts stuck than there are cores, of more bytes than a
// helper may hold in memory.
func stuckPuts(t *testing.T, local bool) {
	t.Setenv("TMPDIR", t.TempDir())
	ready := make(chan struct{})
	ill := faulttier.New(disk(t, t.TempDir(), filestream.Options{}))
	c := start(t, gocacheprog.Options{Open: opened(ill), Local: local, Patience: time.Hour})
	c.stored("there", []byte("here"))
	ill.SetRules(faulttier.Rule{On: []faulttier.Op{faulttier.Put}, Fault: faulttier.Wait(ready)})
	body := pattern(1 << 20)
	inFile := c.sendPut("large", pattern(large))
	stuck := make(map[string]<-chan answer)
	inMemory := int64(0)
	for i := range 40 {
		action := fmt.Sprint("a", i)
		stuck[action] = c.sendPut(action, body[i:])
		if i < 32 {
			inMemory += int64(len(body) - i)
		}
	}
	wantHit(t, c.get("there"), []byte("here"))
	if held := gocacheprog.Held(c.server); held != inMemory {
		t.Errorf("%d bytes of bodies are in memory, want %d: neither the large one nor the 8 above 32 MiB", held, inMemory)
	}
	close(ready)
	for i := range 40 {
		a := c.wait(stuck[fmt.Sprint("a", i)])
		if a.Err != "" {
			t.Fatalf("put %d: %s", i, a.text)
		}
		wantFile(t, a.DiskPath, body[i:])
	}
	wantFile(t, c.wait(inFile).DiskPath, pattern(large))
	wantHit(t, c.get("a39"), body[39:])
	c.close()
}

// waitFor returns when holds, which another goroutine makes true.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for !holds() {
		if t.Context().Err() != nil {
			t.Fatal("the test is over")
		}
	}
}

// TestPatience: a request is bounded by the server itself, since the go command
// waits for ever.
func TestPatience(t *testing.T) {
	t.Run("a get becomes a miss when the cache hangs", func(t *testing.T) { synctest.Test(t, testHangingGet) })
	t.Run("the default is 10 seconds, also for a tier that does not listen", func(t *testing.T) { synctest.Test(t, testDeafTier) })
	t.Run("a put goes to the private cache when the cache hangs", func(t *testing.T) { synctest.Test(t, testHangingPut) })
	t.Run("what an action cost is known after a get that waited in vain", func(t *testing.T) { synctest.Test(t, testCostOfVainGet) })
}

func testHangingGet(t *testing.T) {
	ill := faulttier.New(disk(t, t.TempDir(), filestream.Options{}), faulttier.Rule{On: lookups, Fault: faulttier.Hang()})
	var told warnings
	var events recorder
	c := start(t, gocacheprog.Options{Open: opened(ill), Observer: &events, Warn: told.warn, Patience: time.Minute})
	began := time.Now()
	first, second := c.sendGet("a"), c.sendGet("b")
	wantMiss(t, c.wait(first))
	wantMiss(t, c.wait(second))
	if took := time.Since(began); took != time.Minute {
		t.Errorf("answered after %v, want the patience of a minute", took)
	}
	synctest.Wait() // also who asked the cache has gone
	if got := events.results(tiers.OpGet); len(got) != 2 || got[0] != tiers.Miss || got[1] != tiers.Miss {
		t.Errorf("events of two gets: %v, want one miss for each", got)
	}
	if e := events.all()[0]; e.Reason != cacheerr.ReasonIllTier {
		t.Errorf("the miss has reason %q, want %q", e.Reason, cacheerr.ReasonIllTier)
	}
	if got := told.all(); len(got) != 1 || !strings.Contains(got[0], "1m0s") {
		t.Errorf("the user was told %q, want how long it took, once", got)
	}
	c.close()
}

func testDeafTier(t *testing.T) {
	far := &deaf{stay: time.Hour}
	stack := stackOf(t, nil,
		tiers.Layer{Name: "disk", Tier: disk(t, t.TempDir(), filestream.Options{})}, tiers.Layer{Name: "far", Tier: far})
	var told warnings
	c := start(t, gocacheprog.Options{Open: opened(stack), Warn: told.warn})
	began := time.Now()
	wantMiss(t, c.get("a"))
	if took := time.Since(began); took != 10*time.Second {
		t.Errorf("answered after %v, want 10s", took)
	}
	if len(told.all()) != 1 {
		t.Errorf("the user was told %q, want one text", told.all())
	}
	c.close()
	<-time.After(time.Hour) // of the bubble: the tier answers at last
	synctest.Wait()
}

func testHangingPut(t *testing.T) {
	ill := faulttier.New(disk(t, t.TempDir(), filestream.Options{}), faulttier.Rule{On: []faulttier.Op{faulttier.Put}, Fault: faulttier.Hang()})
	var told warnings
	c := start(t, gocacheprog.Options{
		Open: opened(ill), Private: opened(disk(t, t.TempDir(), filestream.Options{})), Warn: told.warn, Patience: time.Second,
	})
	body := pattern(100)
	c.stored("a", body)
	wantHit(t, c.get("a"), body)
	if len(told.all()) != 1 {
		t.Errorf("the user was told %q, want one text", told.all())
	}
	c.close()
}

func testCostOfVainGet(t *testing.T) {
	ill := faulttier.New(disk(t, t.TempDir(), filestream.Options{}), faulttier.Rule{On: lookups, When: faulttier.Nth(1), Fault: faulttier.Hang()})
	var counters tiers.Counters
	var told warnings
	c := start(t, gocacheprog.Options{Open: opened(ill), Observer: &counters, Warn: told.warn, Patience: time.Second})
	wantMiss(t, c.get("a"))
	<-time.After(2 * time.Second) // of the bubble: it is compiled
	c.stored("a", pattern(100))
	wantHit(t, c.get("a"), pattern(100))
	if got := counters.Snapshot().SecondsSaved; got != 2 {
		t.Errorf("%v s saved, want the 2 between the missed get and the put", got)
	}
	c.close()
}

// deaf is a tier that answers after a while and does not listen to contexts.
type deaf struct{ stay time.Duration }

func (d *deaf) Get(context.Context, interfaces.Key) (interfaces.Entry, error) {
	<-time.After(d.stay) // in a bubble
	return interfaces.Entry{}, cacheerr.ErrMiss
}

func (d *deaf) Put(context.Context, interfaces.Key, interfaces.Entry) error { return nil }

func stackOf(t testing.TB, observer tiers.Observer, layers ...tiers.Layer) *tiers.Stack {
	t.Helper()
	stack, err := tiers.New(tiers.Options{Observer: observer}, layers...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stack.Close() })
	return stack
}

// outstanding returns a client that waits for a put and a get until ready is closed.
func outstanding(t *testing.T) (c *client, put, get <-chan answer, ready chan struct{}) {
	t.Helper()
	ready = make(chan struct{})
	slow := faulttier.Rule{On: append([]faulttier.Op{faulttier.Put}, lookups...), Fault: faulttier.Wait(ready)}
	c = start(t, gocacheprog.Options{Open: opened(faulttier.New(disk(t, t.TempDir(), filestream.Options{}), slow)), Patience: time.Hour})
	return c, c.sendPut("a", pattern(100)), c.sendGet("b"), ready
}

// TestOutstanding: neither close nor the end of standard input cuts off what is
// outstanding.
func TestOutstanding(t *testing.T) {
	t.Run("close is answered last", func(t *testing.T) { synctest.Test(t, testCloseIsLast) })
	t.Run("the end of standard input waits for all", func(t *testing.T) { synctest.Test(t, testEndWaits) })
	t.Run("a stream that breaks off waits for all too", func(t *testing.T) { synctest.Test(t, testBreakWaits) })
}

func testCloseIsLast(t *testing.T) {
	c, put, get, ready := outstanding(t)
	closed := c.send(request{Command: "close"}, nil)
	synctest.Wait()
	select {
	case <-closed:
		t.Error("close is answered before a put and a get are")
	default:
	}
	close(ready)
	c.wait(closed)
	// They were read before close was.
	if len(put) != 1 || len(get) != 1 {
		t.Error("the put or the get was answered after close")
	}
	wantFile(t, c.wait(put).DiskPath, pattern(100))
	wantMiss(t, c.wait(get))
	if err := c.end(); err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

func testEndWaits(t *testing.T) {
	c, put, get, ready := outstanding(t)
	_ = c.in.Close()
	synctest.Wait()
	select {
	case <-c.served:
		t.Error("Serve returned before a put and a get were answered")
	default:
	}
	close(ready)
	if err := c.end(); err != nil {
		t.Errorf("Serve returned %v", err)
	}
	wantFile(t, c.wait(put).DiskPath, pattern(100))
	wantMiss(t, c.wait(get))
}

func testBreakWaits(t *testing.T) {
	c, put, _, ready := outstanding(t)
	_, _ = c.w.WriteString("{")
	_ = c.w.Flush()
	_ = c.in.Close()
	synctest.Wait()
	close(ready)
	if err := c.end(); !errors.Is(err, gocacheprog.ErrProtocol) {
		t.Errorf("Serve returned %v, want ErrProtocol", err)
	}
	wantFile(t, c.wait(put).DiskPath, pattern(100))
}
