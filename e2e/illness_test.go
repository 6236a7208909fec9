// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tiercecache/tierce/internal/faultproxy"
	"github.com/tiercecache/tierce/internal/redistest"
)

// illness is a way in which Redis is ill while the second machine builds.
type illness struct {
	// begin makes it so and returns where the machine looks for Redis.
	begin func(s *second) (url string)
	// told is a part of the summary.
	told string
	// wants are conditions about the build's numbers.
	wants []string
}

// TestIllRedis: issue 4, "Redis not there from the start; killed in the middle;
// SIGSTOPped in the middle; restarted empty; out of memory; answering garbage;
// values truncated, bit-flipped, swapped between keys, of a lying length (1
// TiB), a decompression bomb; wrong password; expired certificate; a read-only
// replica; a cluster whose master is killed mid-build (failover)", and likewise
// with Sentinels: "the build succeeds with the right binary in every case", with no more waiting than the
// budget; "the summary says in one line what was ill".
func TestIllRedis(t *testing.T) {
	t.Parallel()
	for _, name := range slices.Sorted(maps.Keys(illnesses)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ill := newSecond(t), illnesses[name]
			s.set("TIERCE_REDIS_URL=" + ill.begin(s))
			b := s.right()
			s.wants(b, "memory<600000000") // of the largest process, which is a compiler's
			s.wants(b, "waited_seconds<6") // as the guard counted: its budget of 5 s, and what was not in vain
			s.wants(b, ill.wants...)
			if !strings.Contains(b.line, ill.told) {
				t.Errorf("the summary says %q, and not %q", b.line, ill.told)
			}
		})
	}
}

var illnesses = map[string]illness{
	"no Redis at all": { // to compare the times in the log with
		begin: func(*second) string { return "" },
	},
	"not there":         behind(faultproxy.Faults{Fail: faultproxy.Refuse}, "nothing listens"),
	"half open":         behind(faultproxy.Faults{Fail: faultproxy.Hang}, "no answer in time"),
	"connections reset": behind(faultproxy.Faults{Fail: faultproxy.Reset}, "connection broke"),
	"garbage":           behind(faultproxy.Faults{Fail: faultproxy.Garbage}, "ill: "),
	"connections cut":   behind(faultproxy.Faults{CutAnswers: 100}, "connection broke"),

	"killed in the middle": middle("connection broke", faultproxy.None, func(s *second, server *redistest.Server) {
		server.Kill(s.t)
	}),
	"stopped in the middle": middle("no answer in time", faultproxy.None, func(s *second, server *redistest.Server) {
		server.Pause(s.t)
	}),
	"restarted empty in the middle": middle("connection broke", faultproxy.None, func(s *second, server *redistest.Server) {
		server.Stop(s.t)
		server.Start(s.t)
	}),
	"cut in the middle":          middle("connection broke", faultproxy.Reset, func(*second, *redistest.Server) {}),
	"garbage from the middle on": middle("not answer as Redis", faultproxy.Garbage, func(*second, *redistest.Server) {}),
	// These two are killed while the machine is being told where they are. A
	// replica takes over half a second later at the earliest, and what is asked
	// from then on may be there.
	"a cluster's master killed in the middle": {
		begin: func(s *second) string {
			cluster := redistest.NewCluster(s.t)
			var victim *redistest.Server
			for name, value := range s.first.contents {
				victim = cluster.MasterOf(s.t, name)
				victim.Do(s.t, "SET", name, value)
			}
			seed := cluster.Servers[0]
			if seed == victim {
				seed = cluster.Servers[1]
			}
			return "redis://" + s.strike(seed.Addr, 1, faultproxy.None, func() { victim.Kill(s.t) }) + "?cluster=true"
		},
		told: "nothing listens",
	},
	"the master of Sentinels killed in the middle": {
		begin: func(s *second) string {
			set := redistest.NewSentinels(s.t)
			master := set.Master(s.t)
			fill(s.t, master, s.first.contents)
			return "redis://" + s.strike(set.Addrs[0], 1, faultproxy.None, func() { master.Kill(s.t) }) + "?master=" + set.Name
		},
		told: "nothing listens",
	},
	"out of memory": {
		begin: func(s *second) string {
			return redistest.Single(s.t, "--maxmemory", "1mb", "--maxmemory-policy", "noeviction").URL
		},
		told: "memory is full",
	},
	"wrong password": {
		begin: func(s *second) string {
			server := redistest.Single(s.t)
			server.Set(s.t, "requirepass", "right")
			return strings.Replace(server.URL, "redis://", "redis://:wrong@", 1)
		},
		told: "password",
	},
	"an expired certificate": {
		begin: func(s *second) string {
			server := redistest.Expired(s.t)
			s.trust(server, "behind: true")
			return server.URL
		},
		told: "expired",
	},
	"a read-only replica": {
		begin: func(s *second) string { return redistest.Replica(s.t, redistest.Single(s.t)).URL },
		told:  "read-only replica",
	},
	"answers that claim a terabyte":      lying("$1099511627776\r\n"),
	"answers that claim as many answers": lying("*1099511627776\r\n"),

	"values truncated":   damagedValues(func(value string) string { return value[:len(value)/2] }),
	"values emptied":     damagedValues(func(string) string { return "" }),
	"values bit-flipped": damagedValues(func(value string) string { return flipped(value, len(value)/2) }),
	"heads bit-flipped":  damagedValues(func(value string) string { return flipped(value, 20) }),
	"values that claim a terabyte": damagedValues(func(value string) string {
		return value[:sizeAt] + "\x00\x00\x00\x00\x00\x01\x00\x00" + value[sizeAt+8:]
	}),
	"values swapped": {
		begin: func(s *second) string {
			server := redistest.Single(s.t)
			names := slices.Sorted(maps.Keys(s.first.contents))
			swapped := make(map[string]string)
			for i, name := range names {
				swapped[name] = s.first.contents[names[len(names)-1-i]]
			}
			fill(s.t, server, swapped)
			return server.URL
		},
		told: "damaged",
	},
	"decompression bombs": damagedValues(bomb),
}

