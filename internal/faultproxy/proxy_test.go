// SPDX-License-Identifier: Apache-2.0

package faultproxy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tiercecache/tierce/internal/faultproxy"
)

// echo starts a server that sends everything back, and ends with the test.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				io.Copy(conn, conn)
			})
		}
	})
	return listener.Addr().String()
}

// open returns a proxy to an echo server.
func open(t *testing.T, faults faultproxy.Faults) *faultproxy.Proxy {
	t.Helper()
	server := echo(t)
	p, err := faultproxy.Open(context.WithoutCancel(t.Context()), server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	change(t, p, faults)
	return p
}

func change(t *testing.T, p *faultproxy.Proxy, faults faultproxy.Faults) {
	t.Helper()
	if err := p.Set(faults); err != nil {
		t.Fatal(err)
	}
}

func dial(t *testing.T, p *faultproxy.Proxy) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// ask sends text and returns as many bytes of an answer, or fewer and why.
func ask(conn net.Conn, text string) (string, error) {
	if _, err := conn.Write([]byte(text)); err != nil {
		return "", err
	}
	answer := make([]byte, len(text))
	n, err := io.ReadFull(conn, answer)
	return string(answer[:n]), err
}

func wantEcho(t *testing.T, conn net.Conn) {
	t.Helper()
	if got, err := ask(conn, "hello"); got != "hello" || err != nil {
		t.Fatalf("%q, %v, want what was sent", got, err)
	}
}

func TestPasses(t *testing.T) {
	for name, faults := range map[string]faultproxy.Faults{
		"nothing":   {},
		"far away":  {RoundTrip: 10 * time.Millisecond},
		"narrow":    {BytesPerSecond: 100 << 20},
		"all of it": {RoundTrip: time.Millisecond, BytesPerSecond: 100 << 20, CutRequests: 1 << 30, CutAnswers: 1 << 30},
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t, faults)
			conn := dial(t, p)
			sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
			var sending sync.WaitGroup
			sending.Go(func() {
				conn.Write(sent)
				conn.CloseWrite()
			})
			got, err := io.ReadAll(conn)
			sending.Wait()
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("of %d bytes %d came back, %v", len(sent), len(got), err)
			}
			want := faultproxy.Stats{Connections: 1, Requests: 1 << 20, Answers: 1 << 20}
			if got := p.Stats(); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

func TestFarAway(t *testing.T) {
	p := open(t, faultproxy.Faults{RoundTrip: 24 * time.Hour})
	far, near := dial(t, p), dial(t, open(t, faultproxy.Faults{}))
	if _, err := far.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	wantEcho(t, near)
	if got := p.Stats(); got.Requests != 0 {
		t.Errorf("%d bytes have arrived, a day early", got.Requests)
	}
}

func TestRefuse(t *testing.T) {
	p := open(t, faultproxy.Faults{})
	conn := dial(t, p)
	wantEcho(t, conn)
	for range 2 {
		change(t, p, faultproxy.Faults{Fail: faultproxy.Refuse})
		if _, err := ask(conn, "hello"); err == nil {
			t.Error("an open connection still passes")
		}
		if _, err := net.Dial("tcp", p.Addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a new connection: %v, want refused", err)
		}
		change(t, p, faultproxy.Faults{Fail: faultproxy.Refuse})
		change(t, p, faultproxy.Faults{})
		wantEcho(t, dial(t, p))
	}
}

func TestReset(t *testing.T) {
	p := open(t, faultproxy.Faults{})
	conn := dial(t, p)
	wantEcho(t, conn)
	change(t, p, faultproxy.Faults{Fail: faultproxy.Reset})
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("an open connection: %v, want reset by peer", err)
	}
	wantReset(t, p)
	change(t, p, faultproxy.Faults{})
	wantEcho(t, dial(t, p))
}

// wantReset fails the test unless a new connection is reset, which may be while
// it is made.
func wantReset(t *testing.T, p *faultproxy.Proxy) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr)
	if err == nil {
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a new connection: %v, want reset by peer", err)
	}
}

