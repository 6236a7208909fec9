// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/redistest"
	"github.com/tiercecache/tierce/redis"
)

// patience is how long a cache may take to find the new master: on a busy machine
// that is long, and less than the minute after which go-redis looks by itself.
const patience = 30 * time.Second

// eventually calls do until it returns nil.
func eventually(t *testing.T, what string, do func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for last := errors.New("no answer"); ; {
		err := do(ctx)
		if err == nil {
			return
		}
		if !errors.Is(err, context.DeadlineExceeded) { // which says less
			last = err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, last)
		}
	}
}

// TestFailover: a cache that was open when a master was killed goes on with the
// one in its place, in all that it does.
func TestFailover(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) (opts redis.Options, failover func(name string)){
		"Sentinel": func(t *testing.T) (redis.Options, func(string)) {
			s := redistest.NewSentinels(t)
			return redis.Options{Addrs: s.Addrs, Master: s.Name}, func(string) { s.Failover(t) }
		},
		"Cluster": func(t *testing.T) (redis.Options, func(string)) {
			c := redistest.NewCluster(t)
			return redis.Options{Addrs: c.Addrs}, func(name string) {
				c.KillMasterOf(t, name)
				c.Settle(t)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			opts, failover := start(t)
			opts = alone(opts)
			c := open(t, opts)
			c.Connect(t.Context(), 4) // so that several connections break
			put(t, c, key, "before")
			failover(behind(t, opts).name(key))
			eventually(t, "Get", func(ctx context.Context) error {
				entry, err := c.Get(ctx, key)
				if errors.Is(err, cacheerr.ErrMiss) { // it may be lost, and be nothing else
					return nil
				}
				if text, _ := entry.Text(); err == nil && text != "before" {
					t.Errorf("Get: %q", text)
				}
				return err
			})
			works(t, c)
		})
	}
}

// works holds that a cache reads and writes, everywhere that keys can be.
func works(t *testing.T, c *redis.Cache) {
	t.Helper()
	put(t, c, key, "after")
	if got, err := body(t, c, key); got != "after" || err != nil {
		t.Errorf("Get: %q and error %v", got, err)
	}
	if err := c.Delete(t.Context(), key); err != nil {
		t.Errorf("Delete: %v", err)
	}
	for _, want := range []bool{true, false} {
		if won, err := c.Insert(t.Context(), key, interfaces.Text("inserted")); won != want || err != nil {
			t.Errorf("Insert: %t and error %v, want %t", won, err, want)
		}
	}
	keys, items := []interfaces.Key{key}, []interfaces.Item(nil)
	for i := range 100 {
		item := interfaces.Item{Key: interfaces.Key{7, byte(i)}, Entry: interfaces.Text(strconv.Itoa(i))}
		keys, items = append(keys, item.Key), append(items, item)
	}
	if err := c.PutBatch(t.Context(), items); err != nil {
		t.Errorf("PutBatch: %v", err)
	}
	err := c.GetBatch(t.Context(), keys, func(i int, entry interfaces.Entry, err error) error {
		want := "inserted"
		if i > 0 {
			want = strconv.Itoa(i - 1)
		}
		if text, _ := entry.Text(); text != want || err != nil {
			return fmt.Errorf("key %d: %q and error %w, want %q", i, text, err, want)
		}
		return nil
	})
	if err != nil {
		t.Errorf("GetBatch: %v", err)
	}
}

// TestMove: what a Cluster is moving from one master to another can be read and
// written meanwhile, with no more rights than docs/redis.md gives.
func TestMove(t *testing.T) {
	cluster := fleet.Cluster(t)
	from := cluster.Servers[0]
	opts := alone(redis.Options{Addrs: cluster.Addrs, Username: from.Username, Password: from.Password})
	c := open(t, opts)
	reads := opts
	reads.Username = from.Reader
	reader := open(t, reads)
	move(t, cluster, behind(t, opts).name(key))
	works(t, c)
	if got, err := body(t, reader, key); got != "inserted" || err != nil {
		t.Errorf("the reader's Get: %q and error %v", got, err)
	}
	err := reader.GetBatch(t.Context(), []interfaces.Key{key}, func(_ int, _ interfaces.Entry, err error) error { return err })
	if err != nil {
		t.Errorf("the reader's GetBatch: %v", err)
	}
	if err := c.Delete(t.Context(), key); err != nil { // as long as it can be found
		t.Errorf("Delete: %v", err)
	}
}

// move begins to move the slot of name to another master; at the end of the test
// it stays where it was.
func move(t *testing.T, cluster *redistest.Cluster, name string) {
	t.Helper()
	from := cluster.MasterOf(t, name)
	to := from
	for i := 0; to == from; i++ {
		to = cluster.MasterOf(t, strconv.Itoa(i))
	}
	slot := from.Do(t, "CLUSTER", "KEYSLOT", name)
	t.Cleanup(func() {
		from.Do(t, "CLUSTER", "SETSLOT", slot, "STABLE")
		to.Do(t, "CLUSTER", "SETSLOT", slot, "STABLE")
	})
	to.Do(t, "CLUSTER", "SETSLOT", slot, "IMPORTING", from.Do(t, "CLUSTER", "MYID"))
	from.Do(t, "CLUSTER", "SETSLOT", slot, "MIGRATING", to.Do(t, "CLUSTER", "MYID"))
}
