// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/redistest"
	"github.com/tiercecache/tierce/redis"
)

// impostor is a server that answers every command but the first of a connection
// with what answer returns for it.
func impostor(t *testing.T, answer func(command []string) string) redis.Options {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go pretend(conn, answer)
		}
	}()
	return redis.Options{Addrs: []string{listener.Addr().String()}}
}

func pretend(conn net.Conn, answer func([]string) string) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		command, err := readCommand(r)
		if err != nil {
			return
		}
		text := "-ERR unknown command 'HELLO'\r\n"
		if command[0] != "hello" {
			text = answer(command)
		}
		if _, err := io.WriteString(conn, text); err != nil || text == "" {
			return
		}
	}
}

// readCommand reads a list of strings as clients send it.
func readCommand(r *bufio.Reader) (command []string, err error) {
	number := func() int {
		line, readErr := r.ReadString('\n')
		if readErr != nil {
			err = readErr
			return 0
		}
		n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
		return n
	}
	for range number() {
		b := make([]byte, number()+2)
		if _, readErr := io.ReadFull(r, b); readErr != nil {
			return nil, readErr
		}
		command = append(command, strings.ToLower(string(b[:len(b)-2])))
	}
	if len(command) == 0 && err == nil {
		err = io.EOF
	}
	return command, err
}

func always(text string) func([]string) string { return func([]string) string { return text } }

// What a server answers is an error of the documented kind, in words.
func TestAnswers(t *testing.T) {
	type kind int
	const (
		away kind = iota // BackendNotAvailableError
		ill              // BackendExecutionError
		readOnly
		damaged
	)
	for answer, want := range map[string]struct {
		kind
		words string
	}{
		"-LOADING Redis is loading the dataset in memory\r\n":          {away, "starting"},
		"-CLUSTERDOWN The cluster is down\r\n":                         {away, "cluster is down"},
		"-MASTERDOWN Link with MASTER is down\r\n":                     {away, "cluster is down"},
		"-TRYAGAIN Multiple keys request during rehashing of slot\r\n": {away, "cannot answer now"},
		"-ERR max number of clients reached\r\n":                       {away, "cannot answer now"},
		"-MOVED 1 127.0.0.1:1\r\n":                                     {away, "cannot answer now"},
		"":                                                             {away, "broke"},
		"-OOM command not allowed when used memory > 'maxmemory'.\r\n": {ill, "memory is full"},
		"-MISCONF Redis is configured to save RDB snapshots, but it's unable to\r\n": {ill, "cannot save"},
		"-NOAUTH Authentication required.\r\n":                                       {ill, "user name or password"},
		"-NOPERM this user has no permissions to run the 'get' command\r\n":          {ill, "ACL"},
		"-ERR unknown command\r\n":                                                   {ill, "unknown command"},
		"-READONLY You can't write against a read only replica.\r\n":                 {readOnly, "replica"},
		"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n":     {damaged, "damaged"},
		"HTTP/1.1 400 Bad Request\r\n\r\n":                                           {ill, "not answer as Redis"},
		"SSH-2.0-OpenSSH_9.9\r\n":                                                    {ill, "not answer as Redis"},
		"$1099511627776\r\n":                                                         {damaged, "longer than any"},
		"*1099511627776\r\n":                                                         {ill, "not answer as Redis"},
		strings.Repeat("*1\r\n", 100):                                                {ill, "not answer as Redis"},
		strings.Repeat("garbage ", 20_000):                                           {ill, "not answer as Redis"},
		"$5\r\nab":                                                                   {away, "in time"},
		"\x00\x01\x02\xff\r\n":                                                       {ill, "not answer as Redis"},
		":12\r\n":                                                                    {damaged, "damaged"},
	} {
		t.Run(fmt.Sprintf("%.20q", answer), func(t *testing.T) {
			opts := impostor(t, always(answer))
			opts.ReadTimeout = 200 * time.Millisecond
			_, err := open(t, opts).Get(t.Context(), key)
			away1, isAway := errors.AsType[*cacheerr.BackendNotAvailableError](err)
			ill1, isIll := errors.AsType[*cacheerr.BackendExecutionError](err)
			switch want.kind {
			case away:
				isIll = !isAway || away1.Tier != "redis"
			case ill:
				isAway = !isIll || ill1.Tier != "redis" || ill1.Op != "get" || errors.Is(err, cacheerr.ErrReadOnly)
			case readOnly:
				isAway, isIll = !errors.Is(err, cacheerr.ErrReadOnly), false
			case damaged:
				isAway, isIll = !errors.Is(err, cacheerr.ErrDamaged), false
			}
			if isAway && want.kind != away || isIll && want.kind != ill || err == nil || !strings.Contains(err.Error(), want.words) {
				t.Errorf("error %v (%T), want one of kind %d with %q", err, err, want.kind, want.words)
			}
		})
	}
}

