// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/redistest"
	"github.com/tiercecache/tierce/redis"
)

// fleet has the servers that the tests share, each of which has a prefix of its
// own.
var fleet redistest.Fleet

func TestMain(m *testing.M) { os.Exit(fleet.Run(m)) }

// topology is a way to keep Redis.
type topology struct {
	name    string
	options func(t testing.TB) redis.Options
}

var topologies = []topology{
	{"single", single},
	{"TLS and ACL", func(t testing.TB) redis.Options {
		s := fleet.TLS(t)
		return redis.Options{URL: s.URL, TLS: redis.TLS{CA: s.CA}}
	}},
	{"socket", func(t testing.TB) redis.Options { return redis.Options{URL: redistest.Socket(t).URL} }},
	{"Sentinel", func(t testing.TB) redis.Options {
		s := fleet.Sentinels(t)
		return redis.Options{Addrs: s.Addrs, Master: s.Name}
	}},
	{"Cluster", func(t testing.TB) redis.Options { return redis.Options{Addrs: fleet.Cluster(t).Addrs} }},
}

// restricted are those with several servers, for the user of their ACL; one
// server's is in "TLS and ACL".
var restricted = []topology{
	{"Sentinel and ACL", func(t testing.TB) redis.Options {
		s := fleet.Sentinels(t)
		return redis.Options{Addrs: s.Addrs, Master: s.Name, Username: s.Servers[0].Username, Password: s.Servers[0].Password}
	}},
	{"Cluster and ACL", func(t testing.TB) redis.Options {
		c := fleet.Cluster(t)
		return redis.Options{Addrs: c.Addrs, Username: c.Servers[0].Username, Password: c.Servers[0].Password}
	}},
}

func single(t testing.TB) redis.Options { return redis.Options{URL: fleet.Single(t).URL} }

var prefixes atomic.Int64

// alone returns opts with a prefix that no other cache has. It begins as the
// ACL of redistest wants it.
func alone(opts redis.Options) redis.Options {
	opts.Prefix = fmt.Sprintf("%s%d:", redistest.Prefix, prefixes.Add(1))
	return opts
}

// open opens a cache, which the test closes when it ends.
func open(t testing.TB, opts redis.Options) *redis.Cache {
	t.Helper()
	c, err := redis.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// far is the server of a cache as it is, for what must happen behind its back.
type far struct {
	goredis.UniversalClient
	testing.TB
	prefix string
}

// behind returns the server of a cache that was opened with opts.
func behind(t testing.TB, opts redis.Options) far {
	t.Helper()
	o := &goredis.UniversalOptions{Addrs: opts.Addrs, MasterName: opts.Master}
	if opts.URL != "" {
		parsed, err := goredis.ParseURL(opts.URL)
		if err != nil {
			t.Fatal(err)
		}
		o.Addrs, o.Username, o.Password = []string{parsed.Addr}, parsed.Username, parsed.Password
	}
	if opts.TLS.CA != "" {
		pem, err := os.ReadFile(opts.TLS.CA)
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		o.TLSConfig = &tls.Config{RootCAs: pool}
	}
	client := goredis.NewUniversalClient(o)
	t.Cleanup(func() { _ = client.Close() })
	return far{client, t, opts.Prefix}
}

// name returns what the server calls the entry under key.
func (f far) name(key interfaces.Key) string { return f.prefix + "1:" + key.String() }

func (f far) value(name string) string {
	f.Helper()
	value, err := f.Get(f.Context(), name).Result()
	if err != nil {
		f.Fatal(err)
	}
	return value
}

func (f far) set(name, value string) {
	f.Helper()
	if err := f.Set(f.Context(), name, value, goredis.KeepTTL).Err(); err != nil {
		f.Fatal(err)
	}
}

// chunks returns the names of the chunks of the entry under key, in order.
func (f far) chunks(key interfaces.Key) (names []string) {
	f.Helper()
	value := f.value(f.name(key))
	if value[1] != 2 {
		return nil
	}
	for n := 0; ; n++ {
		name := fmt.Sprintf("%s1:+%x:%d", f.prefix, value[len(value)-20:len(value)-4], n)
		if f.Exists(f.Context(), name).Val() == 0 {
			return names
		}
		names = append(names, name)
	}
}

// flip changes the last bit of a value.
func (f far) flip(name string) {
	f.Helper()
	value := []byte(f.value(name))
	value[len(value)-1] ^= 1
	f.set(name, string(value))
}
