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
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
	goredis "github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
)

// floor is the least that a second machine has to do, whoever does it: while a
// warm native build runs, the bodies that the first machine left come from the
// server, all of them asked for at once, are decompressed, compared with their
// checksum and their SHA-256, and are written. There is no cache in it, no protocol
// and no decision, and no buffer that is not used again.
type floor struct {
	site   *site
	bodies []floorBody
	tar    string
}

// floorBody is a body as it is in the server.
type floorBody struct {
	name   string
	packed bool // compressed, as the redis tier does it: if it is longer than 64 KiB
	sum    interfaces.Checksum
	sha    [sha256.Size]byte
}

// newFloor sends the bodies in a cache directory to the server at addr, and makes
// a tar file of all that is there.
func (s *site) newFloor(ctx context.Context, addr, dir string) (*floor, error) {
	f := &floor{site: s, tar: filepath.Join(s.dir, "first.tar")}
	server := goredis.NewClient(&goredis.Options{Addr: addr})
	defer server.Close() //nolint:errcheck // all answers have come
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithNoEntropyCompression(true))
	if err != nil {
		return nil, err
	}
	entries := filepath.Join(dir, "entries")
	err = filepath.WalkDir(entries, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		value, err := os.ReadFile(path)
		if err != nil || len(value) == 0 { // a record, which the go command does not wait for
			return err
		}
		b := floorBody{
			name: "floor:" + strconv.Itoa(len(f.bodies)), packed: len(value) > 64<<10,
			sum: encoding.Sum(interfaces.Key{}, value), sha: sha256.Sum256(value),
		}
		f.bodies = append(f.bodies, b)
		if b.packed {
			value = zip.EncodeAll(value, nil)
		}
		return server.Set(ctx, b.name, value, 0).Err()
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

// bring returns how long it takes to do all that through the server at addr, over
// one connection for each processor and one.
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
		n := runtime.GOMAXPROCS(0) + 1
		shares := make([][]floorBody, n)
		for i, b := range f.bodies {
			shares[i%n] = append(shares[i%n], b)
		}
		for _, share := range shares {
			all.Go(func() error { return bringBodies(ctx, addr, dir, share) })
		}
		return all.Wait()
	})
	return milliseconds(took), err
}

// bringBodies brings bodies over one connection into files in dir.
func bringBodies(ctx context.Context, addr, dir string, bodies []floorBody) error {
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
	var requests []byte
	for _, b := range bodies {
		requests = fmt.Appendf(requests, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", len(b.name), b.name)
	}
	if _, err := conn.Write(requests); err != nil { // they are short: the server takes them all
		return err
	}
	answers := bufio.NewReaderSize(conn, 64<<10)
	var value, unpacked []byte
	for _, b := range bodies {
		if value, err = readBulk(answers, value); err != nil {
			return err
		}
		body := value
		if b.packed {
			if unpacked, err = unzip.DecodeAll(value, unpacked[:0]); err != nil {
				return err
			}
			body = unpacked
		}
		if encoding.Sum(interfaces.Key{}, body) != b.sum || sha256.Sum256(body) != b.sha {
			return fmt.Errorf("%s is not what was sent", b.name)
		}
		if err := os.WriteFile(filepath.Join(dir, b.name), body, 0o600); err != nil {
			return err
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
	if err != nil || n < 0 {
		return nil, fmt.Errorf("the server says %q, want the length of a body", line)
	}
	buffer = slices.Grow(buffer[:0], n+2)[:n+2]
	_, err = io.ReadFull(answers, buffer)
	return buffer[:n], err
}
