// SPDX-License-Identifier: Apache-2.0

package lock_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/internal/lock"
)

// What the test binary does, when started by a test of itself, with the path
// in pathVar.
const (
	roleVar   = "TIERCE_LOCK_TEST_ROLE"
	pathVar   = "TIERCE_LOCK_TEST_PATH"
	roleHold  = "hold"  // take the lock, say so, and keep it
	roleCount = "count" // add to the number in a file, under its lock
)

func TestMain(m *testing.M) {
	var err error
	switch path := os.Getenv(pathVar); os.Getenv(roleVar) {
	case roleHold:
		err = hold(path)
	case roleCount:
		err = count(path)
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func hold(path string) error {
	return lock.Files(path).With(context.Background(), lock.Try, func() error {
		fmt.Println("held")
		_, err := io.Copy(io.Discard, os.Stdin) // until killed, or the test is gone
		return err
	})
}

const rounds = 25

func count(path string) error {
	for range rounds {
		err := lock.Files(path+".lock").With(context.Background(), lock.Forever, func() error { return addOne(path) })
		if err != nil {
			return err
		}
	}
	return nil
}

func addOne(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(strconv.Itoa(n+1)), 0o600)
}

// child returns this test binary in another role.
func child(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = append(os.Environ(), roleVar+"="+role, pathVar+"="+path)
	return cmd
}

// startHolder starts a process that holds the lock at path, and returns it
// when it does.
func startHolder(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	cmd := child(t, roleHold, path)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdin.Close() })
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "held\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	return cmd
}

func TestKilledHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	t.Run("L5 the lock of a killed process is free at once", func(t *testing.T) {
		holder := startHolder(t, path)
		_, err := lock.Files(path).Acquire(t.Context(), lock.Try)
		if !errors.As(err, new(*cacheerr.FileLockTimeoutError)) {
			t.Fatalf("while the other process holds the lock: %v", err)
		}
		if err := holder.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := holder.Wait(); err == nil {
			t.Fatal("the other process ended by itself")
		}
		acquire(t, lock.Files(path))()
	})
	t.Run("L5 a waiter gets the lock of a killed process", func(t *testing.T) {
		holder := startHolder(t, path)
		killed := make(chan struct{})
		time.AfterFunc(10*time.Millisecond, func() {
			close(killed)
			_ = holder.Process.Kill()
		})
		err := lock.Files(path).With(t.Context(), lock.Forever, func() error {
			select {
			case <-killed:
				return nil
			default:
				return errors.New("the lock was free before its holder was killed")
			}
		})
		if err != nil {
			t.Error(err)
		}
		_ = holder.Wait()
	})
}

func TestProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counter")
	if err := os.WriteFile(path, []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			if out, err := child(t, roleCount, path).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
		all.Go(func() {
			if err := count(path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if text, err := os.ReadFile(path); string(text) != strconv.Itoa(4*rounds) {
		t.Errorf("counted %s, %v, want %d", text, err, 4*rounds)
	}
}

func TestFileStays(t *testing.T) {
	t.Run("L5 the lock file is never unlinked or replaced", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "lock")
		release := acquire(t, lock.Files(path))
		held, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = lock.Files(path).Acquire(t.Context(), lock.Try)
		release()
		acquire(t, lock.Files(path))()
		after, err := os.Stat(path)
		if err != nil || !os.SameFile(held, after) {
			t.Errorf("another file or none: %v, %v", after, err)
		}
	})
	t.Run("L5 what is in the lock file stays", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "lock")
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		acquire(t, lock.Files(path))()
		if text, err := os.ReadFile(path); string(text) != "mine" {
			t.Errorf("the file has %q, %v", text, err)
		}
	})
}

func TestFileFails(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		name, path string
		want       error
	}{
		{"no directory", filepath.Join(dir, "absent", "lock"), fs.ErrNotExist},
		{"a directory", dir, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			release, err := lock.Files(test.path).Acquire(t.Context(), lock.Forever)
			pathErr, ok := errors.AsType[*fs.PathError](err)
			if release != nil || !ok || pathErr.Path != test.path || strings.Count(err.Error(), test.path) != 1 || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want an error with the path", err)
			}
		})
	}
	t.Run("a system without locks", func(t *testing.T) {
		err := lock.LockError("dir/lock", errors.ErrUnsupported)
		if want := "lock dir/lock: unsupported operation"; err.Error() != want || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("got %v, want %s", err, want)
		}
	})
	t.Run("L4 a file that fails releases those already held", func(t *testing.T) {
		first := filepath.Join(dir, "a")
		if _, err := lock.Files(first, dir+"/z/lock").Acquire(t.Context(), lock.Try); err == nil {
			t.Fatal("a lock in a directory that is not there")
		}
		acquire(t, lock.Files(first))()
	})
}

func TestFileRelative(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	defer acquire(t, lock.Files("lock"))()
	if isFree(lock.Files(filepath.Join(dir, "lock"))) {
		t.Error("a relative path and the absolute one of the same file are two locks")
	}
	acquire(t, lock.Files("other", "./other", filepath.Join(dir, "other")))()
}

// Many hold a shared lock, and nobody else meanwhile.
func TestShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := lock.Shared(path).Acquire(t.Context(), lock.Try)
	if err != nil {
		t.Fatal(err)
	}
	second, err := lock.Shared(path).Acquire(t.Context(), lock.Try)
	if err != nil {
		t.Fatalf("a second holder: %v", err)
	}
	first()
	var taken *cacheerr.FileLockTimeoutError
	if _, err := lock.Files(path).Acquire(t.Context(), lock.Try); !errors.As(err, &taken) {
		t.Errorf("alone, while it is shared: error %v, want that it is taken", err)
	}
	second()
	alone, err := lock.Files(path).Acquire(t.Context(), lock.Try)
	if err != nil {
		t.Fatalf("alone, when nobody has it: %v", err)
	}
	if _, err := lock.Shared(path).Acquire(t.Context(), lock.Try); !errors.As(err, &taken) {
		t.Errorf("shared, while one has it alone: error %v, want that it is taken", err)
	}
	alone()
}
