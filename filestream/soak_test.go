// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// soakVar says for how long TestSoak runs ("make soak": two minutes); without
// it a number of operations is enough.
const soakVar = "TIERCE_SOAK"

const (
	soakers  = 8
	soakCap  = 32 << 20
	soakKeys = 300
	soakBody = 100_000 // the longest body, in bytes
)

// soakText is a body that says which entry it belongs to, so that any part of
// another is noticed.
func soakText(name string, seed uint64) string {
	line := fmt.Sprintf("%s %d\n", name, seed)
	return strings.Repeat(line, 1+int(seed%soakBody)/len(line))
}

// isSoakText reports whether body is one that was put under the name.
func isSoakText(name, body string) bool {
	line, _, _ := strings.Cut(body, "\n")
	of, number, _ := strings.Cut(line, " ")
	seed, err := strconv.ParseUint(number, 10, 64)
	return err == nil && of == name && body == soakText(name, seed)
}

// soaker is one process of the soak.
type soaker struct {
	c      *filestream.Cache
	random *rand.Rand
	own    string // what the names of its own entries begin with
	puts   int    // of its own entries
}

// soakUntilTold does some of everything until its standard input ends.
func soakUntilTold(_ *filestream.Cache, dir, arg string) error {
	seed, err := strconv.ParseUint(arg, 10, 64)
	if err != nil {
		return err
	}
	c, err := filestream.Open(context.Background(), dir, filestream.Options{MaxBytes: soakCap})
	if err != nil {
		return err
	}
	var told atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		told.Store(true)
	}()
	s := &soaker{c: c, random: rand.New(rand.NewPCG(seed, 1)), own: "own-" + arg + "-"}
	for !told.Load() {
		if err := s.step(context.Background()); err != nil {
			return err
		}
		if _, err := os.Stdout.WriteString("."); err != nil {
			return err
		}
	}
	return c.Close()
}

func (s *soaker) step(ctx context.Context) error {
	name := fmt.Sprint("key-", s.random.IntN(soakKeys))
	text := interfaces.Text(soakText(name, s.random.Uint64N(1<<40)))
	var err error
	switch n := s.random.IntN(1000); {
	case n < 450:
		_, err = s.get(ctx, name)
	case n < 650:
		err = s.c.Put(ctx, named(name), text)
	case n < 700:
		_, err = s.c.Insert(ctx, named(name), text)
	case n < 800:
		if err = s.c.Delete(ctx, named(name)); errors.Is(err, cacheerr.ErrMiss) {
			err = nil
		}
	case n < 805:
		_, err = s.c.Evict(ctx, nil)
	default:
		err = s.fresh(ctx)
	}
	return err
}

// get reads an entry, if there is one, and checks every byte.
func (s *soaker) get(ctx context.Context, name string) (hit bool, err error) {
	entry, err := s.c.Get(ctx, named(name))
	if errors.Is(err, cacheerr.ErrMiss) && !errors.Is(err, cacheerr.ErrDamaged) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	body, err := io.ReadAll(entry.Reader())
	if err := errors.Join(err, entry.Close()); err != nil {
		return false, err
	}
	if !isSoakText(name, string(body)) {
		return false, fmt.Errorf("wrong bytes under %s: %s", name, brief(string(body)))
	}
	return true, nil
}

