// SPDX-License-Identifier: Apache-2.0

package redistest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tiercecache/tierce/internal/redistest"
)

var fleet redistest.Fleet

// TestMain stops what the tests share.
func TestMain(m *testing.M) { os.Exit(fleet.Run(m)) }

// client returns a client as a user would make one.
func client(t *testing.T, url string, with ...func(*redis.Options)) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.MaxRetries = -1
	for _, change := range with {
		change(options)
	}
	c := redis.NewClient(options)
	t.Cleanup(func() { c.Close() })
	return c
}

func set(t *testing.T, c redis.Cmdable, key string) {
	t.Helper()
	if err := c.Set(t.Context(), key, "value", 0).Err(); err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, c redis.Cmdable, key string) bool {
	t.Helper()
	n, err := c.Exists(t.Context(), key).Result()
	if err != nil {
		t.Fatal(err)
	}
	return n == 1
}

func TestSingle(t *testing.T) {
	s := redistest.Single(t, "--maxmemory", "10mb", "--maxmemory-policy", "noeviction")
	c := client(t, s.URL)
	set(t, c, "a")
	config, err := c.ConfigGet(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"maxmemory": "10485760", "save": "", "appendonly": "no", "bind": "127.0.0.1", "protected-mode": "yes"} {
		if got := config[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	s.Set(t, "maxmemory", "1")
	if err := c.Set(t.Context(), "b", "value", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "OOM") {
		t.Errorf("a write to a full server: %v, want OOM", err)
	}
	s.FlushAll(t)
	if has(t, c, "a") {
		t.Error("the key outlived FlushAll")
	}
}

func TestEnds(t *testing.T) {
	s := redistest.Single(t)
	set(t, client(t, s.URL), "a")
	for _, end := range []struct {
		name string
		save bool
		end  func(testing.TB)
	}{
		{"stopped", false, s.Stop},
		{"killed", false, s.Kill},
		{"stopped after a save", true, s.Stop},
		{"killed after a save", true, s.Kill},
	} {
		set(t, client(t, s.URL), "a")
		if end.save {
			s.Save(t)
		}
		end.end(t)
		if err := client(t, s.URL).Ping(t.Context()).Err(); err == nil {
			t.Errorf("%s: it still answers", end.name)
		}
		s.Start(t)
		if got := has(t, client(t, s.URL), "a"); got != end.save {
			t.Errorf("%s: started again, it has the key: %t, want %t", end.name, got, end.save)
		}
	}
}

func TestPause(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("processes cannot be paused here: Pause fails the test, as its comment says")
		return
	}
	s := redistest.Single(t)
	s.Pause(t)
	c := client(t, s.URL, func(o *redis.Options) { o.ReadTimeout = time.Millisecond })
	if err := c.Ping(t.Context()).Err(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a paused server: %v, want a timeout", err)
	}
	s.Resume(t)
	if err := client(t, s.URL).Ping(t.Context()).Err(); err != nil {
		t.Errorf("a resumed server: %v", err)
	}
	s.Pause(t) // and is killed all the same
}

func TestSocket(t *testing.T) {
	s := redistest.Socket(t)
	set(t, client(t, s.URL), "a")
	s.FlushAll(t)
}

func TestReplica(t *testing.T) {
	master := redistest.Single(t)
	set(t, client(t, master.URL), "a")
	replica := client(t, redistest.Replica(t, master).URL)
	if !has(t, replica, "a") {
		t.Error("the replica has not what the master had")
	}
	if err := replica.Set(t.Context(), "b", "value", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "READONLY") {
		t.Errorf("a write to a replica: %v, want READONLY", err)
	}
}

// trusting returns what makes a client trust the server's authority.
func trusting(t *testing.T, s *redistest.Server) func(*redis.Options) {
	t.Helper()
	authority, err := os.ReadFile(s.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	return func(o *redis.Options) { o.TLSConfig = &tls.Config{RootCAs: pool} }
}

func TestTLS(t *testing.T) {
	s := fleet.TLS(t)
	c := client(t, s.URL, trusting(t, s))
	set(t, c, redistest.Prefix+"a")
	for name, args := range map[string][]any{
		"another prefix": {"SET", "other:a", "value"},
		"FLUSHALL":       {"FLUSHALL"},
		"KEYS":           {"KEYS", "*"},
		"CONFIG":         {"CONFIG", "GET", "*"},
	} {
		if err := c.Do(t.Context(), args...).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
			t.Errorf("%s: %v, want NOPERM", name, err)
		}
	}
	for name, change := range map[string]func(*redis.Options){
		"wrong password":    func(o *redis.Options) { o.Password = "wrong" },
		"nobody":            func(o *redis.Options) { o.Username, o.Password = "", "" },
		"unknown authority": func(o *redis.Options) { o.TLSConfig = &tls.Config{RootCAs: x509.NewCertPool()} },
		"no TLS":            func(o *redis.Options) { o.TLSConfig = nil },
	} {
		if err := client(t, s.URL, trusting(t, s), change).Ping(t.Context()).Err(); err == nil {
			t.Errorf("%s: the server answers", name)
		}
	}
	reader := client(t, s.ReaderURL, trusting(t, s))
	if got, err := reader.Get(t.Context(), redistest.Prefix+"a").Result(); got != "value" || err != nil {
		t.Errorf("the reader gets %q, %v", got, err)
	}
	if err := reader.Set(t.Context(), redistest.Prefix+"a", "other", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
		t.Errorf("the reader writes: %v, want NOPERM", err)
	}
	s.FlushAll(t) // as the administrator
}

// TestDocumented holds that administrators are told the rules which the tests
// run with.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"\n    ACL SETUSER tierce on >PASSWORD " + redistest.Rules + "\n",
		"\n    ACL SETUSER tierce-reader on >PASSWORD " + redistest.ReaderRules + "\n",
	} {
		if !strings.Contains(string(page), line) {
			t.Errorf("docs/redis.md does not have the line %q", line)
		}
	}
}

