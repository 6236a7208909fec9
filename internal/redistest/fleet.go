// SPDX-License-Identifier: Apache-2.0

package redistest

import (
	"context"
	"sync"
	"testing"
)

// Fleet has servers that the tests of a package share, since a set of them
// takes a second or more to start. Each is started when it is first asked for.
// The zero value is ready for use; TestMain runs the tests with it, or stops it:
//
//	var fleet redistest.Fleet
//
//	func TestMain(m *testing.M) { os.Exit(fleet.Run(m)) }
//
// Its methods may be called at the same time. A test leaves what it shares as
// it was: other tests have their keys in it.
type Fleet struct {
	single    shared[*Server]
	tls       shared[*Server]
	sentinels shared[*Sentinels]
	cluster   shared[*Cluster]
}

// Single returns the server of the fleet.
func (f *Fleet) Single(t testing.TB) *Server {
	t.Helper()
	return f.single.get(t, newServer(plain(nil)))
}

// TLS returns the server of the fleet that is as [TLS] says.
func (f *Fleet) TLS(t testing.TB) *Server {
	t.Helper()
	return f.tls.get(t, newTLS(valid()))
}

// Sentinels returns the Sentinels of the fleet.
func (f *Fleet) Sentinels(t testing.TB) *Sentinels {
	t.Helper()
	return f.sentinels.get(t, new(Sentinels))
}

// Cluster returns the cluster of the fleet.
func (f *Fleet) Cluster(t testing.TB) *Cluster {
	t.Helper()
	return f.cluster.get(t, new(Cluster))
}

// Run runs the tests of a package, stops the fleet, and returns the exit code.
func (f *Fleet) Run(m *testing.M) (code int) {
	defer f.Stop()
	return m.Run()
}

// Stop ends every server of the fleet.
func (f *Fleet) Stop() {
	f.single.stop()
	f.tls.stop()
	f.sentinels.stop()
	f.cluster.stop()
}

// starter is a set of servers.
type starter interface {
	begin(context.Context) error
	remove()
}

// shared is a set of servers that is started once.
type shared[S starter] struct {
	mu   sync.Mutex
	set  S
	made bool
	err  error // why it could not be started
}

// get starts set if none was, and returns the one that was.
func (s *shared[S]) get(t testing.TB, set S) S {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.made {
		s.made, s.set = true, set
		s.err = set.begin(t.Context())
	}
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.set
}

func (s *shared[S]) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made {
		s.set.remove()
	}
}