// fresh puts an entry that nobody else touches, and looks for it and for the
// one before it: no eviction may have taken them, as they are the youngest.
// Between Put and Get this process may have stood still for so long that a
// quarter of the cap was put by others: then they are no more.
func (s *soaker) fresh(ctx context.Context) error {
	name, began := fmt.Sprint(s.own, s.puts), time.Now()
	s.puts++
	if err := s.c.Put(ctx, named(name), interfaces.Text(soakText(name, s.random.Uint64N(1<<40)))); err != nil {
		return err
	}
	for back := 1; back <= min(2, s.puts); back++ {
		name := fmt.Sprint(s.own, s.puts-back)
		hit, err := s.get(ctx, name)
		if err == nil && !hit && back == 1 {
			err = s.wantTurnover(name, began)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wantTurnover returns an error unless the directory was filled anew, for the
// most part, since an entry was put that is gone.
func (s *soaker) wantTurnover(name string, since time.Time) error {
	younger, err := diskOf(filepath.Join(s.c.Dir(), "entries"), func(info vfs.Info) bool { return info.Modified > since.UnixNano() })
	if err == nil && younger < soakCap/4 {
		err = fmt.Errorf("the fresh entry %s is lost, and only %d bytes are younger", name, younger)
	}
	return err
}

// TestSoak has eight processes at one directory that is at its cap, kills a
// random one of them again and again, and damages the index under them.
func TestSoak(t *testing.T) {
	t.Run("F12 F6 F8 eight processes at the cap, killed at random", func(t *testing.T) {
		s := &soak{T: t, dir: t.TempDir(), began: time.Now(), wantOps: 8_000, wantKills: 12,
			beats: make(chan int), ended: make(chan ending), seed: rand.Uint64()}
		if text := os.Getenv(soakVar); text != "" {
			duration, err := time.ParseDuration(text)
			mustDo(t, err)
			s.duration, s.wantKills = duration, 300
		}
		s.fill()
		s.run()
		s.check()
		t.Logf("%d operations, %d kills, the index hurt %d times, at most %d bytes of a cap of %d", s.ops, s.kills, s.hurt, s.most, soakCap)
	})
}

// soak is the process that looks after the others.
type soak struct {
	*testing.T
	dir       string
	seed      uint64
	began     time.Time
	duration  time.Duration // 0: wantOps
	wantOps   int
	wantKills int

	beats chan int // operations that were done
	ended chan ending
	all   sync.WaitGroup
	at    [soakers]running

	ops, kills int
	hurt       int          // what was done to the index
	stranger   *flock.Flock // who locked the index
	most       int64        // bytes on disk that were ever seen
}

// running is a process of the soak, and ending the end of one.
type running struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	killed bool
}

type ending struct {
	who  int
	err  error
	said string
}

// fill brings the directory to its cap.
func (s *soak) fill() {
	s.Helper()
	c := openIn(s, s.dir, filestream.Options{})
	for i, left := 0, int64(soakCap); left > 0; i++ {
		name := fmt.Sprint("filling-", i)
		put(s, c, name, soakText(name, soakBody-1))
		left -= disk(s, entryPath(s.dir, named(name)))
	}
	_, err := c.Usage(s.Context(), nil)
	mustDo(s, err, c.Close())
}

func (s *soak) start(who int) {
	s.Helper()
	s.seed++
	cmd := child(s, "soak", s.dir, s.seed)
	stdin, err := cmd.StdinPipe()
	mustDo(s, err)
	stdout, err := cmd.StdoutPipe()
	mustDo(s, err, cmd.Start())
	s.at[who] = running{cmd: cmd, stdin: stdin}
	s.all.Go(func() {
		said := s.listen(bufio.NewReader(stdout))
		s.ended <- ending{who, cmd.Wait(), said}
	})
}

// listen counts the operations that a process does, and returns what else it
// says.
func (s *soak) listen(out *bufio.Reader) string {
	var said []byte
	for buf := make([]byte, 4096); ; {
		n, err := out.Read(buf)
		if err != nil {
			return string(said)
		}
		dots := 0
		for _, b := range buf[:n] {
			if b == '.' && len(said) == 0 {
				dots++
			} else {
				said = append(said, b)
			}
		}
		s.beats <- dots
	}
}

// progress is how much of the soak is done, from 0 to 1.
func (s *soak) progress() float64 {
	if s.duration == 0 {
		return float64(s.ops) / float64(s.wantOps)
	}
	return float64(time.Since(s.began)) / float64(s.duration)
}

func (s *soak) run() {
	s.Helper()
	for who := range soakers {
		s.start(who)
	}
	measured := 0.0
	for alive := soakers; alive > 0; {
		select {
		case dots := <-s.beats:
			s.ops += dots
		case end := <-s.ended:
			alive--
			if s.restart(end) {
				alive++
			}
		}
		switch done := s.progress(); {
		case s.Failed() || done >= 1:
			for _, process := range s.at {
				_ = process.stdin.Close() // the second time it says so
			}
		case done > float64(s.kills+1)/float64(s.wantKills+1):
			s.kill()
		case done > measured:
			measured += 0.005
			s.measure()
			s.hurtIndex(int(measured / 0.005))
		}
	}
	s.all.Wait()
	if s.stranger != nil {
		mustDo(s, s.stranger.Close())
	}
}

// hurtIndex does something to the index, which is a hint: it is deleted, cut,
// overwritten with noise, or locked by a stranger for a tenth of the soak.
func (s *soak) hurtIndex(round int) {
	s.Helper()
	path := indexPath(s.dir)
	info, err := os.Stat(path)
	if err != nil { // not made again yet
		return
	}
	switch round % 20 {
	case 3:
		err = os.Remove(path)
	case 7:
		err = os.Truncate(path, info.Size()/2)
	case 11:
		noise := make([]byte, info.Size())
		_, _ = rand.NewChaCha8([32]byte{byte(round)}).Read(noise) // never fails
		err = os.WriteFile(path, noise, 0o600)
	case 15:
		s.lockIndex(round)
		return
	default:
		return
	}
	s.hurt++
	if !errors.Is(err, fs.ErrNotExist) { // it was replaced at this moment
		mustDo(s, err)
	}
}

// lockIndex locks the index as another program would, and lets go of what was
// locked before.
func (s *soak) lockIndex(round int) {
	s.Helper()
	if s.stranger != nil {
		mustDo(s, s.stranger.Close())
		s.stranger = nil
	}
	if round/20%2 == 1 {
		return
	}
	stranger := flock.New(indexPath(s.dir))
	if locked, err := stranger.TryLock(); err == nil && locked { // else one of ours is at it
		s.stranger = stranger
		s.hurt++
	}
}

func (s *soak) kill() {
	s.Helper()
	process := &s.at[rand.IntN(soakers)]
	if !process.killed {
		mustDo(s, process.cmd.Process.Kill())
		process.killed = true
		s.kills++
	}
}

// restart starts a process anew in the place of one that was killed, unless the
// soak ends, and reports whether it did.
func (s *soak) restart(end ending) bool {
	s.Helper()
	switch {
	case !s.at[end.who].killed:
		if end.err != nil || end.said != "" {
			s.Errorf("a process ended: %v, %s", end.err, end.said)
		}
		return false
	case s.progress() >= 1 || s.Failed():
		return false
	}
	s.start(end.who)
	return true
}

// compareIndex has the index compared with the files, as happens once a day:
// what killed processes did not tell is put right then.
func (s *soak) compareIndex() {
	s.Helper()
	c := openIn(s, s.dir, filestream.Options{Clock: func() time.Time { return time.Now().Add(25 * time.Hour) }})
	mustDo(s, c.Tend(s.Context()))
	usage, err := c.Usage(s.Context(), nil)
	if want := diskUsage(s, s.dir); err != nil || usage.Bytes != want {
		s.Errorf("F8 Usage after a day: %+v and error %v, want %d bytes", usage, err, want)
	}
}

// inFlight is what may be on the disk beyond the cap: an eighth while an
// eviction runs, what each process did not yet tell the others, and its last
// body; for a killed process too, until the next eviction counts.
const inFlight = soakCap/8 + 2*soakers*(soakCap/128+soakBody)

// measure checks that the directory holds no more than the cap and what is in
// flight.
func (s *soak) measure() {
	s.Helper()
	now := diskUsage(s, s.dir)
	s.most = max(s.most, now)
	if now > soakCap+inFlight {
		s.Errorf("F6 the directory takes %d bytes, the cap is %d, and %d are in flight", now, soakCap, inFlight)
	}
}

// diskUsage returns what entries and temporary files take on disk.
func diskUsage(t testing.TB, dir string) int64 {
	t.Helper()
	sum := int64(0)
	for _, part := range []string{"entries", "tmp"} {
		n, err := diskOf(filepath.Join(dir, part), func(vfs.Info) bool { return true })
		mustDo(t, err)
		sum += n
	}
	return sum
}

// diskOf returns what those files below a directory take on disk that count.
func diskOf(dir string, counts func(vfs.Info) bool) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var info vfs.Info
			if info, err = (vfs.OS{}).Stat(path); err == nil && counts(info) {
				sum += info.Disk
			}
		}
		if errors.Is(err, syscall.ENOENT) { // it went meanwhile
			return nil
		}
		return err
	})
	return sum, err
}

