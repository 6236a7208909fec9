// SPDX-License-Identifier: Apache-2.0

package redistest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
)

// Sentinels are three Sentinels that watch a master and its replica, two of
// which must agree that the master is down.
type Sentinels struct {
	Name    string    // what the Sentinels call the master
	Addrs   []string  // of the Sentinels
	Servers []*Server // the master of the start, and its replica

	sentinels []*Server
}

// NewSentinels starts a set of Sentinels.
func NewSentinels(t testing.TB) *Sentinels {
	t.Helper()
	s := new(Sentinels)
	t.Cleanup(s.remove)
	if err := s.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Sentinels) begin(ctx context.Context) error {
	s.Name = "tierce"
	master := newServer(withUsers(plain(nil)))
	s.Servers = append(s.Servers, master)
	if err := master.begin(ctx); err != nil {
		return err
	}
	second := newServer(withUsers(replica(master)))
	s.Servers = append(s.Servers, second)
	if err := second.begin(ctx); err != nil {
		return err
	}
	for range 3 {
		sentinel := newServer(s.watching(master))
		sentinel.sentinel = true
		s.sentinels = append(s.sentinels, sentinel)
		if err := sentinel.begin(ctx); err != nil {
			return err
		}
		s.Addrs = append(s.Addrs, sentinel.Addr)
		// They look at each other ten times a second; a version that cannot do
		// that takes seconds more.
		_, _ = sentinel.do(ctx, "SENTINEL", "DEBUG", "INFO-PERIOD", 100, "PUBLISH-PERIOD", 100, "PING-PERIOD", 100)
	}
	if err := second.await(ctx, "following its master", second.follows); err != nil {
		return err
	}
	for _, sentinel := range s.sentinels {
		if err := sentinel.await(ctx, "acquainted with the others", s.acquainted(sentinel)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sentinels) watching(master *Server) func(*Server) ([]string, error) {
	return func(own *Server) ([]string, error) {
		return []string{
			"port " + strconv.Itoa(own.port),
			fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 2", s.Name, master.port),
			"sentinel down-after-milliseconds " + s.Name + " 500",
			"sentinel failover-timeout " + s.Name + " 2000",
		}, nil
	}
}

// acquainted returns what says whether a Sentinel knows the others and the
// replica.
func (s *Sentinels) acquainted(sentinel *Server) func(context.Context) error {
	return func(ctx context.Context) error {
		if _, err := sentinel.do(ctx, "SENTINEL", "CKQUORUM", s.Name); err != nil {
			return err
		}
		for question, want := range map[string]int{"SENTINELS": 2, "REPLICAS": 1} {
			answer, err := sentinel.do(ctx, "SENTINEL", question, s.Name)
			if err != nil {
				return err
			}
			if known, _ := answer.([]any); len(known) != want {
				return fmt.Errorf("it knows %d of %d %s", len(known), want, question)
			}
		}
		return nil
	}
}

// Failover kills the master, and returns the new one when the Sentinels agree
// on it and it takes writes.
func (s *Sentinels) Failover(t testing.TB) *Server {
	t.Helper()
	old := s.Master(t)
	old.Kill(t)
	for _, sentinel := range s.sentinels {
		err := sentinel.await(t.Context(), "naming another master", func(ctx context.Context) error {
			now, err := s.master(ctx, sentinel)
			if err == nil && now == old {
				err = errors.New("it still names the old one")
			}
			if err == nil {
				_, err = now.do(ctx, "DEL", "redistest")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s.Master(t)
}

// Master returns the server that the Sentinels name.
func (s *Sentinels) Master(t testing.TB) *Server {
	t.Helper()
	master, err := s.master(context.WithoutCancel(t.Context()), s.sentinels[0])
	if err != nil {
		t.Fatal(err)
	}
	return master
}

// master returns the server that one Sentinel names.
func (s *Sentinels) master(ctx context.Context, sentinel *Server) (*Server, error) {
	answer, err := sentinel.do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", s.Name)
	if err != nil {
		return nil, err
	}
	for _, server := range s.Servers {
		if address, ok := answer.([]any); ok && address[1] == strconv.Itoa(server.port) {
			return server, nil
		}
	}
	return nil, fmt.Errorf("the Sentinel at %s names %v", sentinel.Addr, answer)
}

func (s *Sentinels) remove() {
	for _, server := range append(s.sentinels, s.Servers...) {
		server.remove()
	}
}
