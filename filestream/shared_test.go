// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
)

// programCache is a process that does to a directory what cuda.core's
// FileStreamProgramCache does: a stand-in, since the class itself could not be
// had (testdata/programcache.py says what is known of it).
type programCache struct {
	testing.TB
	in  io.Writer
	out *bufio.Reader
}

func openProgramCache(t testing.TB, dir string) *programCache {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatalf("this test needs python3; \"make test\" installs it: %v", err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), python, filepath.Join("testdata", "programcache.py"), dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	mustDo(t, err)
	out, err := cmd.StdoutPipe()
	mustDo(t, err, cmd.Start())
	t.Cleanup(func() { mustDo(t, in.Close(), cmd.Wait()) })
	p := &programCache{t, in, bufio.NewReader(out)}
	p.do("len") // it has made its directories
	return p
}

// do gives a command and returns its answer.
func (p *programCache) do(command string, args ...string) string {
	p.Helper()
	for _, arg := range args {
		command += " " + hex.EncodeToString([]byte(arg))
	}
	_, err := io.WriteString(p.in, command+"\n")
	mustDo(p, err)
	line, err := p.out.ReadString('\n')
	mustDo(p, err)
	return strings.TrimSpace(line)
}

func (p *programCache) wantHit(name, body string) {
	p.Helper()
	if got := p.do("get", name); got != strings.TrimSpace("hit "+hex.EncodeToString([]byte(body))) {
		p.Errorf("cuda.core's cache has for %s %s, want %s", name, brief(got), brief(body))
	}
}

func (p *programCache) wantMiss(name string) {
	p.Helper()
	if got := p.do("get", name); got != "miss" {
		p.Errorf("cuda.core's cache has for %s %s, want a miss", name, brief(got))
	}
}

// rawKeys are keys as a user of cuda.core gives them.
var rawKeys = []string{"text key", "\x00\xff/../binary\n", "äöü ✓", strings.Repeat("long ", 5000)}

func TestSharedWithProgramCache(t *testing.T) {
	for _, first := range []string{"Tierce", "cuda.core"} {
		t.Run("F2 each reads what the other wrote, in a directory made by "+first, func(t *testing.T) {
			dir := t.TempDir()
			var theirs *programCache
			if first == "cuda.core" {
				theirs = openProgramCache(t, dir)
			}
			ours := openIn(t, dir, filestream.Options{Verify: filestream.VerifyAlways})
			if theirs == nil {
				theirs = openProgramCache(t, dir)
			}
			shareBothWays(t, ours, theirs)
			if text, err := os.ReadFile(filepath.Join(dir, "README")); err != nil || !strings.Contains(string(text), "cuda.core") {
				t.Errorf("README: %q and error %v, want one that says who shares the directory", text, err)
			}
		})
	}
}

func shareBothWays(t *testing.T, ours *filestream.Cache, theirs *programCache) {
	t.Helper()
	for i, key := range rawKeys {
		body := fmt.Sprint("cubin ", i, strings.Repeat("\x00\x01", i*40_000))
		theirs.do("put", key, body)
		wantHit(t, ours, key, body)
		theirs.do("put", key, body+" again") // over one that was read
		wantHit(t, ours, key, body+" again")
		put(t, ours, key, "ours "+body) // over theirs
		theirs.wantHit(key, "ours "+body)
		wantHit(t, ours, key, "ours "+body) // its times were changed by their read
	}
	put(t, ours, "empty", "")
	theirs.wantHit("empty", "")
	if n, err := ours.Len(t.Context()); err != nil || theirs.do("len") != fmt.Sprint(n) || n != len(rawKeys)+1 {
		t.Errorf("Len: %d and error %v, theirs %s, want %d", n, err, theirs.do("len"), len(rawKeys)+1)
	}
	mustDo(t, ours.Delete(t.Context(), named(rawKeys[0])))
	theirs.wantMiss(rawKeys[0])
	theirs.do("delete", rawKeys[1])
	wantMiss(t, ours, rawKeys[1])
}

func TestSharedRules(t *testing.T) {
	t.Run("F2 what was handed out by path can be replaced and removed by the other", testOtherReplaces)
	t.Run("F2 Insert takes theirs for taken, and verify for what nobody can verify", testOtherInserts)
	t.Run("F6 a read by either makes an entry young for both", testOtherReads)
	t.Run("F5 neither takes the other's temporary files before an hour has passed", testOtherTemporary)
	t.Run("F4 after their clear ours goes on, and state is left alone", testOtherClears)
}

func testOtherReplaces(t *testing.T) {
	ours := openIn(t, t.TempDir(), filestream.Options{})
	theirs := openProgramCache(t, ours.Dir())
	for _, name := range []string{"replaced", "removed"} {
		put(t, ours, name, oldBody)
		_, _, err := ours.Path(t.Context(), named(name))
		mustDo(t, err)
	}
	theirs.do("put", "replaced", newBody)
	theirs.do("delete", "removed")
	wantHit(t, ours, "replaced", newBody)
	wantMiss(t, ours, "removed")
	if path, _, err := ours.Path(t.Context(), named("replaced")); !errors.Is(err, cacheerr.ErrMiss) {
		t.Errorf("Path of theirs: %s and error %v, want a miss: there is nothing to verify it by", path, err)
	}
}

