// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
	goredis "github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
)

// floor is the least that a second machine has to do, whoever does it: the files
// of the first come from the server in pipelines, are decompressed and compared
// with their checksum and SHA-256, and are written, while a warm native build
// runs. There is no cache in it, no protocol and no decision.
type floor struct {
	site   *site
	server *goredis.Client // without the proxy
	names  []string        // of the files in the server, in the order of their keys
	sizes  []int
	tar    string
}

// floorBatch is how many bytes of bodies come in one pipeline.
const floorBatch = 4 << 20

// newFloor sends the files of a cache directory to the server, and makes a tar
// file of them.
func (s *site) newFloor(ctx context.Context, addr, dir string) (*floor, error) {
	f := &floor{site: s, server: goredis.NewClient(&goredis.Options{Addr: addr}), tar: filepath.Join(s.dir, "first.tar")}
	entries := filepath.Join(dir, "entries")
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithNoEntropyCompression(true))
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(entries, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := "floor:" + strconv.Itoa(len(f.names))
		value := zip.EncodeAll(body, nil)
		f.names, f.sizes = append(f.names, name), append(f.sizes, len(body))
		return f.server.Set(ctx, name, value, 0).Err()
	})
	if err != nil {
		return nil, err
	}
	if out, err := command(ctx, entries, "tar", "-cf", f.tar, ".").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("tar: %w\n%s", err, out)
	}
	return f, nil
}

// folder makes a folder for the files.
func (f *floor) folder() (string, error) {
	dir := filepath.Join(f.site.dir, f.site.fresh())
	return dir, os.Mkdir(dir, 0o700)
}

// unpack returns how long it takes to unpack the tar file.
func (f *floor) unpack(ctx context.Context) (float64, error) {
	dir, err := f.folder()
	if err != nil {
		return 0, err
	}
	backMemory()
	took, err := timed(command(ctx, dir, "tar", "-xf", f.tar).Run)
	return milliseconds(took), err
}

// bring returns how long it takes to do all that through the server at addr.
func (f *floor) bring(ctx context.Context, addr string, args []string) (float64, error) {
	dir, err := f.folder()
	if err != nil {
		return 0, err
	}
	backMemory()
	took, err := timed(func() error {
		all, ctx := errgroup.WithContext(ctx)
		all.Go(func() error {
			_, err := f.site.build(ctx, f.site.clients()[0], args)
			return err
		})
		batches := f.batches()
		for range 3 { // as many as a client has under way
			all.Go(func() error { return f.bringBatches(ctx, addr, dir, batches) })
		}
		return all.Wait()
	})
	return milliseconds(took), err
}

// batches returns all names in batches.
func (f *floor) batches() <-chan []string {
	batches := make(chan []string, len(f.names))
	begin, size := 0, 0
	for i, n := range f.sizes {
		if size += n; size >= floorBatch || i == len(f.sizes)-1 {
			batches <- f.names[begin : i+1]
			begin, size = i+1, 0
		}
	}
	close(batches)
	return batches
}

// bringBatches brings the files of one pipeline after the other, over one
// connection and through buffers that are used again.
func (f *floor) bringBatches(ctx context.Context, addr, dir string, batches <-chan []string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // only read
	unzip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer unzip.Close()
	answers := bufio.NewReaderSize(conn, 64<<10)
	var requests, value, body []byte
	for names := range batches {
		requests = requests[:0]
		for _, name := range names {
			requests = fmt.Appendf(requests, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", len(name), name)
		}
		if _, err := conn.Write(requests); err != nil {
			return err
		}
		for _, name := range names {
			if value, err = readBulk(answers, value); err != nil {
				return err
			}
			if body, err = unzip.DecodeAll(value, body[:0]); err != nil {
				return err
			}
			if sha256.Sum256(body) == [sha256.Size]byte{} || encoding.Sum(interfaces.Key{}, body) == (interfaces.Checksum{}) {
				return fmt.Errorf("%s has the sum of nothing", name)
			}
			if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// readBulk reads a bulk string of RESP into buffer.
func readBulk(answers *bufio.Reader, buffer []byte) ([]byte, error) {
	line, err := answers.ReadString('\n')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.Trim(line, "$\r\n"))
	if err != nil {
		return nil, fmt.Errorf("the server says %q: %w", line, err)
	}
	buffer = slices.Grow(buffer[:0], n+2)[:n+2]
	_, err = io.ReadFull(answers, buffer)
	return buffer[:n], err
}