func TestHang(t *testing.T) {
	p := open(t, faultproxy.Faults{})
	conn := dial(t, p)
	wantEcho(t, conn)
	change(t, p, faultproxy.Faults{Fail: faultproxy.Hang})
	for _, conn := range []net.Conn{conn, dial(t, p)} {
		conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if got, err := ask(conn, "hello"); got != "" || !errors.Is(err, context.DeadlineExceeded) && !strings.Contains(err.Error(), "timeout") {
			t.Errorf("%q, %v, want nothing and a timeout", got, err)
		}
		conn.SetReadDeadline(time.Time{})
	}
	change(t, p, faultproxy.Faults{})
	if got, err := io.ReadAll(io.LimitReader(conn, 5)); string(got) != "hello" || err != nil {
		t.Errorf("when it is over: %q, %v, want what was sent before", got, err)
	}
}

func TestGarbage(t *testing.T) {
	p := open(t, faultproxy.Faults{Fail: faultproxy.Garbage})
	sent := strings.Repeat("hello", 20)
	if got, err := ask(dial(t, p), sent); err != nil || got == sent || len(got) != len(sent) {
		t.Errorf("%q, %v, want as many other bytes", got, err)
	}
}

func TestCut(t *testing.T) {
	for name, faults := range map[string]faultproxy.Faults{
		"requests": {CutRequests: 7},
		"answers":  {CutAnswers: 7},
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t, faults)
			for range 2 {
				conn := dial(t, p)
				wantEcho(t, conn)
				got, err := ask(conn, "again")
				if !strings.HasPrefix("ag", got) || err == nil {
					t.Errorf("%q, %v, want a part of two bytes at most and an end", got, err)
				}
			}
			stats := p.Stats()
			if name == "requests" && stats.Requests != 14 || name == "answers" && stats.Answers != 14 {
				t.Errorf("%+v, want 14 bytes of %s", stats, name)
			}
		})
	}
}

func TestHold(t *testing.T) {
	p := open(t, faultproxy.Faults{HoldRequests: 8})
	conn, other := dial(t, p), dial(t, p)
	wantEcho(t, conn)
	select {
	case <-p.Held():
		t.Error("something is said to be held back after five bytes of eight")
	default:
	}
	if _, err := other.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	<-p.Held()
	if got, err := io.ReadAll(io.LimitReader(other, 3)); string(got) != "hel" || err != nil {
		t.Errorf("of the second five bytes %q, %v, want three", got, err)
	}
	if got := p.Stats(); got.Requests != 8 {
		t.Errorf("%d bytes have passed, want 8", got.Requests)
	}
	change(t, p, faultproxy.Faults{})
	if got, err := io.ReadAll(io.LimitReader(other, 2)); string(got) != "lo" || err != nil {
		t.Errorf("when it is over: %q, %v, want what was held back", got, err)
	}
	wantEcho(t, conn)
}

// TestNoServer holds that without a server behind the proxy a client's
// connection is reset.
func TestNoServer(t *testing.T) {
	gone := open(t, faultproxy.Faults{})
	gone.Close()
	p, err := faultproxy.Open(t.Context(), gone.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	wantReset(t, p)
}

// TestEnd holds that Close and the context end everything, whatever it waits
// for.
func TestEnd(t *testing.T) {
	for name, faults := range map[string]faultproxy.Faults{
		"nothing":  {},
		"hangs":    {Fail: faultproxy.Hang},
		"far away": {RoundTrip: 24 * time.Hour},
		"refuses":  {Fail: faultproxy.Refuse},
		"holds":    {HoldRequests: 1},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p, err := faultproxy.Open(ctx, echo(t))
			if err != nil {
				t.Fatal(err)
			}
			conn := dial(t, p)
			wantEcho(t, conn)
			change(t, p, faults)
			conn.Write([]byte("hello"))
			cancel()
			p.Close()
			if _, err := net.Dial("tcp", p.Addr); err == nil {
				t.Error("it still accepts connections")
			}
			if err := p.Set(faultproxy.Faults{}); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Set: %v, want net.ErrClosed", err)
			}
		})
	}
}
