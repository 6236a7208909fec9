// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// connect returns the client for s. It connects when it is used.
//
// Nothing is tried twice: the caller has a budget, which go-redis does not
// know. The connections speak RESP2, which is all that strings need, and begin
// without telling the server who made them, nor, if there is no password, which
// protocol they speak: two round trips less.
func connect(s settings) goredis.UniversalClient {
	quiet()
	client := goredis.NewUniversalClient(&goredis.UniversalOptions{
		Addrs: s.addrs, MasterName: s.master, IsClusterMode: s.cluster,
		Username: s.username, Password: s.password, SentinelUsername: s.sentinel[0], SentinelPassword: s.sentinel[1], DB: s.db,
		Dialer: s.connection,

		Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},

		MaxRetries: -1, DialerRetries: 1, MaxRedirects: 3,
		DialTimeout: s.dialTimeout, ReadTimeout: s.readTimeout, WriteTimeout: s.readTimeout, PoolTimeout: s.readTimeout,
		ContextTimeoutEnabled: true,

		PoolSize: s.pool, MaxActiveConns: s.pool, PipelinePoolSize: -1,
		ReadBufferSize: buffer, WriteBufferSize: buffer,
	})
	if s.username != "" || s.password != "" {
		return client
	}
	if cluster, ok := client.(*goredis.ClusterClient); ok {
		cluster.OnNewNode(func(node *goredis.Client) { node.AddHook(noHello{}) })
	} else {
		client.AddHook(noHello{})
	}
	return client
}

// noHello answers HELLO, with which go-redis begins each connection, in place of
// the server, as one that does not know it. RESP2 needs none, and go-redis
// waits for the answer before it sends anything else.
type noHello struct{}

var _ goredis.Hook = noHello{}

// ProcessHook implements [goredis.Hook].
func (noHello) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		if cmd.Name() != "hello" {
			return next(ctx, cmd)
		}
		cmd.SetErr(noHelloError{})
		return noHelloError{}
	}
}

// DialHook implements [goredis.Hook].
func (noHello) DialHook(next goredis.DialHook) goredis.DialHook { return next }

// ProcessPipelineHook implements [goredis.Hook].
func (noHello) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

// noHelloError is a [goredis.Error]: after any other go-redis gives the connection up.
type noHelloError struct{}

var _ goredis.Error = noHelloError{}

// Error implements error.
func (noHelloError) Error() string { return "HELLO was not sent" }

// RedisError implements [goredis.Error].
func (noHelloError) RedisError() {}

// buffer is that of a connection in each direction, in bytes. 64 KiB take a
// body of average size in one system call.
const buffer = 64 << 10

// quiet switches off the log that go-redis writes to standard error, for this
// process: what goes wrong is in the errors, and a compiler's standard error is
// not ours.
var quiet = sync.OnceFunc(func() { goredis.SetLogger(silent{}) })

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// connection makes a connection, with TLS if that is asked for, that is wary of
// what it reads.
func (s settings) connection(ctx context.Context, network, addr string) (net.Conn, error) {
	if len(addr) > 0 && addr[0] == '/' {
		network = "unix"
	}
	conn, err := s.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if s.tls != nil {
		return s.encrypted(ctx, conn, addr)
	}
	if raw, ok := conn.(syscall.Conn); ok {
		return &plain{wary{Conn: conn}, raw}, nil
	}
	return &wary{Conn: conn}, nil
}

func (s settings) encrypted(ctx context.Context, conn net.Conn, addr string) (net.Conn, error) {
	config := s.tls.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(addr)
	}
	ctx, cancel := context.WithTimeout(ctx, s.dialTimeout)
	defer cancel()
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the error at hand says more
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", errNoTLS, err)
		}
		return nil, err
	}
	return &wary{Conn: secure}, nil
}

// errNoTLS is a server that takes connections and does not answer to TLS: Redis
// itself waits for more when it expects none.
var errNoTLS = errors.New("no answer to TLS")

// wary is a connection that refuses to pass on a length which cannot be: the
// client takes memory for what the server says will come.
type wary struct {
	net.Conn
	claims claims
}

// Read implements [net.Conn].
func (w *wary) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if wrong := w.claims.look(p[:n]); wrong != nil {
		return 0, wrong
	}
	return n, err
}

// plain is a wary connection whose socket go-redis may look at, to see whether
// it is still connected.
type plain struct {
	wary
	syscall.Conn
}
