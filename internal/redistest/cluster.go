// SPDX-License-Identifier: Apache-2.0

package redistest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// A cluster's slots are shared by its masters, each of which has a replica.
const slots, masters = 16384, 3

// Cluster is a Redis Cluster of three masters, each with a replica.
type Cluster struct {
	Addrs   []string
	Servers []*Server // in the order of Addrs; the masters of the start first
}

// NewCluster starts a cluster.
func NewCluster(t testing.TB) *Cluster {
	t.Helper()
	c := new(Cluster)
	t.Cleanup(c.remove)
	if err := c.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *Cluster) begin(ctx context.Context) error {
	for range 2 * masters {
		server := newServer(node)
		c.Servers = append(c.Servers, server)
		if err := server.begin(ctx); err != nil {
			return err
		}
		c.Addrs = append(c.Addrs, server.Addr)
	}
	if err := c.introduce(ctx); err != nil {
		return err
	}
	for n := range masters {
		first, replica := c.Servers[n], c.Servers[masters+n]
		id, err := first.do(ctx, "CLUSTER", "MYID")
		if err != nil {
			return err
		}
		err = replica.await(ctx, "a replica", func(ctx context.Context) error {
			_, err := replica.do(ctx, "CLUSTER", "REPLICATE", id)
			return err
		})
		if err != nil {
			return err
		}
	}
	return c.settled(ctx)
}

// node returns the lines of a node of a cluster.
func node(s *Server) ([]string, error) {
	lines, err := withUsers(plain(nil))(s)
	return append(lines,
		"cluster-enabled yes",
		"cluster-port "+strconv.Itoa(s.bus),
		"cluster-node-timeout 1000",
		"cluster-replica-validity-factor 0", // a replica takes over however old its data
		"cluster-allow-replica-migration no",
	), err
}

// introduce gives the masters their slots and lets all servers meet.
func (c *Cluster) introduce(ctx context.Context) error {
	var commands errorList
	for n, server := range c.Servers {
		commands.do(ctx, server, "CLUSTER", "SET-CONFIG-EPOCH", n+1)
		if n < masters {
			commands.do(ctx, server, "CLUSTER", "ADDSLOTSRANGE", n*slots/masters, (n+1)*slots/masters-1)
		}
		if n > 0 {
			commands.do(ctx, c.Servers[0], "CLUSTER", "MEET", "127.0.0.1", server.port, server.bus)
		}
	}
	return errors.Join(commands...)
}

type errorList []error

func (l *errorList) do(ctx context.Context, s *Server, args ...any) {
	if _, err := s.do(ctx, args...); err != nil {
		*l = append(*l, fmt.Errorf("redis-server at %s: %v: %w", s.Addr, args, err))
	}
}

// Settle waits until every server that runs says that all slots are served and
// that all others which run are well, and until every replica follows.
func (c *Cluster) Settle(t testing.TB) {
	t.Helper()
	if err := c.settled(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) settled(ctx context.Context) error {
	running := c.running()
	for _, server := range running {
		err := server.await(ctx, "in a settled cluster", func(ctx context.Context) error {
			return settled(ctx, server, len(running))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// running returns the servers that have not ended.
func (c *Cluster) running() []*Server {
	var running []*Server
	for _, server := range c.Servers {
		select {
		case <-server.process.gone:
		default:
			running = append(running, server)
		}
	}
	return running
}

// settled returns nil if server knows all that it should of a cluster of which
// so many run.
func settled(ctx context.Context, server *Server, running int) error {
	state, err := server.do(ctx, "CLUSTER", "INFO")
	if err != nil {
		return err
	}
	nodes, err := server.do(ctx, "CLUSTER", "NODES")
	if err != nil {
		return err
	}
	well, ofReplica := 0, false
	serving := 0
	for line := range strings.Lines(fmt.Sprint(nodes)) {
		// id address flags master ping pong epoch link slots...
		fields := strings.Fields(line)
		if len(fields) < 8 || fields[7] != "connected" || strings.Contains(fields[2], "fail") || strings.Contains(fields[2], "handshake") {
			continue
		}
		well++
		if len(fields) > 8 {
			serving++
		}
		ofReplica = ofReplica || strings.Contains(fields[2], "myself,slave")
	}
	if !strings.Contains(fmt.Sprint(state), "cluster_state:ok") || well != running || serving != masters {
		return fmt.Errorf("of %d nodes %d are well, %d serve:\n%v%v", running, well, serving, state, nodes)
	}
	if ofReplica {
		return server.follows(ctx)
	}
	return nil
}

// MasterOf returns the server that has key.
func (c *Cluster) MasterOf(t testing.TB, key string) *Server {
	t.Helper()
	asked := c.running()[0]
	slot, _ := asked.Do(t, "CLUSTER", "KEYSLOT", key).(int64)
	ranges, _ := asked.Do(t, "CLUSTER", "SLOTS").([]any)
	for _, r := range ranges {
		// first slot, last slot, [address, port, id, ...] of the master, ... of replicas
		r, _ := r.([]any)
		if first, last := r[0].(int64), r[1].(int64); slot < first || slot > last {
			continue
		}
		port := r[2].([]any)[1].(int64)
		for _, server := range c.Servers {
			if int64(server.port) == port {
				return server
			}
		}
	}
	t.Fatalf("nobody has slot %d: %v", slot, ranges)
	return nil
}

// KillMasterOf kills the server that has key and returns it. Its replica takes
// over a little later: see [Cluster.Settle].
func (c *Cluster) KillMasterOf(t testing.TB, key string) *Server {
	t.Helper()
	master := c.MasterOf(t, key)
	master.Kill(t)
	return master
}

func (c *Cluster) remove() {
	for _, server := range c.Servers {
		server.remove()
	}
}