// check looks at what the processes left.
func (s *soak) check() {
	s.Helper()
	c := openIn(s, s.dir, filestream.Options{MaxBytes: soakCap, Verify: filestream.VerifyAlways})
	found, err := c.VerifyAll(s.Context(), false, nil)
	if err != nil || len(found.Damaged) > 0 || found.Unverified > 0 || found.Entries == 0 {
		s.Errorf("VerifyAll: %+v and error %v", found, err)
	}
	reader := &soaker{c: c}
	for i := range soakKeys {
		if _, err := reader.get(s.Context(), fmt.Sprint("key-", i)); err != nil {
			s.Error(err)
		}
	}
	usage, err := c.Usage(s.Context(), nil)
	want := diskUsage(s, s.dir)
	if off := usage.Bytes - want; err != nil || max(off, -off) > want/20 {
		s.Errorf("F8 Usage: %+v and error %v, want about %d bytes", usage, err, want)
	}
	s.compareIndex()
	if _, err := c.Evict(s.Context(), nil); err != nil || diskUsage(s, s.dir) > soakCap {
		s.Errorf("Evict: error %v, %d bytes are left", err, diskUsage(s, s.dir))
	}
	if left := len(names(s, filepath.Join(s.dir, "tmp"))); left > s.kills {
		s.Errorf("%d temporary files are left by %d killed processes", left, s.kills)
	}
	sweepAfterKill(s, s.dir)
	wantIndex(s, s.dir)
	if s.kills < s.wantKills/2 || s.ops < s.wantOps/2 || s.hurt == 0 {
		s.Errorf("only %d operations and %d kills, and %d times something was done to the index", s.ops, s.kills, s.hurt)
	}
}