// behind is the illness of a network with faults before a Redis that is well.
func behind(faults faultproxy.Faults, told string) illness {
	return illness{
		begin: func(s *second) string { return "redis://" + s.proxy(s.redis().Addr, faults).Addr },
		told:  told,
	}
}

// middle is the illness of a Redis that something happens to in the middle of
// the build: when the machine has its manifest and has begun to ask for what is
// in it. What it asks for then is underway while that happens, so that no more
// than one package comes from Redis.
func middle(told string, fail faultproxy.Failure, do func(*second, *redistest.Server)) illness {
	return illness{
		begin: func(s *second) string {
			server := s.redis()
			return "redis://" + s.strike(server.Addr, begun, fail, func() { do(s, server) })
		},
		told:  told,
		wants: []string{"compiles>14"},
	}
}

// begun is after how many bytes of requests something happens: those for the
// manifest and for two entries, or fewer if connections were tried besides. Each
// package is two entries.
const begun = 400

// lying is the illness of a server that answers each thing it is sent with the
// same.
func lying(answer string) illness {
	return illness{
		begin: func(s *second) string { return "redis://" + liar(s.t, answer) },
		told:  "not answer as Redis",
	}
}

// newSecond returns a second machine, which has the runtime compiled, and no
// more.
func newSecond(t *testing.T) *second {
	t.Helper()
	s := &second{place: newPlace(t), first: afterFirst(t)}
	copyDirectory(t, s.first.runtime, s.path("cache"))
	return s
}

// strike returns the address of a proxy to a server that lets so many bytes of
// requests pass, holds what follows back until do is done, and fails so from
// then on. A build that ends before is an error.
func (s *second) strike(server string, after int64, fail faultproxy.Failure, do func()) (addr string) {
	proxy := s.proxy(server, faultproxy.Faults{HoldRequests: after})
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(s.t.Context()))
	over := errors.New("the build was over before its middle")
	var middle sync.WaitGroup
	s.t.Cleanup(func() {
		cancel(over)
		middle.Wait()
	})
	middle.Go(func() {
		select {
		case <-proxy.Held():
			do()
			s.ok(proxy.Set(faultproxy.Faults{Fail: fail}))
		case <-ctx.Done():
			s.t.Error(context.Cause(ctx))
		}
	})
	return proxy.Addr
}

// sizeAt is where a value says how long its body is.
const sizeAt = 4

func flipped(value string, at int) string {
	return value[:at] + string([]byte{value[at] ^ 1}) + value[at+1:]
}

// damagedValues is the illness of a Redis all of whose values are as change
// makes them.
func damagedValues(change func(value string) string) illness {
	return illness{
		begin: func(s *second) string {
			server := redistest.Single(s.t)
			changed := maps.Clone(s.first.contents)
			for name, value := range changed {
				changed[name] = change(value)
			}
			fill(s.t, server, changed)
			return server.URL
		},
		told: "damaged",
	}
}

// bomb returns a value whose body is as short as it was and becomes 4 GiB when
// it is decompressed.
func bomb(value string) string {
	const blocks = 32 << 10
	head := int(value[2]) | int(value[3])<<8
	var zip strings.Builder
	zip.WriteString("\x28\xb5\x2f\xfd\x00\x38") // zstd: a window of 128 KiB, nothing else said
	for n := range blocks {
		repeat := 128<<10<<3 | 1<<1 // a block of 128 KiB that repeats a byte
		if n == blocks-1 {
			repeat |= 1 // the last
		}
		zip.Write([]byte{byte(repeat), byte(repeat >> 8), byte(repeat >> 16), 0})
	}
	return value[:1] + "\x01" + value[2:sizeAt+8+head] + zip.String()
}

// proxy returns a proxy to a server.
func (s *second) proxy(server string, faults faultproxy.Faults) *faultproxy.Proxy {
	s.t.Helper()
	proxy, err := faultproxy.Open(s.t.Context(), server)
	s.ok(err)
	s.t.Cleanup(func() { proxy.Close() })
	s.ok(proxy.Set(faults))
	return proxy
}

// liar is a server that answers each thing it is sent with the same.
func liar(t testing.TB, answer string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for piece := make([]byte, 4<<10); ; {
					if _, err := conn.Read(piece); err != nil {
						return
					}
					fmt.Fprint(conn, answer)
				}
			}()
		}
	}()
	return listener.Addr().String()
}