func TestExpired(t *testing.T) {
	s := redistest.Expired(t)
	err := client(t, s.URL, trusting(t, s)).Ping(t.Context()).Err()
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		t.Errorf("a server whose certificate has expired: %v", err)
	}
}

func TestSentinels(t *testing.T) {
	s := redistest.NewSentinels(t)
	c := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: s.Name, SentinelAddrs: s.Addrs})
	defer c.Close()
	set(t, c, "a")
	old := s.Master(t)
	if now := s.Failover(t); now == old || now != s.Servers[1] {
		t.Errorf("the master is %v, as before", now.Addr)
	}
	if s := fleet.Sentinels(t); s.Master(t) != s.Servers[0] {
		t.Error("the fleet's master is not the first server")
	}
}

func TestCluster(t *testing.T) {
	c := redistest.NewCluster(t)
	user := func() redis.Cmdable {
		user := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs})
		t.Cleanup(func() { user.Close() })
		return user
	}
	first := user()
	for n := range 100 {
		set(t, first, strconv.Itoa(n))
	}
	killed := c.KillMasterOf(t, "1")
	c.Settle(t)
	if c.MasterOf(t, "1") == killed {
		t.Error("the killed server still has the key")
	}
	set(t, user(), "1")
	killed.Start(t)
	c.Settle(t)
	if c.MasterOf(t, "1") == killed {
		t.Error("the server that came back is not a replica")
	}
}

func TestFleet(t *testing.T) {
	if fleet.Single(t) != fleet.Single(t) {
		t.Error("the fleet has two of what is shared")
	}
	if a, b := fleet.Cluster(t), fleet.Cluster(t); a != b {
		t.Error("the fleet has two clusters")
	}
}

// TestMissing holds that without redis-server a test fails with a sentence
// that says how to get it.
func TestMissing(t *testing.T) {
	path := os.Getenv("PATH")
	t.Setenv("PATH", t.TempDir())
	failed := new(failing)
	failed.TB = t
	done := make(chan struct{})
	go func() {
		defer close(done)
		redistest.Single(failed)
	}()
	<-done
	if !strings.Contains(failed.text, "apt-get install redis-server") {
		t.Errorf("it says %q", failed.text)
	}
	t.Setenv("PATH", path)
}

// failing is a test that notes why it failed.
type failing struct {
	testing.TB
	text string
}

func (f *failing) Fatal(args ...any) {
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			f.text += err.Error()
		}
	}
	runtime.Goexit()
}

// TestKilled holds that a server ends with the process that started it, where
// the system can do that.
func TestKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("here a server outlives a killed test: the package says so")
		return
	}
	if os.Getenv("REDISTEST_PARENT") != "" {
		s := redistest.Single(t)
		s.Do(t, "SET", "pid", os.Getpid())
		os.Stdout.WriteString("ADDR " + s.URL + "\n")
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			self.Kill()
		}
	}
	test := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	test.Env = append(os.Environ(), "REDISTEST_PARENT=1", "TMPDIR="+t.TempDir())
	out, _ := test.Output() // it is killed
	_, url, ok := strings.Cut(strings.TrimSpace(string(out)), "ADDR ")
	if !ok {
		t.Fatalf("it prints %q", out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ticker := time.NewTicker(5 * time.Millisecond); ; {
		if err := client(t, url).Ping(ctx).Err(); errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("the server at %s outlives its test", url)
		}
	}
}
