// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/tiercecache/tierce/internal/faultproxy"
	"github.com/tiercecache/tierce/internal/lock"
)

// parseTrips returns the round trips to the server at which builds are compared,
// in milliseconds with commas between them.
func parseTrips(text string) (delays []time.Duration, err error) {
	for number := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(number)
		if err != nil {
			return nil, err
		}
		delays = append(delays, time.Duration(n)*time.Millisecond)
	}
	return delays, nil
}

// compareRemote compares the build of a machine that has never built, beside a
// Redis that another has filled, with a warm native one: as it is, and with a
// request for each key, since nothing is known of the build.
func (s *site) compareRemote(ctx context.Context, rounds int, module, trips string) error {
	delays, err := parseTrips(trips)
	if err != nil {
		return err
	}
	server, err := startRedis(ctx, s.dir)
	if err != nil {
		return err
	}
	defer server.stop()
	proxy, err := faultproxy.Open(ctx, server.addr)
	if err != nil {
		return err
	}
	defer proxy.Close() //nolint:errcheck // nobody needs it any more
	args := append([]string{"build"}, s.packages...)
	first := s.sharing("first", server.addr, "")
	for _, c := range []client{s.clients()[0], first} { // fill the caches
		if _, err := s.build(ctx, c, args); err != nil {
			return err
		}
	}
	unguarded := "tiers: [{type: memory}, {type: filestream}, {type: redis, guard: {off: true}, options: {url: 'redis://" + proxy.Addr + "'}}]\n"
	if err := os.WriteFile(filepath.Join(s.dir, "unguarded.yaml"), []byte(unguarded), 0o600); err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil { // the first machine sends its last entries behind
		return err
	}
	least, err := s.newFloor(ctx, server.addr, first.keep)
	if err != nil {
		return err
	}
	for _, trip := range delays {
		if err := proxy.Set(faultproxy.Faults{RoundTrip: trip}); err != nil {
			return err
		}
		title := fmt.Sprintf("A second machine at %v of round trip: go build of the library packages of %s", trip, module)
		if err := s.compareSecond(ctx, title, rounds, proxy.Addr, args, least); err != nil {
			return err
		}
	}
	cold := s.clients()[0]
	return table("Cold, for comparison", "ms", 2, nil, competitor{cold.name, func() (float64, error) {
		if err := os.RemoveAll(cold.keep); err != nil {
			return 0, err
		}
		took, err := s.build(ctx, cold, args)
		return milliseconds(took), err
	}})
}

// compareSecond compares builds whose directory is new each time. None is removed
// before the end, though a round takes 0.8 GiB: for some minutes ext4 walks past
// every inode that was deleted when it makes a new one, which takes longer than
// all the rest of such a build.
func (s *site) compareSecond(ctx context.Context, title string, rounds int, addr string, args []string, least *floor) error {
	second := func(build string) func() (float64, error) {
		return func() (float64, error) {
			backMemory()
			took, err := s.build(ctx, s.sharing(s.fresh(), addr, build), args)
			if err == nil {
				err = s.settle(ctx)
			}
			return milliseconds(took), err
		}
	}
	native := s.clients()[0]
	return table(title, "ms", rounds, []string{native.name},
		competitor{native.name, func() (float64, error) {
			backMemory()
			took, err := s.build(ctx, native, args)
			return milliseconds(took), err
		}},
		competitor{"unpacking a tar of the same", func() (float64, error) { return least.unpack(ctx) }},
		competitor{"the least there is to do", func() (float64, error) { return least.bring(ctx, addr, args) }},
		competitor{"tierce", second("")},
		competitor{"a request for each key", second(unforeseen)})
}

// fresh returns the name of a directory that there has not been.
func (s *site) fresh() string {
	s.seconds++
	return "second-" + strconv.Itoa(s.seconds)
}

// backMemory makes the system have a gigabyte of free memory that is really there.
// A virtual machine may have given free memory back to its host: then whoever
// writes to it first waits for the host, and 200 MiB take 0.1 s or 0.8 s to write.
func backMemory() {
	memory := make([]byte, 1<<30)
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}
	debug.FreeOSMemory()
}

// unforeseen is the name of a build of which nothing is fetched ahead.
const unforeseen = "none"

// sharing is a client with a directory of its own and the Redis at addr. One that
// foresees nothing has no guard, and goes on however long that takes.
func (s *site) sharing(name, addr, build string) client {
	dir, cfg := filepath.Join(s.dir, name), "none"
	if build == unforeseen {
		cfg = filepath.Join(s.dir, "unguarded.yaml")
	}
	return client{name, []string{
		"GOCACHE=" + filepath.Join(s.dir, "unused"), "GOCACHEPROG=" + s.tierce + " go", "TIERCE_BUILD=" + build,
		"TIERCE_DIR=" + dir, "TIERCE_CONFIG=" + cfg, "TIERCE_REDIS_URL=redis://" + addr, "TIERCE_REPORT=" + s.report(),
	}, dir}
}

// report is where helpers report to, as to the "tierce run" above them.
func (s *site) report() string { return filepath.Join(s.dir, "report") }

// settle returns when every helper is done that a build has used: each writes
// behind, and records what was used, when its go command has gone. Until then it
// holds a lock for the sake of the "tierce run" above it. The next build is of
// another run.
func (s *site) settle(ctx context.Context) error {
	return lock.Files(s.report()+".busy").With(ctx, lock.Forever, func() error {
		if err := os.Remove(s.report()); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// redisServer is a server of our own.
type redisServer struct {
	cmd  *exec.Cmd
	addr string
}

// startRedis starts a server that keeps everything in memory, and waits for it.
func startRedis(ctx context.Context, dir string) (*redisServer, error) {
	free, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := free.Addr().String()
	_ = free.Close() // for the server
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.CommandContext(ctx, "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir)
	output, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("starting redis-server: %w", err)
	}
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			go io.Copy(io.Discard, output) //nolint:errcheck // to the server's end
			return &redisServer{cmd, addr}, nil
		}
	}
	return nil, fmt.Errorf("redis-server did not start: %w", cmd.Wait())
}

func (r *redisServer) stop() {
	_ = r.cmd.Process.Kill() // it keeps nothing
	_ = r.cmd.Wait()
}
