// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// Options are the settings of a [Cache]. URL or Addrs must be set; the rest
// works as it is.
type Options struct {
	// URL says where the server is, and who asks: redis://user:password@host:port/db,
	// rediss:// with TLS, unix://user:password@/path/to/socket?db=0. Parameters:
	// addr, once for each further address, and master or cluster=true, as the
	// fields below; skip_verify=true believes any certificate.
	URL string `yaml:"-"`
	// Addrs are host:port, or the path of a socket, in place of a URL: of the
	// server, of the Sentinels, or of some nodes of the Cluster. Several without
	// Master are a Cluster.
	Addrs []string `yaml:"addrs"`
	// Master is the name of the master that the Sentinels at Addrs watch.
	Master string `yaml:"master"`
	// Cluster says that even a single address is one of a Cluster.
	Cluster bool `yaml:"cluster"`

	// Username and Password are those of the ACL; those of a URL come before
	// them.
	Username string `yaml:"username"`
	Password string `yaml:"-"`
	// SentinelUsername and SentinelPassword are for the Sentinels themselves.
	SentinelUsername string `yaml:"sentinel_username"`
	SentinelPassword string `yaml:"-"`
	// DB is the number of the database; a Cluster has only 0.
	DB int `yaml:"db"`
	// TLS is for connections that are encrypted: all, if any field of it is
	// set or the URL is rediss://.
	TLS TLS `yaml:"-"`

	// Prefix begins every name on the server, so that an ACL can be for it
	// alone; "" is "tierce:". It has none of * ? [ ] \ { }.
	Prefix string `yaml:"prefix"`
	// TTL is how long an entry is kept after it was written, and up to a tenth
	// more or less; 0 is 14 days. Reading does not prolong it.
	TTL time.Duration `yaml:"ttl"`
	// ChunkSize is the largest body in bytes that is written in one piece, and
	// the size of the pieces of larger ones: 4 KiB to 16 MiB; 0 is 2 MiB.
	ChunkSize int64 `yaml:"chunk_size"`
	// DialTimeout is how long making a connection may take; 0 is 2 s.
	DialTimeout time.Duration `yaml:"dial_timeout"`
	// ReadTimeout is how long the server may take to answer, or to take what is
	// sent; a context's deadline comes before it. 0 is 5 s.
	ReadTimeout time.Duration `yaml:"read_timeout"`
	// PoolSize is the most connections to one server; 0 is 16.
	PoolSize int `yaml:"pool_size"`

	// Clock tells the time; nil is time.Now.
	Clock func() time.Time `yaml:"-"`
	// Random returns a number from 0 up to 1, for the jitter; nil is
	// rand.Float64.
	Random func() float64 `yaml:"-"`
	// Dial makes the connections, before TLS; nil is a [net.Dialer].
	Dial func(ctx context.Context, network, addr string) (net.Conn, error) `yaml:"-"`
}

// TLS is how the server is known, and this client to it. Files are PEM.
type TLS struct {
	CA         string // file with the authorities' certificates; "" is the system's
	Cert       string // file with this client's certificate; Key comes with it
	Key        string // file with this client's private key
	ServerName string // that the certificate is for; "" is the address's host
}

const (
	smallestChunk = 4 << 10
	largestChunk  = 16 << 20
)

