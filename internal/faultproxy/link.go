// SPDX-License-Identifier: Apache-2.0

package faultproxy

import (
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// The directions of a connection.
const (
	requests = iota
	answers
)

// What is underway in one direction of a connection is at most so many pieces of
// at most so many bytes: 16 MiB, which is 320 MB/s at a round trip of 100 ms.
const (
	pieces    = 256
	pieceSize = 64 << 10
)

// buffers have the pieces that have arrived: a proxy must cost little beside what
// is measured through it.
var buffers = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// link is a connection of a client with the server.
type link struct {
	proxy  *Proxy
	client *net.TCPConn
	since  time.Time

	mu     sync.Mutex
	server *net.TCPConn // nil until it is there
	closed bool
	over   chan struct{} // closed with the link
}

// piece is what travels.
type piece struct {
	buffer *[pieceSize]byte
	size   int
	due    time.Time // when it arrives
}

// run carries bytes in both directions until one of them ends.
func (l *link) run() {
	defer l.proxy.forget(l)
	conn, err := new(net.Dialer).DialContext(l.proxy.ctx, "tcp", l.proxy.server)
	if err != nil {
		l.reset() // as the server would
		return
	}
	if !l.have(conn.(*net.TCPConn)) {
		return
	}
	var directions sync.WaitGroup
	directions.Go(func() { l.carry(requests, l.client, l.server) })
	directions.Go(func() { l.carry(answers, l.server, l.client) })
	directions.Wait()
}

// have takes the connection to the server, unless the link is closed.
func (l *link) have(server *net.TCPConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = server.Close() // nothing was sent
		return false
	}
	l.server = server
	return true
}

// carry carries bytes in one direction until that ends or the link does.
func (l *link) carry(direction int, from, to *net.TCPConn) {
	underway := make(chan piece, pieces)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(underway)
		for {
			buffer := buffers.Get().(*[pieceSize]byte)
			n, err := from.Read(buffer[:])
			if n > 0 {
				select {
				case underway <- piece{buffer, n, l.proxy.lines[direction].arrival(l, n)}:
				case <-l.over:
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	defer reading.Wait()
	var passed int64
	for p := range underway {
		for left := p.buffer[:p.size]; len(left) > 0; {
			faults, n := l.wait(direction, len(left), p.due)
			if n == 0 {
				return
			}
			text, cut := left[:n], false
			left = left[n:]
			if limit := [...]int64{faults.CutRequests, faults.CutAnswers}[direction]; limit > 0 && passed+int64(n) >= limit {
				text, cut = text[:max(0, limit-passed)], true
			}
			if direction == answers && faults.Fail == Garbage {
				spoil(text)
			}
			n, err := to.Write(text)
			passed += int64(n)
			l.proxy.count(direction, int64(n))
			if cut || err != nil {
				l.close()
				return
			}
		}
		buffers.Put(p.buffer)
	}
	_ = to.CloseWrite() // the other direction may go on
}

// wait waits until a time, and until n of size bytes may pass: 0 if the link is
// closed.
func (l *link) wait(direction, size int, due time.Time) (faults Faults, n int) {
	if left := time.Until(due); left > 0 {
		timer := time.NewTimer(left)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.over:
			return Faults{}, 0
		}
	}
	for {
		faults, n, changed := l.proxy.pass(direction, size)
		if n > 0 {
			return faults, n
		}
		select {
		case <-changed:
		case <-l.over:
			return Faults{}, 0
		}
	}
}

func spoil(text []byte) {
	for i := range text {
		text[i] = byte(rand.Uint32())
	}
}

// reset closes both connections so that their peers see a reset.
func (l *link) reset() {
	_ = l.client.SetLinger(0) // the connection may be gone
	l.close()
}

// close closes both connections.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	close(l.over)
	_ = l.client.Close() // the peers see it
	if l.server != nil {
		_ = l.server.Close()
	}
}

// count counts bytes that have passed.
func (p *Proxy) count(direction int, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if direction == requests {
		p.stats.Requests += n
	} else {
		p.stats.Answers += n
	}
}

// line is one direction of the network, which all links share.
type line struct {
	mu   sync.Mutex
	free time.Time // when the line has nothing more to send
}

// arrival returns when n bytes that a link sends now arrive.
func (l *line) arrival(of *link, n int) time.Time {
	faults := of.proxy.now()
	sent := time.Now()
	if begin := of.since.Add(faults.RoundTrip); sent.Before(begin) {
		sent = begin
	}
	if faults.BytesPerSecond > 0 {
		l.mu.Lock()
		defer l.mu.Unlock()
		if sent.Before(l.free) {
			sent = l.free
		}
		sent = sent.Add(time.Duration(float64(n) / float64(faults.BytesPerSecond) * float64(time.Second)))
		l.free = sent
	}
	return sent.Add(faults.RoundTrip / 2)
}