// TestNotThere: a server that is not there does not keep Open, and is told of in
// words by everything else.
func TestNotThere(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	for name, opts := range map[string]redis.Options{
		"refused":      {URL: "redis://user:hunter2@" + addr},
		"no socket":    {URL: "unix:///nonexistent/redis.sock"},
		"TLS, refused": {URL: "rediss://user:hunter2@" + addr},
		"Sentinel":     {URL: "redis://user:hunter2@" + addr + "?master=tierce"},
		"Cluster":      {URL: "redis://user:hunter2@" + addr + "?cluster=true"},
		"hangs":        {URL: "redis://user:hunter2@" + addr, DialTimeout: 50 * time.Millisecond, Dial: hanging},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, opts)
			for op, call := range map[string]func() error{
				"Get":  func() error { _, err := c.Get(t.Context(), key); return err },
				"Put":  func() error { return c.Put(t.Context(), key, interfaces.Text("body")) },
				"Ping": func() error { return c.Ping(t.Context()) },
				"List": func() error {
					for _, err := range c.List(t.Context()) {
						return err
					}
					return nil
				},
				"GetBatch": func() (miss error) {
					err := c.GetBatch(t.Context(), []interfaces.Key{key, other}, func(_ int, _ interfaces.Entry, err error) error { miss = err; return nil })
					return errors.Join(err, miss)
				},
			} {
				err := call()
				if _, ok := errors.AsType[*cacheerr.BackendNotAvailableError](err); !ok {
					t.Errorf("%s: error %v (%T), want BackendNotAvailableError", op, err, err)
				} else if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s: error %v has the password", op, err)
				}
			}
		})
	}
}

func hanging(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestPaused: a server that hangs keeps nobody longer than the context lets it.
// Its timeouts are an hour, so that only the context can end the wait.
func TestPaused(t *testing.T) {
	server := redistest.Single(t)
	c := open(t, redis.Options{URL: server.URL, ReadTimeout: time.Hour, DialTimeout: time.Hour})
	put(t, c, key, "body")
	server.Pause(t)
	t.Cleanup(func() { server.Resume(t) })
	t.Run("a deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := c.Get(ctx, key); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get: error %v, want DeadlineExceeded", err)
		}
	})
	t.Run("a cancellation", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan error)
		go func() {
			_, err := c.Get(ctx, key)
			answer <- err
		}()
		cancel()
		if err := <-answer; !errors.Is(err, context.Canceled) {
			t.Errorf("Get: error %v, want Canceled", err)
		}
	})
}

// TestRestart: a server that was away is used again, empty as it is.
func TestRestart(t *testing.T) {
	server := redistest.Single(t)
	c := open(t, redis.Options{URL: server.URL})
	put(t, c, key, "body")
	server.Kill(t)
	if _, err := c.Get(t.Context(), key); !errors.As(err, new(*cacheerr.BackendNotAvailableError)) {
		t.Errorf("Get from a killed server: error %v, want BackendNotAvailableError", err)
	}
	server.Start(t)
	if _, err := c.Get(t.Context(), key); err != cacheerr.ErrMiss {
		t.Errorf("Get after the restart: error %v, want a bare miss", err)
	}
	put(t, c, key, "again")
	if got, err := body(t, c, key); got != "again" || err != nil {
		t.Errorf("%q and error %v after a Put", got, err)
	}
}

