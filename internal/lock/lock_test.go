// SPDX-License-Identifier: Apache-2.0

package lock_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/internal/lock"
)

// kind makes locks of one kind: those of one name exclude each other.
type kind func(names ...string) lock.Lock

// eachKind runs test for locks by name and for lock files, in a bubble where
// time passes only while everybody waits.
func eachKind(t *testing.T, name string, test func(t *testing.T, locks kind)) {
	t.Helper()
	t.Run(name+", names", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var table lock.Table
			test(t, table.Lock)
			if n := table.Names(); n != 0 {
				t.Errorf("the table still keeps %d names", n)
			}
		})
	})
	t.Run(name+", files", func(t *testing.T) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			test(t, func(names ...string) lock.Lock {
				var paths []string
				for _, name := range names {
					paths = append(paths, filepath.Join(dir, name))
				}
				return lock.Files(paths...)
			})
		})
	})
}

func acquire(t *testing.T, l lock.Lock) (release func()) {
	t.Helper()
	release, err := l.Acquire(t.Context(), lock.Try)
	if err != nil {
		t.Fatalf("a free lock: %v", err)
	}
	return release
}

// isFree reports whether l can be had now.
func isFree(l lock.Lock) bool {
	return l.With(context.Background(), lock.Try, func() error { return nil }) == nil
}

// timedOut returns the timeout that an error of either kind of lock tells.
func timedOut(err error) (name string, timeout time.Duration, ok bool) {
	if e, ok := errors.AsType[*cacheerr.LockTimeoutError](err); ok {
		return e.Lock, e.Timeout, true
	}
	if e, ok := errors.AsType[*cacheerr.FileLockTimeoutError](err); ok {
		return e.Path, e.Timeout, true
	}
	return "", 0, false
}

func TestWait(t *testing.T) {
	var byDefault lock.Wait
	eachKind(t, "L1 a free lock is taken without any wait", func(t *testing.T, locks kind) {
		for _, wait := range []lock.Wait{byDefault, lock.Try, lock.Forever, lock.For(time.Second)} {
			begin := time.Now()
			if err := locks("a").With(t.Context(), wait, func() error { return nil }); err != nil {
				t.Errorf("Wait %v: %v", wait, err)
			}
			if waited := time.Since(begin); waited != 0 {
				t.Errorf("Wait %v waited %v for a free lock", wait, waited)
			}
		}
	})
	for _, test := range []struct {
		name string
		wait lock.Wait
		want time.Duration
	}{
		{"not at all", lock.Try, 0},
		{"for no time is not at all", lock.For(0), 0},
		{"for less than no time is not at all", lock.For(-time.Hour), 0},
		{"for a while", lock.For(1234 * time.Millisecond), 1234 * time.Millisecond},
		{"60 seconds by default", byDefault, 60 * time.Second},
	} {
		eachKind(t, "L1 L2 waits "+test.name, func(t *testing.T, locks kind) {
			defer acquire(t, locks("a"))()
			begin := time.Now()
			release, err := locks("a").Acquire(t.Context(), test.wait)
			if waited := time.Since(begin); waited != test.want {
				t.Errorf("waited %v, want %v", waited, test.want)
			}
			name, timeout, ok := timedOut(err)
			if release != nil || !ok || filepath.Base(name) != "a" || timeout != test.want {
				t.Errorf("got %v, want the name and %v", err, test.want)
			}
		})
	}
}

func TestWaitForever(t *testing.T) {
	eachKind(t, "L1 waits for ever", func(t *testing.T, locks kind) {
		for i := range 20 { // a file is seen to be free at its next poll
			hold := time.Minute + time.Duration(i)*61*time.Millisecond
			time.AfterFunc(hold, acquire(t, locks("a")))
			begin := time.Now()
			if err := locks("a").With(t.Context(), lock.Forever, func() error { return nil }); err != nil {
				t.Fatal(err)
			}
			if late := time.Since(begin) - hold; late < 0 || late > 50*time.Millisecond {
				t.Errorf("got it %v after its release, want at most one poll of 50ms", late)
			}
		}
	})
}

