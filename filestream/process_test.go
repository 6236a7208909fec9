// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/internal/vfs/faultfs"
)

// A test starts this test binary again, in a role, on a directory.
const (
	roleVar = "TIERCE_FILESTREAM_TEST_ROLE"
	dirVar  = "TIERCE_FILESTREAM_TEST_DIR"
	argVar  = "TIERCE_FILESTREAM_TEST_ARG"
)

// roles are what another process does. What they write to stdout, the test
// reads; an error ends the process with status 1.
var roles = map[string]func(c *filestream.Cache, dir, arg string) error{
	"write one key":    writeOneKey,
	"write keys":       writeKeys,
	"read":             readUntouched,
	"write for ever":   writeForEver,
	"work until call":  workUntilCall,
	"evict when asked": evictWhenAsked,
	"soak":             soakUntilTold,
}

func TestMain(m *testing.M) {
	role, ok := roles[os.Getenv(roleVar)]
	if !ok {
		os.Exit(m.Run())
	}
	dir := os.Getenv(dirVar)
	c, err := filestream.Open(context.Background(), dir, filestream.Options{})
	if err == nil {
		err = errors.Join(role(c, dir, os.Getenv(argVar)), c.Close())
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// child returns this test binary in a role.
func child(t testing.TB, role, dir string, arg any) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	mustDo(t, err)
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = append(os.Environ(), roleVar+"="+role, dirVar+"="+dir, argVar+"="+fmt.Sprint(arg))
	return cmd
}

// wantOutput runs children at once and fails the test unless each ends well.
func wantOutput(t testing.TB, children ...*exec.Cmd) {
	t.Helper()
	var all sync.WaitGroup
	for _, child := range children {
		all.Go(func() {
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("another process: %v, %s", err, out)
			}
		})
	}
	all.Wait()
}

const rounds = 60

// bodyOf returns the body that writer n writes in a round: of a length of its
// own, all of one letter.
func bodyOf(writer, round int) string {
	return strings.Repeat(string(rune('a'+writer)), 1+(writer*37_000+round*997)%150_000)
}

func isBody(body string) bool { return body != "" && strings.Trim(body, body[:1]) == "" }

func writeOneKey(c *filestream.Cache, _, arg string) error {
	writer, err := strconv.Atoi(arg)
	if err != nil {
		return err
	}
	for round := range rounds {
		head := interfaces.Head{Tag: strings.Repeat(arg, 10)}
		if err := c.Put(context.Background(), named("one"), interfaces.Text(bodyOf(writer, round)).WithHead(head)); err != nil {
			return err
		}
		if err := checkOne(c); err != nil {
			return err
		}
	}
	return nil
}

// checkOne checks that the key that all write is a whole entry of one of them,
// with the head of that one.
func checkOne(c *filestream.Cache) error {
	entry, err := c.Get(context.Background(), named("one"))
	if err != nil {
		return err
	}
	body, err := io.ReadAll(entry.Reader())
	if err := errors.Join(err, entry.Close()); err != nil {
		return err
	}
	if !isBody(string(body)) || entry.Tag != strings.Repeat(fmt.Sprint(body[0]-'a'), 10) {
		return fmt.Errorf("the key that all write is %s with tag %s", brief(string(body)), entry.Tag)
	}
	return nil
}

func writeKeys(c *filestream.Cache, _, arg string) error {
	for round := range rounds {
		name := fmt.Sprint(arg, " ", round)
		if err := c.Put(context.Background(), named(name), interfaces.Text(strings.Repeat(name, 100))); err != nil {
			return err
		}
	}
	return nil
}

func readUntouched(c *filestream.Cache, _, _ string) error {
	for range 10 * rounds {
		entry, err := c.Get(context.Background(), named("untouched"))
		if err != nil {
			return err
		}
		if body, err := entry.Bytes(); err != nil || string(body) != oldBody {
			return fmt.Errorf("the untouched key is %s, error %w", brief(string(body)), err)
		}
		if err := entry.Close(); err != nil {
			return err
		}
	}
	return nil
}

