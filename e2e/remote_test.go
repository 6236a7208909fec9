// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tiercecache/tierce/internal/redistest"
)

// shared is what two machines build: the same sources in different places,
// which is why they build with -trimpath.
var shared = module{path: "example.test/shared", packages: 15}

// fleet is the Redis that the first machine uses.
var fleet redistest.Fleet

// first is a machine that has built, with a Redis that was empty before.
type first struct {
	app      string            // the program
	runtime  string            // a Tierce directory in which the runtime is compiled, and nothing else
	contents map[string]string // what its Redis has then, by the names there
}

// firstMachine is built once: compiling the runtime takes most of the time of
// these tests.
var firstMachine = struct {
	sync.Mutex
	*first
}{}

// afterFirst returns the first machine when it has built.
func afterFirst(t *testing.T) *first {
	t.Helper()
	firstMachine.Lock()
	defer firstMachine.Unlock()
	if firstMachine.first == nil {
		firstMachine.first = newFirst(t)
	}
	return firstMachine.first
}

func newFirst(t *testing.T) *first {
	t.Helper()
	server := fleet.Single(t)
	p := newPlace(t)
	p.set("TIERCE_REDIS_URL=" + server.URL)
	f := &first{app: filepath.Join(world.dir, "shared.app"), runtime: filepath.Join(world.dir, "runtime")}
	nothing := p.module("nothing", module{packages: 1})
	p.build(nothing)
	copyDirectory(t, p.path("cache"), f.runtime)
	p.ok(os.RemoveAll(filepath.Join(f.runtime, "state")))

	m := p.module("shared", shared)
	p.wants(p.build(m), "compiles=16", "dropped=0", "errors=0")
	p.prints("shared.app", m)
	p.native("shared", "build", "-trimpath", "-o", "../reference", "./cmd/app")
	p.same("shared.app", "reference")
	p.ok(os.Rename(p.path("shared.app"), f.app))
	f.contents = contentsOf(t, server)
	return f
}

// copyDirectory copies a directory, attributes included.
func copyDirectory(t *testing.T, from, to string) {
	t.Helper()
	if text, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

// contentsOf returns all that a server has.
func contentsOf(t testing.TB, server *redistest.Server) map[string]string {
	t.Helper()
	contents := make(map[string]string)
	names, _ := server.Do(t, "KEYS", "*").([]any)
	for _, name := range names {
		contents[name.(string)], _ = server.Do(t, "GET", name).(string)
	}
	if len(contents) < 60 {
		t.Fatalf("the first machine left %d values, want more", len(contents))
	}
	return contents
}

// fill gives a server what the first machine left.
func fill(t testing.TB, server *redistest.Server, contents map[string]string) {
	t.Helper()
	for name, value := range contents {
		server.Do(t, "SET", name, value)
	}
}

// set sets a variable of the place's environment.
func (p *place) set(pair string) { p.env = append(slices.Clone(p.env), pair) }

// built is how a build went.
type built struct {
	line    string             // the last one: the summary
	numbers map[string]float64 // of the statistics and of the steps
}

// build builds cmd/app of m, which must succeed. The program is m's name and
// ".app".
func (p *place) build(m module) built {
	p.t.Helper()
	name := filepath.Base(m.path)
	p.ok(os.RemoveAll(p.path("cache", "state")))
	cmd := p.command(name, []string{"tierce", "run", "--", "go", "build", "-x", "-trimpath", "-o", p.path(name + ".app"), "./cmd/app"})
	began := time.Now()
	end := p.mustEnd(cmd)
	took := time.Since(began)
	numbers, err := flatten([]byte(p.must(".", "tierce", "stats", "--json").stdout))
	p.ok(err)
	maps.Copy(numbers, countSteps(end.stderr))
	numbers["memory"] = memory(cmd.ProcessState)
	line := lastLine(end.stderr)
	p.t.Logf("%.2f s; %s", took.Seconds(), line)
	return built{line, numbers}
}

// wants fails the test unless conditions about numbers hold.
func (p *place) wants(b built, conditions ...string) {
	p.t.Helper()
	for _, condition := range conditions {
		if err := holds(condition, b.numbers); err != nil {
			p.t.Error(err)
		}
	}
}

// second is another machine.
type second struct {
	*place
	first *first
}

// redis returns a server of the second machine's own that has what the first
// machine left.
func (s *second) redis(args ...string) *redistest.Server {
	s.t.Helper()
	server := redistest.Single(s.t, args...)
	fill(s.t, server, s.first.contents)
	return server
}

// right builds the shared module and fails the test unless the program is the
// first machine's.
func (s *second) right() built {
	s.t.Helper()
	m := s.module("shared", shared)
	b := s.build(m)
	s.prints("shared.app", m)
	s.ok(sameFiles(s.path("shared.app"), s.first.app))
	return b
}

// TestTwoMachines: issue 4, "Two directories standing for two machines, one
// Redis: build in the first, build in the second: 0 compile steps, binaries
// equal", in each topology.
func TestTwoMachines(t *testing.T) {
	t.Parallel()
	for _, topology := range slices.Sorted(maps.Keys(topologies)) {
		t.Run(topology, func(t *testing.T) {
			t.Parallel()
			s := &second{place: newPlace(t), first: afterFirst(t)}
			server, stop := topologies[topology](s)
			s.set("TIERCE_REDIS_URL=" + server)
			b := s.right()
			s.wants(b, "compiles=0", "errors=0")
			if strings.Contains(b.line, "ill:") {
				t.Errorf("all is well, and the summary says %q", b.line)
			}
			s.verify()

			// What came from Redis stays: without it the next build has it all.
			stop()
			s.wants(s.right(), "compiles=0")
		})
	}
}

// TestAhead: issue 4, "fetch it ahead in batches as soon as a similar build
// starts". What a second machine finds comes in batches. By itself it asks for
// the manifest and for what is nowhere; without a name of its build for
// everything.
func TestAhead(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]bool{"": true, "none": false} {
		t.Run(fmt.Sprintf("TIERCE_BUILD=%s", name), func(t *testing.T) {
			t.Parallel()
			s := &second{place: newPlace(t), first: afterFirst(t)}
			server := s.redis()
			s.set("TIERCE_REDIS_URL=" + server.URL)
			s.set("TIERCE_BUILD=" + name)
			server.Do(t, "CONFIG", "RESETSTAT")
			b := s.right()
			s.wants(b, "compiles=0")
			switch alone := gets(t, server) - 1; { // one is for the manifest
			case ahead && alone > b.numbers["misses"]:
				t.Errorf("%v keys were asked for one by one, want %v at most", alone, b.numbers["misses"])
			case !ahead && alone < b.numbers["hits"]:
				t.Errorf("%v keys were asked for one by one, want %v at least", alone, b.numbers["hits"])
			}
		})
	}
}

