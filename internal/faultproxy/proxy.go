// SPDX-License-Identifier: Apache-2.0

// Package faultproxy stands between clients and a server, both on TCP, and is
// the network that tests and benchmarks need: far away, narrow, cut, silent,
// reset, lying or not there. What it does can be changed at any time, also for
// the connections that are open.
package faultproxy

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Faults are what is wrong with the network. The zero value is: nothing.
type Faults struct {
	// RoundTrip is how long a byte takes to the server and back, half of it in
	// each direction. What is underway does not wait for what was sent before
	// it has arrived, so pipelines stay pipelines. The first byte of a
	// connection takes one round trip more, as for the handshake of a real one.
	RoundTrip time.Duration
	// BytesPerSecond is what all connections together can carry in each
	// direction; 0 is no limit.
	BytesPerSecond int64
	// CutRequests and CutAnswers are after how many bytes a connection is closed,
	// counted from its beginning, to the server and from it; 0 is never.
	CutRequests, CutAnswers int64
	// HoldRequests is after how many bytes of requests, of all connections
	// together since Open, no more pass until the faults change; 0 is never.
	HoldRequests int64
	// Fail is what happens to every connection besides.
	Fail Failure
}

// Failure is a way in which connections fail.
type Failure int

// What can happen to connections.
const (
	None    Failure = iota
	Refuse          // there is no listener, and what was open is reset
	Reset           // connections are accepted and reset, and what was open is too
	Hang            // connections are accepted, and nothing passes until this is over
	Garbage         // each byte from the server is replaced by an arbitrary one
)

// Stats are what a proxy has passed on.
type Stats struct {
	Connections       int   // accepted
	Requests, Answers int64 // bytes to the server and from it
}

// Proxy is a running proxy. Its methods may be called at the same time.
type Proxy struct {
	// Addr is where clients find it.
	Addr string

	server    string
	ctx       context.Context // of the connections, from Open to Close
	cancel    context.CancelFunc
	listening sync.WaitGroup
	pumping   sync.WaitGroup
	lines     [2]line

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	faults   Faults
	changed  chan struct{} // closed when faults change
	links    map[*link]struct{}
	stats    Stats
	let      int64         // bytes of requests that were let pass
	held     chan struct{} // closed when some were held back
	holds    sync.Once
}

// Open returns a proxy on 127.0.0.1 to the server at an address. It has no
// faults yet, and lives until Close or until ctx ends.
func Open(ctx context.Context, server string) (*Proxy, error) {
	p := &Proxy{
		Addr: "127.0.0.1:0", server: server,
		changed: make(chan struct{}), held: make(chan struct{}), links: make(map[*link]struct{}),
	}
	p.ctx, p.cancel = context.WithCancel(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.listen(); err != nil {
		p.cancel()
		return nil, err
	}
	context.AfterFunc(p.ctx, p.shut)
	return p, nil
}

// Close closes all connections and waits until nothing is left of the proxy.
func (p *Proxy) Close() error {
	p.cancel()
	p.shut()
	p.listening.Wait()
	p.pumping.Wait()
	return nil
}

// shut closes the listener and all connections.
func (p *Proxy) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close() // nothing is lost
		p.listener = nil
	}
	p.reset()
}

// Set changes what is wrong. It fails only where connections were refused and
// somebody else has taken the address.
func (p *Proxy) Set(faults Faults) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return net.ErrClosed
	}
	p.faults = faults
	close(p.changed)
	p.changed = make(chan struct{})
	if faults.Fail == Refuse || faults.Fail == Reset {
		p.reset()
	}
	switch {
	case faults.Fail == Refuse && p.listener != nil:
		err := p.listener.Close()
		p.listener = nil
		return err
	case faults.Fail != Refuse && p.listener == nil:
		return p.listen()
	}
	return nil
}

// Held returns a channel that is closed when HoldRequests has held something
// back.
func (p *Proxy) Held() <-chan struct{} { return p.held }

// Stats returns what has passed so far.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// now returns the faults.
func (p *Proxy) now() Faults {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults
}

// pass lets n of size bytes pass in a direction, and returns what is closed when
// the faults change, which decide that.
func (p *Proxy) pass(direction, size int) (faults Faults, n int, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n = size; p.faults.Fail == Hang {
		n = 0
	} else if direction == requests {
		if limit := p.faults.HoldRequests; limit > 0 && p.let+int64(size) > limit {
			n = int(max(0, limit-p.let))
			p.holds.Do(func() { close(p.held) })
		}
		p.let += int64(n)
	}
	return p.faults, n, p.changed
}

// listen starts to accept connections; p.mu is held.
func (p *Proxy) listen() error {
	listener, err := (&net.ListenConfig{}).Listen(p.ctx, "tcp", p.Addr)
	if err != nil {
		return err
	}
	p.listener, p.Addr = listener, listener.Addr().String()
	p.listening.Go(func() {
		for {
			client, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			} else if err == nil {
				p.accept(client.(*net.TCPConn))
			}
		}
	})
	return nil
}

// reset resets every open connection; p.mu is held.
func (p *Proxy) reset() {
	for l := range p.links {
		l.reset()
	}
	clear(p.links)
}

// accept connects a client with the server.
func (p *Proxy) accept(client *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &link{proxy: p, client: client, since: time.Now(), over: make(chan struct{})}
	if p.ctx.Err() != nil || p.faults.Fail == Refuse || p.faults.Fail == Reset {
		l.reset()
		return
	}
	p.stats.Connections++
	p.links[l] = struct{}{}
	p.pumping.Go(l.run)
}

// forget closes a link that has nothing more to carry.
func (p *Proxy) forget(l *link) {
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
	l.close()
}