// settings are options that were checked and completed.
type settings struct {
	addrs       []string
	master      string
	cluster     bool
	username    string
	password    string
	sentinel    [2]string // user and password
	db          int
	tls         *tls.Config // nil for none
	prefix      string      // with the version
	ttl         time.Duration
	chunk       int64
	dialTimeout time.Duration
	readTimeout time.Duration
	pool        int
	clock       func() time.Time
	random      func() float64
	dial        func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Defaults returns the options with what their zeros stand for.
func Defaults() Options {
	return Options{
		Prefix: "tierce:", TTL: 14 * 24 * time.Hour, ChunkSize: 2 << 20, DialTimeout: 2 * time.Second, ReadTimeout: 5 * time.Second, PoolSize: 16,
	}
}

// Validate returns what [Open] would have against the options, or nil.
func (o Options) Validate() error {
	_, err := o.complete()
	return err
}

// complete returns the settings that o stands for, or what is wrong with it.
func (o Options) complete() (settings, error) {
	standard := Defaults()
	s := settings{
		addrs: o.Addrs, master: o.Master, cluster: o.Cluster, username: o.Username, password: o.Password,
		sentinel: [2]string{o.SentinelUsername, o.SentinelPassword}, db: o.DB,
		prefix: or(o.Prefix, standard.Prefix) + layout, ttl: or(o.TTL, standard.TTL), chunk: or(o.ChunkSize, standard.ChunkSize),
		dialTimeout: or(o.DialTimeout, standard.DialTimeout), readTimeout: or(o.ReadTimeout, standard.ReadTimeout),
		pool: or(o.PoolSize, standard.PoolSize), clock: o.Clock, random: o.Random, dial: o.Dial,
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.random == nil {
		s.random = rand.Float64
	}
	if s.dial == nil {
		s.dial = (&net.Dialer{Timeout: s.dialTimeout, KeepAlive: time.Minute}).DialContext
	}
	if err := o.readURL(&s); err != nil {
		return s, err
	}
	if err := o.TLS.read(&s); err != nil {
		return s, fmt.Errorf("redis: tls: %w", err)
	}
	s.cluster = s.cluster || len(s.addrs) > 1 && s.master == ""
	return s, s.validate()
}

func or[T comparable](given, standard T) T {
	var zero T
	if given == zero {
		return standard
	}
	return given
}

func (s settings) validate() error {
	what := ""
	switch {
	case len(s.addrs) == 0:
		what = "there is no address; give url, such as redis://localhost:6379, or addrs"
	case s.master != "" && s.cluster:
		what = "master is for Sentinels and cluster for a Cluster; choose one"
	case s.cluster && s.db != 0:
		what = fmt.Sprintf("a Cluster has no database %d, only 0", s.db)
	case s.db < 0:
		what = fmt.Sprintf("a database is 0 or more, not %d", s.db)
	case strings.ContainsAny(s.prefix, `*?[]\{}`):
		what = fmt.Sprintf("the prefix %q has one of * ? [ ] \\ { }, which mean something to Redis", strings.TrimSuffix(s.prefix, layout))
	case s.ttl < time.Second:
		what = fmt.Sprintf("a ttl of %v keeps nothing; give 1s or more", s.ttl)
	case s.chunk < smallestChunk || s.chunk > largestChunk:
		what = fmt.Sprintf("a chunk size of %d bytes; give 4KiB to 16MiB", s.chunk)
	case s.dialTimeout < 0 || s.readTimeout < 0:
		what = "a timeout is not negative"
	case s.pool < 1 || s.pool > 1000:
		what = fmt.Sprintf("a pool of %d connections; give 1 to 1000", s.pool)
	default:
		return nil
	}
	return errors.New("redis: " + what)
}

// readURL sets what the URL says. Its errors have no secrets.
func (o Options) readURL(s *settings) error {
	if o.URL == "" {
		return nil
	}
	fail := func(err error) error { return errors.New("redis: url: " + cacheerr.Redact(err.Error())) }
	if len(o.Addrs) > 0 {
		return fail(errors.New("there are addrs too; give one or the other"))
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return fail(errors.New("it cannot be read; escape what is special in the password, such as %2F for a slash"))
	}
	query := u.Query()
	more := query["addr"]
	s.master = or(query.Get("master"), s.master)
	s.cluster = s.cluster || query.Get("cluster") == "true"
	for _, ours := range []string{"addr", "master", "cluster"} {
		query.Del(ours)
	}
	u.RawQuery = query.Encode()
	parsed, err := goredis.ParseURL(u.String())
	if err != nil {
		return fail(err)
	}
	s.addrs = append([]string{parsed.Addr}, more...)
	s.username, s.password = or(parsed.Username, s.username), or(parsed.Password, s.password)
	s.db, s.tls = or(parsed.DB, s.db), parsed.TLSConfig
	return nil
}

// read sets what t says.
func (t TLS) read(s *settings) error {
	if t == (TLS{}) {
		return nil
	}
	if s.tls == nil {
		s.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	s.tls.ServerName = t.ServerName // or, if that is empty, each address's own
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return err
		}
		s.tls.RootCAs = x509.NewCertPool()
		if !s.tls.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("there is no certificate in %s", t.CA)
		}
	}
	if t.Cert == "" && t.Key == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	s.tls.Certificates = []tls.Certificate{pair}
	return err
}