func TestWaitContext(t *testing.T) {
	for _, wait := range []lock.Wait{0, lock.Try, lock.Forever, lock.For(time.Minute)} {
		eachKind(t, "L1 a cancelled context gets no lock", func(t *testing.T, locks kind) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if release, err := locks("a").Acquire(ctx, wait); err != context.Canceled || release != nil {
				t.Errorf("a free lock: %v, want %v", err, context.Canceled)
			}
		})
	}
	for _, wait := range []lock.Wait{0, lock.Forever, lock.For(time.Minute)} {
		eachKind(t, "L1 obeys the context", func(t *testing.T, locks kind) {
			defer acquire(t, locks("a"))()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begin := time.Now()
			release, err := locks("a").Acquire(ctx, wait)
			if err != context.DeadlineExceeded || release != nil || time.Since(begin) != time.Second {
				t.Errorf("got %v after %v, want %v after 1s", err, time.Since(begin), context.DeadlineExceeded)
			}
		})
	}
}

func TestTimeoutErrors(t *testing.T) {
	dir := t.TempDir()
	var table lock.Table
	files, names := lock.Files(filepath.Join(dir, "a")), table.Lock("a")
	defer acquire(t, files)()
	defer acquire(t, names)()
	t.Run("L2 a name's is LockTimeoutError", func(t *testing.T) {
		_, err := names.Acquire(t.Context(), lock.Try)
		if e, ok := err.(*cacheerr.LockTimeoutError); !ok || *e != (cacheerr.LockTimeoutError{Lock: "a"}) {
			t.Errorf("got %#v", err)
		}
	})
	t.Run("L2 a file's is FileLockTimeoutError", func(t *testing.T) {
		_, err := files.Acquire(t.Context(), lock.For(time.Millisecond))
		want := cacheerr.FileLockTimeoutError{Path: filepath.Join(dir, "a"), Timeout: time.Millisecond}
		if e, ok := err.(*cacheerr.FileLockTimeoutError); !ok || *e != want {
			t.Errorf("got %#v, want %#v", err, want)
		}
	})
}

func TestScoped(t *testing.T) {
	eachKind(t, "L3 holds while do runs and passes its error on", func(t *testing.T, locks kind) {
		failed := errors.New("failed")
		err := locks("a").With(t.Context(), lock.Try, func() error {
			if isFree(locks("a")) {
				t.Error("the lock is free while do runs")
			}
			return failed
		})
		if err != failed || !isFree(locks("a")) {
			t.Errorf("got %v, want %v and a free lock", err, failed)
		}
	})
	eachKind(t, "L3 releases when do panics", func(t *testing.T, locks kind) {
		defer func() {
			if recover() != "boom" || !isFree(locks("a")) {
				t.Error("the panic did not pass on, or the lock is taken")
			}
		}()
		_ = locks("a").With(t.Context(), lock.Try, func() error { panic("boom") })
	})
	eachKind(t, "L3 releases when do ends its goroutine", func(t *testing.T, locks kind) {
		go func() {
			_ = locks("a").With(t.Context(), lock.Try, func() error {
				runtime.Goexit()
				return nil
			})
		}()
		synctest.Wait()
		if !isFree(locks("a")) {
			t.Error("the lock is taken")
		}
	})
	eachKind(t, "L3 does not call do without the lock", func(t *testing.T, locks kind) {
		defer acquire(t, locks("a"))()
		err := locks("a").With(t.Context(), lock.Try, func() error {
			t.Error("do was called")
			return nil
		})
		if _, _, ok := timedOut(err); !ok {
			t.Errorf("got %v, want a timeout", err)
		}
	})
}