func TestProcesses(t *testing.T) {
	t.Run("F12 writers of one key end with one whole value", func(t *testing.T) {
		dir := t.TempDir()
		wantOutput(t, child(t, "write one key", dir, 0), child(t, "write one key", dir, 1), child(t, "write one key", dir, 2))
		mustDo(t, checkOne(openIn(t, dir, filestream.Options{Verify: filestream.VerifyAlways})))
		if left := names(t, filepath.Join(dir, "tmp")); len(left) != 0 {
			t.Errorf("tmp has %v", left)
		}
	})
	t.Run("F12 writers of distinct keys, and a reader of another", func(t *testing.T) {
		dir := t.TempDir()
		c := openIn(t, dir, filestream.Options{})
		put(t, c, "untouched", oldBody)
		wantOutput(t, child(t, "write keys", dir, "a"), child(t, "read", dir, ""), child(t, "write keys", dir, "b"), child(t, "read", dir, ""))
		for _, writer := range []string{"a", "b"} {
			for round := range rounds {
				name := fmt.Sprint(writer, " ", round)
				wantHit(t, c, name, strings.Repeat(name, 100))
			}
		}
		if n, err := c.Len(t.Context()); n != 2*rounds+1 || err != nil {
			t.Errorf("Len: %d and error %v, want %d", n, err, 2*rounds+1)
		}
	})
}

// evictWhenAsked evicts everything, but before it makes sure that the entry
// "key" is still the same it says so, and waits until it is told to go on.
func evictWhenAsked(_ *filestream.Cache, dir, _ string) error {
	looks := 0
	fsys := faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
		if call.Op != "stat" || call.Path != entryPath(dir, named("key")) {
			return nil
		}
		if looks++; looks != lastLook["Evict"] {
			return nil
		}
		fmt.Println("about to remove")
		_, err := bufio.NewReader(os.Stdin).ReadString('\n')
		return err
	})
	c, err := filestream.OpenFS(context.Background(), dir, filestream.Options{MaxBytes: 1}, fsys)
	if err != nil {
		return err
	}
	done, err := c.Evict(context.Background(), nil)
	fmt.Println(done.Entries)
	return errors.Join(err, c.Close())
}

func TestEvictorAndRewriter(t *testing.T) {
	t.Run("F12 an evictor never deletes a rewriter's fresh entry", func(t *testing.T) {
		dir := t.TempDir()
		c := openIn(t, dir, filestream.Options{})
		put(t, c, "key", oldBody)
		put(t, c, "other", smallBody)
		evictor := child(t, "evict when asked", dir, "")
		stdin, err := evictor.StdinPipe()
		mustDo(t, err)
		stdout, err := evictor.StdoutPipe()
		mustDo(t, err, evictor.Start())
		lines := bufio.NewScanner(stdout)
		if !lines.Scan() || lines.Text() != "about to remove" {
			t.Fatalf("the evictor says %q", lines.Text())
		}
		put(t, c, "key", newBody)
		_, err = io.WriteString(stdin, "go on\n")
		mustDo(t, err)
		if !lines.Scan() || lines.Text() != "1" {
			t.Errorf("the evictor removed %s entries, want the other one", lines.Text())
		}
		mustDo(t, evictor.Wait())
		wantHit(t, c, "key", newBody)
		wantMiss(t, c, "other")
	})
}

// writeForEver puts, replaces, inserts and deletes, and says so each time.
func writeForEver(c *filestream.Cache, _, arg string) error {
	seed, err := strconv.ParseUint(arg, 10, 64)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for round := 0; ; round++ {
		key := named(fmt.Sprint("key ", random.IntN(5)))
		entry := interfaces.Text(bodyOf(random.IntN(5), round))
		switch random.IntN(4) {
		case 0:
			_, err = c.Insert(context.Background(), key, entry)
		case 1:
			if err = c.Delete(context.Background(), key); errors.Is(err, cacheerr.ErrMiss) {
				err = nil
			}
		default:
			err = c.Put(context.Background(), key, entry)
		}
		if err != nil {
			return err
		}
		if _, err := os.Stdout.Write([]byte{'.'}); err != nil {
			return err
		}
	}
}