// TestFull: a server that is full and evicts nothing serves what it has.
func TestFull(t *testing.T) {
	server := redistest.Single(t, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
	c := open(t, redis.Options{URL: server.URL, ChunkSize: 64 << 10})
	put(t, c, key, "body")
	var err error
	for i := 0; err == nil && i < 100; i++ {
		err = c.Put(t.Context(), interfaces.Key{byte(i), 1}, interfaces.Text(noise(uint64(i), 60<<10)))
	}
	wantFull := func(what string, err error) {
		t.Helper()
		failure, ok := errors.AsType[*cacheerr.BackendExecutionError](err)
		if !ok || !strings.Contains(failure.Reason, "maxmemory") {
			t.Errorf("%s: error %v, want BackendExecutionError that says what to do", what, err)
		}
	}
	wantFull("Put", err)
	wantFull("Put of a long body", c.Put(t.Context(), other, interfaces.Text(noise(1, 1<<20))))
	_, err = c.Insert(t.Context(), other, interfaces.Text(noise(1, 60<<10)))
	wantFull("Insert", err)
	wantFull("Ping", c.Ping(t.Context()))
	err = c.PutBatch(t.Context(), []interfaces.Item{{Key: other, Entry: interfaces.Text(noise(1, 60<<10))}})
	wantFull("PutBatch", err)
	if got, err := body(t, c, key); got != "body" || err != nil {
		t.Errorf("Get: %q and error %v, want what it has", got, err)
	}
}

// TestReplica: a replica answers, and takes no writes.
func TestReplica(t *testing.T) {
	master := fleet.Single(t)
	opts := alone(redis.Options{URL: master.URL})
	put(t, open(t, opts), key, "body")
	opts.URL = redistest.Replica(t, master).URL
	c := open(t, opts)
	if got, err := body(t, c, key); got != "body" || err != nil {
		t.Errorf("Get: %q and error %v", got, err)
	}
	_, inserted := c.Insert(t.Context(), other, interfaces.Text("x"))
	for op, err := range map[string]error{
		"Put": c.Put(t.Context(), key, interfaces.Text("x")), "Insert": inserted, "Delete": c.Delete(t.Context(), key),
		"Clear": c.Clear(t.Context()), "Ping": c.Ping(t.Context()),
		"PutBatch": c.PutBatch(t.Context(), []interfaces.Item{{Key: key, Entry: interfaces.Text("x")}}),
	} {
		if !errors.Is(err, cacheerr.ErrReadOnly) || !strings.Contains(err.Error(), "master") {
			t.Errorf("%s: error %v, want ErrReadOnly and what to do", op, err)
		}
	}
}

// TestTrust: who may not use a server is told why, without the password.
func TestTrust(t *testing.T) {
	secure := fleet.TLS(t)
	ca := redis.TLS{CA: secure.CA}
	expired := redistest.Expired(t)
	for name, test := range map[string]struct {
		opts  redis.Options
		words string
	}{
		"a wrong password":               {redis.Options{Addrs: []string{secure.Addr}, Username: secure.Username, Password: "hunter2", TLS: ca}, "user name or password"},
		"no password":                    {redis.Options{Addrs: []string{secure.Addr}, TLS: ca}, "user name or password"},
		"another prefix":                 {redis.Options{URL: secure.URL, TLS: ca, Prefix: "elsewhere:"}, "ACL"},
		"an authority that nobody knows": {redis.Options{URL: secure.URL}, "not one to trust"},
		"a certificate for another name": {redis.Options{URL: secure.URL, TLS: redis.TLS{CA: secure.CA, ServerName: "elsewhere"}}, "another name"},
		"an expired certificate":         {redis.Options{URL: expired.URL, TLS: redis.TLS{CA: expired.CA}}, "has expired"},
		"no TLS there":                   {redis.Options{Addrs: []string{fleet.Single(t).Addr}, TLS: ca, DialTimeout: 100 * time.Millisecond}, "does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, test.opts)
			_, err := c.Get(t.Context(), key)
			for op, err := range map[string]error{"Get": err, "Ping": c.Ping(t.Context()), "Put": c.Put(t.Context(), key, interfaces.Text("x"))} {
				if _, ok := errors.AsType[cacheerr.BackendError](err); !ok || !strings.Contains(err.Error(), test.words) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s: error %v, want a BackendError with %q", op, err, test.words)
				}
			}
		})
	}
}

// TestPutBatchNames: the item that the server refused is named, and those before
// it are stored.
func TestPutBatchNames(t *testing.T) {
	opts := impostor(t, func(command []string) string {
		switch {
		case command[0] == "getrange":
			return "$0\r\n\r\n"
		case strings.HasSuffix(command[1], interfaces.Key{2}.String()):
			return "-OOM command not allowed\r\n"
		}
		return "+OK\r\n"
	})
	items := make([]interfaces.Item, 5)
	for i := range items {
		items[i] = interfaces.Item{Key: interfaces.Key{byte(i)}, Entry: interfaces.Text("body")}
	}
	err := open(t, opts).PutBatch(t.Context(), items)
	batch, ok := errors.AsType[*interfaces.BatchError](err)
	if !ok || batch.Index != 2 || batch.Key != items[2].Key || !strings.Contains(err.Error(), "maxmemory") {
		t.Errorf("error %v, want a BatchError of item 2", err)
	}
}