// gets returns how often a server was asked for one key by itself.
func gets(t testing.TB, server *redistest.Server) float64 {
	t.Helper()
	stats := fmt.Sprint(server.Do(t, "INFO", "commandstats"))
	_, calls, ok := strings.Cut(stats, "cmdstat_get:calls=")
	calls, _, _ = strings.Cut(calls, ",")
	n, err := strconv.ParseFloat(calls, 64)
	if !ok || err != nil {
		t.Fatalf("no number of GETs in %q", stats)
	}
	return n
}

// topologies returns where a Redis of each kind is, which has what the first
// machine left, and what stops it.
var topologies = map[string]func(s *second) (url string, stop func()){
	"one server": func(s *second) (string, func()) {
		server := s.redis()
		return server.URL, func() { server.Stop(s.t) }
	},
	"TLS and ACL": func(s *second) (string, func()) {
		server := redistest.TLS(s.t)
		fill(s.t, server, s.first.contents)
		s.trust(server, "behind: true")
		return server.URL, func() { server.Stop(s.t) }
	},
	"TLS and ACL of a reader": func(s *second) (string, func()) {
		server := redistest.TLS(s.t)
		fill(s.t, server, s.first.contents)
		s.trust(server, "read_only: true")
		return server.ReaderURL, func() { server.Stop(s.t) }
	},
	"socket": func(s *second) (string, func()) {
		server := redistest.Socket(s.t)
		fill(s.t, server, s.first.contents)
		return server.URL, func() { server.Stop(s.t) }
	},
	"Sentinels": func(s *second) (string, func()) {
		set := redistest.NewSentinels(s.t)
		fill(s.t, set.Master(s.t), s.first.contents)
		return addresses(set.Addrs) + "&master=" + set.Name, func() {
			for _, server := range set.Servers {
				server.Stop(s.t)
			}
		}
	},
	"Cluster": func(s *second) (string, func()) {
		cluster := redistest.NewCluster(s.t)
		for name, value := range s.first.contents {
			cluster.MasterOf(s.t, name).Do(s.t, "SET", name, value)
		}
		return addresses(cluster.Addrs), func() {
			for _, server := range cluster.Servers {
				server.Stop(s.t)
			}
		}
	},
}

// addresses returns the URL of a Redis at several addresses.
func addresses(addrs []string) string {
	return "redis://" + addrs[0] + "?addr=" + strings.Join(addrs[1:], "&addr=")
}

// trust configures the certificate that a server with TLS is known by, and how
// its tier is used.
func (s *second) trust(server *redistest.Server, use string) {
	s.t.Helper()
	s.ok(writeOld(s.path("tierce.yaml"), fmt.Sprintf(`tiers:
  - type: memory
  - type: filestream
  - type: redis
    %s
    options: {tls: {ca: %q}}
`, use, server.CA)))
	s.set("TIERCE_CONFIG=" + s.path("tierce.yaml"))
}
