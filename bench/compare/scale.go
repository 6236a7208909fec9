// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
)

// scaleBody is what each entry holds.
var scaleBody = interfaces.Text(strings.Repeat("tierce. ", 512))

const (
	scaleGets = 4000 // of one measurement: of as many entries, spread over all
	scalePuts = 2000
	noCap     = 1 << 50
)

// compareScale measures directories of some numbers of entries of 4 KiB in one
// run: a ratio is to the smallest. Beside them are a scan of the directory,
// which is what caches without an index do when they open and at the cap, and
// badger, which somebody would embed instead.
func compareScale(ctx context.Context, rounds int, sizes []int) error {
	root, err := os.MkdirTemp("", "tierce-scale-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root) //nolint:errcheck // in the system's temporary directory
	dirs := make([]*scaled, len(sizes))
	for i, n := range sizes {
		dirs[i] = &scaled{ctx: ctx, n: n, dir: filepath.Join(root, strconv.Itoa(n))}
		if err := dirs[i].make(); err != nil {
			return err
		}
	}
	for _, m := range []struct {
		title, unit string
		rounds      int
		measure     func(*scaled) (float64, error)
	}{
		{"open, by a new process", "ms", rounds, func(s *scaled) (float64, error) { return s.child("open") }},
		{"memory of a process that opened and read one entry", "MiB", 3, func(s *scaled) (float64, error) { return s.child("memory") }},
		{"Get hit", "µs", rounds, (*scaled).get},
		{"Put below the cap", "µs", rounds, (*scaled).put},
		{"Usage, which is tierce stats", "ms", rounds, (*scaled).usage},
		{"a scan: every file looked at", "ms", min(rounds, 3), (*scaled).scan},
		{"badger: open", "ms", min(rounds, 3), (*scaled).badgerOpen},
		{"badger: Get hit", "µs", rounds, (*scaled).badgerGet},
		{"badger: Put, without a cap", "µs", rounds, (*scaled).badgerPut},
		{"Put at the cap, evictions included", "µs", min(rounds, 3), (*scaled).putAtCap},
	} {
		var all []competitor
		for _, s := range dirs {
			all = append(all, competitor{strconv.Itoa(s.n), func() (float64, error) { return m.measure(s) }})
		}
		if err := table("Scale: "+m.title, m.unit, m.rounds, []string{strconv.Itoa(sizes[0])}, all...); err != nil {
			return err
		}
	}
	for _, s := range dirs {
		if err := errors.Join(s.du(), s.rebuild()); err != nil {
			return err
		}
		if err := s.badgerClose(); err != nil {
			return err
		}
	}
	return nil
}

// scaled is a directory of n entries.
type scaled struct {
	ctx    context.Context
	n      int
	dir    string
	fresh  int // keys that were made besides
	badger badgerAt
}

// key returns the key of entry i.
func (s *scaled) key(i int) interfaces.Key { return scaleKey(i) }

func (s *scaled) open(opts filestream.Options) (*filestream.Cache, error) {
	return filestream.Open(s.ctx, s.dir, opts)
}

// make puts the entries, and has the index complete.
func (s *scaled) make() error {
	c, err := s.open(filestream.Options{MaxBytes: noCap})
	if err != nil {
		return err
	}
	start := time.Now()
	for i := range s.n {
		if err := c.Put(s.ctx, s.key(i), scaleBody); err != nil {
			return err
		}
	}
	took := time.Since(start)
	if _, err := c.Usage(s.ctx, nil); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d entries put in %v\n", s.n, took.Round(time.Millisecond))
	return errors.Join(c.Close(), s.badger.fill(s.dir+"-badger", s.n))
}

// child runs this program again to open the directory, and returns what it
// says.
func (s *scaled) child(what string) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(s.ctx, self, "-scale-child", what, "-scale-dir", s.dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}

// scaleChild is what the child does: it opens, reads one entry, and prints the
// milliseconds of the first, or the MiB that all of it took.
func scaleChild(ctx context.Context, what, dir string) error {
	start := time.Now()
	c, err := filestream.Open(ctx, dir, filestream.Options{MaxBytes: noCap})
	took := time.Since(start)
	if err != nil {
		return err
	}
	if _, err := c.Get(ctx, scaleKey(0)); err != nil {
		return err
	}
	if err := c.Close(); err != nil {
		return err
	}
	if what == "open" {
		fmt.Println(milliseconds(took))
		return nil
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kib); err == nil {
			fmt.Println(kib / 1024)
		}
	}
	return nil
}

// average calls do n times and returns the microseconds of one.
func average(n int, do func() error) (float64, error) {
	start := time.Now()
	for range n {
		if err := do(); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(start)) / float64(time.Microsecond) / float64(n), nil
}

func (s *scaled) get() (float64, error) {
	c, err := s.open(filestream.Options{MaxBytes: noCap})
	if err != nil {
		return 0, err
	}
	for range scaleGets { // the same for all: what is measured is a warm one
		if err := s.getOne(c); err != nil {
			return 0, err
		}
	}
	took, err := average(scaleGets, func() error { return s.getOne(c) })
	return took, errors.Join(err, c.Close())
}

