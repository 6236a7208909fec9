// SPDX-License-Identifier: Apache-2.0

// Package redistest starts real Redis servers for tests, on 127.0.0.1 and free
// ports, each in a temporary directory of its own: one server, one with TLS and
// an ACL user, one behind a Unix socket, a read-only replica, Sentinels, a
// Cluster. What a function returns is ready for use, and ends with the test;
// on Linux also when the test's process is killed. A set that several tests
// share is a [Fleet]'s.
//
// A function that cannot do its work fails the test. The methods of one value
// are called by one goroutine at a time.
package redistest

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Server is a redis-server process. It persists nothing unless told to by
// [Server.Save].
type Server struct {
	URL  string // for go-redis: redis://, rediss:// or unix://, with the user's name and password
	Addr string // host:port, or the path of the socket

	// Of a server with TLS: the file with the certificate to trust, and the URL of
	// the reader.
	CA, ReaderURL string
	// Of a server with TLS, behind Sentinels or of a Cluster: the user who may do
	// what [Rules] say, the reader, for whom it is [ReaderRules], and the password
	// of both. All but the first have a default user who may do everything.
	Username, Reader, Password string

	dir       string
	port, bus int
	socket    string // by which the administrator talks to it; empty for Addr
	admin     string // the administrator's password, if there is one
	sentinel  bool
	lines     func(*Server) ([]string, error)
	process   *process
}

// Single starts a server. What follows t are options as on redis-server's
// command line: "--maxmemory", "10mb".
func Single(t testing.TB, args ...string) *Server {
	t.Helper()
	return started(t, newServer(plain(args)))
}

// Socket starts a server that listens on nothing but a Unix socket.
func Socket(t testing.TB) *Server {
	t.Helper()
	return started(t, newServer(func(s *Server) ([]string, error) {
		s.socket = s.file("redis.sock")
		s.Addr, s.URL = s.socket, "unix://"+s.socket
		return []string{"port 0", "unixsocket " + s.socket, "unixsocketperm 700"}, nil
	}))
}

// Replica starts a server that follows another and takes no writes. When it
// returns, the replica has what the other has.
func Replica(t testing.TB, of *Server) *Server {
	t.Helper()
	s := started(t, newServer(replica(of)))
	if err := s.await(t.Context(), "following "+of.Addr, s.follows); err != nil {
		t.Fatal(err)
	}
	return s
}

// plain returns the lines of a server that listens on its port.
func plain(args []string) func(*Server) ([]string, error) {
	return func(s *Server) ([]string, error) {
		s.URL = "redis://" + s.Addr
		return append([]string{"port " + strconv.Itoa(s.port)}, asLines(args)...), nil
	}
}

// asLines returns options of a command line as lines of a file.
func asLines(args []string) []string {
	var lines []string
	for _, arg := range args {
		if name, ok := strings.CutPrefix(arg, "--"); ok {
			lines = append(lines, name)
		} else if len(lines) > 0 {
			lines[len(lines)-1] += fmt.Sprintf(" %q", arg)
		}
	}
	return lines
}

func replica(of *Server) func(*Server) ([]string, error) {
	return plain([]string{"--replicaof", "127.0.0.1", strconv.Itoa(of.port)})
}

// follows returns nil when the replica has what its master has.
func (s *Server) follows(ctx context.Context) error {
	info, err := s.do(ctx, "INFO", "replication")
	if text := fmt.Sprint(info); err == nil && !strings.Contains(text, "master_link_status:up") {
		err = fmt.Errorf("the link to the master is not up:\n%s", text)
	}
	return err
}

// started starts s for the time of t.
func started(t testing.TB, s *Server) *Server {
	t.Helper()
	t.Cleanup(s.remove)
	if err := s.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// Stop ends the server as an administrator would. What was not saved is gone.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.process.stop(); err != nil {
		t.Fatalf("stopping redis-server at %s: %v", s.Addr, err)
	}
}

// Kill ends the server with SIGKILL.
func (s *Server) Kill(testing.TB) { s.process.kill() }

// Start starts a server that was stopped or killed, at the same address, with
// what was saved last or else empty.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.launch(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Pause stops the process in the middle of what it does; its connections stay
// open, and the system takes new ones. Windows cannot do that.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	if err := s.process.pause(); err != nil {
		t.Fatalf("pausing redis-server at %s: %v", s.Addr, err)
	}
}

// Resume lets a paused process go on.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	if err := s.process.resume(); err != nil {
		t.Fatalf("resuming redis-server at %s: %v", s.Addr, err)
	}
}

// Do runs a command as the administrator and returns its answer as go-redis
// does.
func (s *Server) Do(t testing.TB, args ...any) any {
	t.Helper()
	answer, err := s.do(context.WithoutCancel(t.Context()), args...)
	if err != nil {
		t.Fatalf("redis-server at %s: %v: %v", s.Addr, args, err)
	}
	return answer
}

// FlushAll removes every key.
func (s *Server) FlushAll(t testing.TB) {
	t.Helper()
	s.Do(t, "FLUSHALL", "SYNC")
}

// Save writes what the server has to its directory, where Start finds it.
func (s *Server) Save(t testing.TB) {
	t.Helper()
	s.Do(t, "SAVE")
}

// Set changes a parameter of the running server, such as "maxmemory".
func (s *Server) Set(t testing.TB, config, value string) {
	t.Helper()
	s.Do(t, "CONFIG", "SET", config, value)
}

// do runs a command over a connection of its own: none is left open. It dials
// by itself, since go-redis prints when that fails.
func (s *Server) do(ctx context.Context, args ...any) (any, error) {
	network, address := "tcp", s.Addr
	if s.socket != "" {
		network, address = "unix", s.socket
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	options := &redis.Options{Protocol: 2, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true}
	options.Dialer = func(context.Context, string, string) (net.Conn, error) { return conn, nil }
	if s.admin != "" {
		options.Username, options.Password = "admin", s.admin
	}
	client := redis.NewClient(options)
	defer client.Close() //nolint:errcheck // the answer is here
	return client.Do(ctx, args...).Result()
}