func TestReleaseTwice(t *testing.T) {
	eachKind(t, "L3 a second release does not free the next holder's lock", func(t *testing.T, locks kind) {
		first := acquire(t, locks("a"))
		first()
		second := acquire(t, locks("a"))
		first()
		if isFree(locks("a")) {
			t.Error("the second holder's lock is free")
		}
		second()
		if !isFree(locks("a")) {
			t.Error("the lock is taken after its release")
		}
	})
}

func TestSeveral(t *testing.T) {
	t.Run("L4 taken in order, each once, released in reverse", func(t *testing.T) {
		var log []string
		l := lock.Logged(func(line string) { log = append(log, line) }, "c", "a", "b", "a")
		acquire(t, l)()
		if got, want := strings.Join(log, ", "), "take a, take b, take c, free c, free b, free a"; got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	})
	eachKind(t, "L4 duplicates are taken once", func(t *testing.T, locks kind) {
		acquire(t, locks("a", "b", "a", "./b"))()
	})
	eachKind(t, "L4 no names are always free", func(t *testing.T, locks kind) {
		defer acquire(t, locks())()
		acquire(t, locks())()
	})
	eachKind(t, "L4 a failure releases those already held", func(t *testing.T, locks kind) {
		defer acquire(t, locks("b"))()
		go func() {
			_, err := locks("c", "b", "a").Acquire(t.Context(), lock.For(time.Minute))
			if name, timeout, ok := timedOut(err); !ok || filepath.Base(name) != "b" || timeout != time.Minute {
				t.Errorf("got %v, want a timeout of b", err)
			}
		}()
		<-time.After(30 * time.Second)
		if isFree(locks("a")) || !isFree(locks("c")) {
			t.Error("while b is waited for, a is free or c is taken")
		}
		<-time.After(30 * time.Second)
		synctest.Wait()
		if !isFree(locks("a")) || !isFree(locks("c")) {
			t.Error("after the timeout a or c is taken")
		}
	})
	eachKind(t, "L4 the wait is for all together", func(t *testing.T, locks kind) {
		time.AfterFunc(40*time.Second, acquire(t, locks("a")))
		defer acquire(t, locks("b"))()
		begin := time.Now()
		_, err := locks("a", "b").Acquire(t.Context(), lock.For(time.Minute))
		if _, timeout, _ := timedOut(err); timeout != time.Minute || time.Since(begin) != time.Minute {
			t.Errorf("got %v after %v, want a timeout after 1m", err, time.Since(begin))
		}
	})
	eachKind(t, "L4 opposite orders do not wait for each other", func(t *testing.T, locks kind) {
		var all sync.WaitGroup
		for _, names := range [][]string{{"a", "b"}, {"b", "a"}, {"b", "a"}, {"a", "b"}} {
			all.Go(func() {
				for range 20 {
					if err := locks(names...).With(t.Context(), lock.For(time.Hour), yield); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	})
}

func yield() error {
	<-time.After(time.Millisecond)
	return nil
}

func TestExclusion(t *testing.T) {
	eachKind(t, "one at a time", func(t *testing.T, locks kind) {
		var all sync.WaitGroup
		var inside, done atomic.Int32
		for range 8 {
			all.Go(func() {
				err := locks("a").With(t.Context(), lock.Forever, func() error {
					if inside.Add(1) != 1 {
						t.Error("two hold the lock")
					}
					defer inside.Add(-1)
					done.Add(1)
					return yield()
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if done.Load() != 8 {
			t.Errorf("%d held the lock, want 8", done.Load())
		}
	})
	eachKind(t, "names do not wait for each other", func(t *testing.T, locks kind) {
		defer acquire(t, locks("a"))()
		acquire(t, locks("b"))()
	})
}

func TestTableIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var table lock.Table
		var order []int
		release := acquire(t, table.Lock("a"))
		for i := range 10 {
			go func() {
				_ = table.Lock("a").With(t.Context(), lock.Forever, func() error {
					order = append(order, i)
					return nil
				})
			}()
			synctest.Wait()
		}
		release()
		synctest.Wait()
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(order, want) {
			t.Errorf("order = %v, want that of coming", order)
		}
	})
}