func (s *scaled) getOne(c *filestream.Cache) error {
	entry, err := c.Get(s.ctx, s.key(rand.IntN(scaleGets)*s.n/scaleGets))
	if err != nil {
		return err
	}
	return entry.Close()
}

// next returns a key that is new.
func (s *scaled) next() interfaces.Key {
	s.fresh++
	return s.key(1<<40 + s.fresh)
}

func (s *scaled) put() (float64, error) {
	c, err := s.open(filestream.Options{MaxBytes: noCap})
	if err != nil {
		return 0, err
	}
	took, err := average(scalePuts, func() error { return c.Put(s.ctx, s.next(), scaleBody) })
	if err != nil {
		return 0, err
	}
	first := s.fresh - scalePuts
	for i := range scalePuts { // as many as before
		if err := c.Delete(s.ctx, s.key(1<<40+first+i+1)); err != nil {
			return 0, err
		}
	}
	_, err = c.Usage(s.ctx, nil)
	return took, errors.Join(err, c.Close())
}

// putAtCap puts until several evictions came, and waits for the last.
func (s *scaled) putAtCap() (float64, error) {
	c, err := s.open(filestream.Options{MaxBytes: int64(s.n) * 4096})
	if err != nil {
		return 0, err
	}
	puts := max(scalePuts, s.n/5)
	start := time.Now()
	for range puts {
		if err := c.Put(s.ctx, s.next(), scaleBody); err != nil {
			return 0, err
		}
	}
	for usage := (filestream.Usage{Bytes: noCap}); usage.Bytes > int64(s.n)*4096; { // one may run in the background
		if _, err := c.Evict(s.ctx, nil); err != nil {
			return 0, err
		}
		if usage, err = c.Usage(s.ctx, nil); err != nil {
			return 0, err
		}
	}
	took := float64(time.Since(start)) / float64(time.Microsecond) / float64(puts)
	return took, c.Close()
}

func (s *scaled) usage() (float64, error) {
	c, err := s.open(filestream.Options{MaxBytes: noCap})
	if err != nil {
		return 0, err
	}
	start := time.Now()
	usage, err := c.Usage(s.ctx, nil)
	took := milliseconds(time.Since(start))
	if err == nil && !usage.Index.Used {
		err = fmt.Errorf("the index is not used: %s", usage.Index.Why)
	}
	return took, errors.Join(err, c.Close())
}

func (s *scaled) scan() (float64, error) {
	start := time.Now()
	type seen struct {
		path string
		size int64
		at   time.Time
	}
	var files []seen
	err := filepath.WalkDir(filepath.Join(s.dir, "entries"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			files = append(files, seen{path, info.Size(), info.ModTime()})
		}
		return err
	})
	slices.SortFunc(files, func(a, b seen) int { return a.at.Compare(b.at) })
	return milliseconds(time.Since(start)), err
}

// du prints by how much Usage and du differ.
func (s *scaled) du() error {
	c, err := s.open(filestream.Options{MaxBytes: noCap})
	if err != nil {
		return err
	}
	usage, err := c.Usage(s.ctx, nil)
	if err := errors.Join(err, c.Close()); err != nil {
		return err
	}
	out, err := exec.CommandContext(s.ctx, "du", "-s", "--block-size=1", s.dir).Output()
	if err != nil {
		return err
	}
	var total int64
	if _, err := fmt.Sscan(string(out), &total); err != nil {
		return err
	}
	says := usage.Bytes + usage.Overhead
	fmt.Printf("\nScale: %d entries: stats says %d bytes, %d of them overhead; du says %d: %.3f %% off\n", usage.Entries, says,
		usage.Overhead, total, 100*float64(says-total)/float64(total))
	return nil
}

// rebuild removes the index and has it made from the files while entries are
// read, and prints how fast both are.
func (s *scaled) rebuild() error {
	c, err := s.open(filestream.Options{MaxBytes: noCap})
	if err != nil {
		return err
	}
	alone, err := average(scaleGets, func() error { return s.getFresh(c) })
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(s.dir, "state", "index")); err != nil {
		return err
	}
	var stop atomic.Bool
	var failure error
	gets, ended := 0, make(chan struct{})
	start := time.Now()
	go func() {
		defer close(ended)
		for !stop.Load() && failure == nil {
			failure = s.getFresh(c)
			gets++
		}
	}()
	usage, err := c.Usage(s.ctx, nil)
	took := time.Since(start)
	stop.Store(true)
	<-ended
	beside := float64(took) / float64(time.Microsecond) / float64(max(1, gets))
	fmt.Printf("\nScale: %d entries: the index made anew in %v, %.0f entries a second; Gets meanwhile take %.1f µs, alone %.1f: %.2f\n",
		usage.Entries, took.Round(time.Millisecond), float64(usage.Entries)/took.Seconds(), beside, alone, beside/alone)
	return errors.Join(err, failure, c.Close())
}

// getFresh reads one of those that were put last, which evictions left.
func (s *scaled) getFresh(c *filestream.Cache) error {
	entry, err := c.Get(s.ctx, s.key(1<<40+s.fresh-rand.IntN(min(s.n/2, 400))))
	if err != nil {
		return err
	}
	return entry.Close()
}