func testOtherInserts(t *testing.T) {
	ours := openIn(t, t.TempDir(), filestream.Options{})
	theirs := openProgramCache(t, ours.Dir())
	theirs.do("put", "key", "theirs")
	inserted, err := ours.Insert(t.Context(), named("key"), interfaces.Text("ours"))
	if inserted || err != nil {
		t.Errorf("Insert says %t and error %v, want false", inserted, err)
	}
	found, err := ours.VerifyAll(t.Context(), true, nil)
	if err != nil || found.Unverified != 1 || len(found.Damaged) != 0 {
		t.Errorf("VerifyAll: %+v and error %v, want one without checksum", found, err)
	}
	theirs.wantHit("key", "theirs")
}

func testOtherReads(t *testing.T) {
	clock := newClock()
	ours := openIn(t, t.TempDir(), filestream.Options{Clock: clock.now})
	capped := openIn(t, ours.Dir(), filestream.Options{MaxBytes: 30_000, Clock: clock.now})
	theirs := openProgramCache(t, ours.Dir())
	long := clock.now().Add(-100 * time.Hour)
	for _, name := range []string{"one", "two", "three"} {
		put(t, ours, name, blocks(3, name))
		setUsed(t, ours.Dir(), name, long, long)
	}
	theirs.do("get", "one") // 36 KiB are three blocks over the cap
	if done, err := capped.Evict(t.Context(), nil); err != nil || done.Entries == 0 {
		t.Errorf("Evict: %+v and error %v", done, err)
	}
	wantHit(t, ours, "one", blocks(3, "one")) // the others are older
	for _, name := range []string{"two", "three"} {
		put(t, ours, name, blocks(3, name))
		setUsed(t, ours.Dir(), name, long, long)
	}
	setUsed(t, ours.Dir(), "one", long.Add(-time.Hour), long.Add(-time.Hour))
	wantHit(t, ours, "one", blocks(3, "one"))
	ours.Tell()
	theirs.do("evict", fmt.Sprint(2*3*4096))
	theirs.wantHit("one", blocks(3, "one"))
	if got := theirs.do("len"); got != "2" {
		t.Errorf("%s entries are left, want 2", got)
	}
}

func testOtherTemporary(t *testing.T) {
	dir := t.TempDir()
	openIn(t, dir, filestream.Options{})
	young, old := filepath.Join(dir, "tmp", "entry-young"), filepath.Join(dir, "tmp", "entry-old")
	ourOld := filepath.Join(dir, "tmp", "1-1")
	for _, path := range []string{young, old, ourOld} {
		writeFile(t, path, "staged")
	}
	before := time.Now().Add(-2 * time.Hour)
	mustDo(t, os.Chtimes(old, before, before))
	mustDo(t, openIn(t, dir, filestream.Options{}).Clear(t.Context()))
	mustDo(t, os.Chtimes(ourOld, before, before))
	openProgramCache(t, dir)
	if exists(old) || exists(ourOld) || !exists(young) {
		t.Errorf("tmp has %v, want only the young one", names(t, filepath.Join(dir, "tmp")))
	}
}

func testOtherClears(t *testing.T) {
	ours := openIn(t, t.TempDir(), filestream.Options{MaxBytes: 1 << 20})
	theirs := openProgramCache(t, ours.Dir())
	put(t, ours, "key", oldBody)
	state := names(t, filepath.Join(ours.Dir(), "state"))
	theirs.do("clear")
	wantMiss(t, ours, "key")
	put(t, ours, "key", newBody)
	theirs.wantHit("key", newBody)
	if got := names(t, filepath.Join(ours.Dir(), "state")); len(got) < len(state) {
		t.Errorf("state has %v, want %v", got, state)
	}
}

// TestSharedAtOnce has both write and read one key at the same time.
func TestSharedAtOnce(t *testing.T) {
	ours := openIn(t, t.TempDir(), filestream.Options{Verify: filestream.VerifyAlways})
	theirs := openProgramCache(t, ours.Dir())
	key := encoding.RawKey([]byte("one"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for round := range 2 * rounds {
			if err := ours.Put(t.Context(), key, interfaces.Text(bodyOf(1, round))); err != nil {
				t.Errorf("Put: %v", err)
			}
			if got, err := get(t, ours, "one"); err != nil || !isBody(got) {
				t.Errorf("F12 Get: %s and error %v", brief(got), err)
			}
		}
	}()
	for round := range 2 * rounds {
		theirs.do("put", "one", bodyOf(2, round))
		body, err := hex.DecodeString(strings.TrimPrefix(theirs.do("get", "one"), "hit "))
		if err != nil || !isBody(string(body)) {
			t.Errorf("F12 cuda.core's cache has %s and error %v", brief(string(body)), err)
		}
	}
	<-done
}
