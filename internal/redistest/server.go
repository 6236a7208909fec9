// SPDX-License-Identifier: Apache-2.0

package redistest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Ports are taken from below those that systems give to clients and to
// listeners on port 0.
const firstPort, ports = 20000, 10000

// patience is how long a server or a set of them may take to be ready; on a
// busy machine that is long.
const patience = 60 * time.Second

// errTaken is returned when another process has the port.
var errTaken = errors.New("redistest: the port is taken")

// newServer returns a server that has not begun. lines returns the lines of its
// configuration that differ from those of others, and sets its URL.
func newServer(lines func(*Server) ([]string, error)) *Server { return &Server{lines: lines} }

// begin starts s in a directory of its own, at a free port.
func (s *Server) begin(ctx context.Context) error {
	var err error
	if s.dir, err = os.MkdirTemp("", "redistest-"); err != nil {
		return err
	}
	for range 10 {
		if s.port, err = freePort(ctx); err != nil {
			return err
		}
		if s.bus, err = freePort(ctx); err != nil {
			return err
		}
		s.Addr = "127.0.0.1:" + strconv.Itoa(s.port)
		if err = s.configure(); err != nil {
			return err
		}
		if err = s.launch(ctx); !errors.Is(err, errTaken) {
			return err
		}
	}
	return err
}

// freePort returns a port that nobody listens on.
func freePort(ctx context.Context) (int, error) {
	for range 100 {
		port := firstPort + rand.IntN(ports)
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			return port, listener.Close()
		}
	}
	return 0, errors.New("redistest: found no free port")
}

func (s *Server) configure() error {
	own, err := s.lines(s)
	if err != nil {
		return err
	}
	lines := append([]string{
		"bind 127.0.0.1",
		"protected-mode yes",
		"daemonize no",
		"dir " + strconv.Quote(s.dir),
	}, own...)
	if !s.sentinel {
		lines = append([]string{`save ""`, "appendonly no", "repl-diskless-sync-delay 0"}, lines...)
	}
	return os.WriteFile(s.file("redis.conf"), []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

// launch starts the process and waits until it answers.
func (s *Server) launch(ctx context.Context) error {
	args := []string{s.file("redis.conf")}
	if s.sentinel {
		args = append(args, "--sentinel")
	}
	var err error
	if s.process, err = launch(ctx, s.file("log"), args); err != nil {
		return err
	}
	err = s.await(ctx, "answering", func(ctx context.Context) error {
		_, err := s.do(ctx, "PING")
		return err
	})
	if err != nil {
		s.process.kill()
	}
	return err
}

// await waits until ready returns nil, the process has ended or patience has.
func (s *Server) await(ctx context.Context, what string, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("that took too long"))
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-s.process.gone:
			return s.ended()
		case <-ctx.Done():
			return fmt.Errorf("redis-server at %s is not %s: %w: %w", s.Addr, what, context.Cause(ctx), err)
		}
	}
}

// ended returns why the process has ended.
func (s *Server) ended() error {
	log, _ := os.ReadFile(s.file("log"))
	if strings.Contains(string(log), "Address already in use") {
		return errTaken
	}
	return fmt.Errorf("redis-server at %s has ended:\n%s", s.Addr, log)
}

// remove ends the process and removes its directory.
func (s *Server) remove() {
	if s.process != nil {
		s.process.kill()
	}
	_ = os.RemoveAll(s.dir) // temporary anyway
}