func TestKilledAtAnyMoment(t *testing.T) {
	t.Run("F3 kill -9 of writers at random moments damages nothing", func(t *testing.T) {
		dir := t.TempDir()
		put(t, openIn(t, dir, filestream.Options{}), "untouched", oldBody)
		for round := range 12 {
			var writers [2]*exec.Cmd
			for i := range writers {
				writers[i] = child(t, "write for ever", dir, rand.Uint64())
				stdout, err := writers[i].StdoutPipe()
				mustDo(t, err, writers[i].Start())
				defer func() { _, _ = io.Copy(io.Discard, stdout) }()
				_, err = io.CopyN(io.Discard, stdout, rand.Int64N(40)+1)
				mustDo(t, err)
			}
			for _, writer := range writers {
				mustDo(t, writer.Process.Kill())
				if err := writer.Wait(); err == nil {
					t.Fatal("a killed process ended well")
				}
			}
			checkAfterKill(t, dir, fmt.Sprint("round ", round))
			sweepAfterKill(t, dir)
		}
	})
}

// checkAfterKill checks that no entry is damaged and that what nobody wrote to
// is there.
func checkAfterKill(t testing.TB, dir, what string) {
	t.Helper()
	c, err := filestream.Open(t.Context(), dir, filestream.Options{Verify: filestream.VerifyAlways})
	mustDo(t, err)
	found, err := c.VerifyAll(t.Context(), false, nil)
	if err != nil || len(found.Damaged) != 0 || found.Unverified != 0 {
		t.Errorf("%s: VerifyAll: %+v and error %v, want no damage", what, found, err)
	}
	wantHit(t, c, "untouched", oldBody)
	for key, err := range c.List(t.Context()) {
		mustDo(t, err)
		entry, err := c.Get(t.Context(), key)
		mustDo(t, err)
		body, err := entry.Bytes()
		mustDo(t, err, entry.Close())
		if !isBody(string(body)) && string(body) != oldBody {
			t.Errorf("%s: an entry is %s", what, brief(string(body)))
		}
	}
	mustDo(t, c.Close())
}

// sweepAfterKill checks that what dead writers left in tmp goes after an hour.
func sweepAfterKill(t testing.TB, dir string) {
	t.Helper()
	later := time.Now().Add(2 * time.Hour)
	c, err := filestream.Open(t.Context(), dir, filestream.Options{Clock: func() time.Time { return later }})
	mustDo(t, err, c.Close())
	if left := names(t, filepath.Join(dir, "tmp")); len(left) != 0 {
		t.Errorf("two hours later tmp has %v", left)
	}
}

// workUntilCall does some of everything and kills itself before a call of the
// file system.
func workUntilCall(_ *filestream.Cache, dir, arg string) error {
	last, err := strconv.Atoi(arg)
	if err != nil {
		return err
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	fsys := faultfs.New(vfs.OS{}, func(call faultfs.Call) error {
		if call.N == last {
			if err := self.Kill(); err != nil {
				return err
			}
			select {} // until it is done
		}
		return nil
	})
	c, err := filestream.OpenFS(context.Background(), dir, filestream.Options{MaxBytes: 1 << 30, Durability: filestream.DurabilityFile}, fsys)
	if err != nil {
		return err
	}
	ctx := context.Background()
	_, insertErr := c.Insert(ctx, named("inserted"), interfaces.Text(bodyOf(1, 1)))
	err = errors.Join(
		c.Put(ctx, named("put"), interfaces.Text(bodyOf(2, 2))),
		c.Put(ctx, named("put"), interfaces.Text(bodyOf(3, 3))),
		insertErr,
		c.Delete(ctx, named("put")),
	)
	_, _, pathErr := c.Path(ctx, named("inserted"))
	_, evictErr := c.Evict(ctx, nil)
	return errors.Join(err, pathErr, evictErr, c.Close())
}

func TestKilledAtEachCall(t *testing.T) {
	t.Run("F3 kill -9 at each step damages nothing", func(t *testing.T) {
		for n := 1; ; n++ {
			dir := t.TempDir()
			put(t, openIn(t, dir, filestream.Options{}), "untouched", oldBody)
			out, err := child(t, "work until call", dir, n).CombinedOutput()
			checkAfterKill(t, dir, fmt.Sprint("call ", n))
			sweepAfterKill(t, dir)
			if err == nil {
				if n < 20 {
					t.Errorf("all was done in %d calls", n)
				}
				break
			}
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() == 1 {
				t.Fatalf("call %d: %v, %s", n, err, out)
			}
		}
	})
}
