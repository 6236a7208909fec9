// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/redis"
)

// TestURLs: one variable is enough for each topology.
func TestURLs(t *testing.T) {
	sentinels, cluster := fleet.Sentinels(t), fleet.Cluster(t)
	for name, url := range map[string]string{
		"Sentinel":                 "redis://" + sentinels.Addrs[0] + "?addr=" + sentinels.Addrs[1] + "&addr=" + sentinels.Addrs[2] + "&master=" + sentinels.Name,
		"Cluster":                  "redis://" + cluster.Addrs[0] + "?addr=" + cluster.Addrs[1],
		"Cluster by one address":   "redis://" + cluster.Addrs[2] + "?cluster=true",
		"a database of one server": fleet.Single(t).URL + "/3",
	} {
		c := open(t, alone(redis.Options{URL: url}))
		put(t, c, key, "body")
		if got, err := body(t, c, key); got != "body" || err != nil {
			t.Errorf("%s: %q and error %v", name, got, err)
		}
	}
}

// Options that cannot be are an error that says what would be right, without
// the password.
func TestOptions(t *testing.T) {
	for words, opts := range map[string]redis.Options{
		"give url":                {},
		"give one or the other":   {URL: "redis://one", Addrs: []string{"two"}},
		"invalid URL scheme":      {URL: "http://u:hunter2@one"},
		"escape":                  {URL: "redis://u:hunter2/@one:port"},
		"unexpected option":       {URL: "redis://u:hunter2@one?colour=red"},
		"invalid database":        {URL: "redis://u:hunter2@one/first"},
		"choose one":              {URL: "redis://one?master=m&cluster=true"},
		"has no database 1":       {URL: "redis://one/1?cluster=true"},
		"0 or more":               {URL: "redis://one", DB: -1},
		"mean something to Redis": {URL: "redis://one", Prefix: "a*"},
		"a ttl of 1ms keeps":      {URL: "redis://one", TTL: time.Millisecond},
		"4KiB to 16MiB":           {URL: "redis://one", ChunkSize: 1},
		"not negative":            {URL: "redis://one", ReadTimeout: -1},
		"1 to 1000":               {URL: "redis://one", PoolSize: -1},
		"no such file":            {URL: "redis://one", TLS: redis.TLS{CA: "/nonexistent"}},
		"no certificate in":       {URL: "redis://one", TLS: redis.TLS{CA: "options.go"}},
		"open : no such file":     {URL: "redis://one", TLS: redis.TLS{Key: "options.go"}},
	} {
		c, err := redis.Open(t.Context(), opts)
		if err == nil || c != nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "hunter2") || !strings.HasPrefix(err.Error(), "redis: ") {
			t.Errorf("%+v: error %v, want one with %q", opts, err, words)
		}
		if again := opts.Validate(); again == nil || err == nil || again.Error() != err.Error() {
			t.Errorf("Validate: %v, want what Open says", again)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := redis.Open(cancelled, redis.Options{URL: "redis://one"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Open with a cancelled context: error %v", err)
	}
	if err := redis.Defaults().Validate(); err == nil {
		t.Error("the defaults have no address and are valid")
	}
}

// TestConnect: connections that were made ahead are those that operations use.
func TestConnect(t *testing.T) {
	const n = 4
	opts, all := alone(single(t)), make(chan struct{})
	var dials atomic.Int64
	opts.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials.Add(1) == n {
			close(all)
		}
		select { // each has to be made, since none is free
		case <-all:
		case <-ctx.Done():
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	c := open(t, opts)
	c.Connect(t.Context(), n)
	var gets sync.WaitGroup
	for range n {
		gets.Go(func() {
			if _, err := c.Get(t.Context(), interfaces.Key{1}); !errors.Is(err, cacheerr.ErrMiss) {
				t.Errorf("Get: %v, want a miss", err)
			}
		})
	}
	gets.Wait()
	if made := dials.Load(); made != n {
		t.Errorf("%d connections were made, want %d", made, n)
	}
}

// heard is a connection that tells what is sent first.
type heard struct {
	net.Conn
	once  sync.Once
	first func(string)
}

// Write implements [net.Conn].
func (h *heard) Write(p []byte) (int, error) {
	h.once.Do(func() { h.first(strings.ToLower(string(p))) })
	return h.Conn.Write(p)
}

// TestFirstWords: a connection that needs no password begins with what it is for,
// so that a Get of a distant server is one round trip and not two.
func TestFirstWords(t *testing.T) {
	for name, test := range map[string]struct {
		options redis.Options
		hello   bool
	}{
		"single":  {single(t), false},
		"Cluster": {redis.Options{Addrs: fleet.Cluster(t).Addrs}, false},
		"a user":  {redis.Options{URL: strings.Replace(fleet.Single(t).URL, "//", "//default:any@", 1)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			opts := alone(test.options)
			var mu sync.Mutex
			var begun []string
			opts.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
				return &heard{Conn: conn, first: func(text string) {
					mu.Lock()
					defer mu.Unlock()
					begun = append(begun, text)
				}}, err
			}
			c := open(t, opts)
			put(t, c, key, "body")
			if entry, err := c.Get(t.Context(), key); err != nil {
				t.Error(err)
			} else if text, _ := entry.Text(); text != "body" {
				t.Errorf("Get: %q", text)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, text := range begun {
				if strings.Contains(text, "hello") != test.hello {
					t.Errorf("a connection begins with %q", text)
				}
			}
			if len(begun) == 0 {
				t.Error("no connection was made")
			}
		})
	}
}
