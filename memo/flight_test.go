// SPDX-License-Identifier: Apache-2.0

package memo_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/memo"
	"github.com/tiercecache/tierce/memory"
)

// TestOneRun is R15: of the callers of one key one runs the function.
func TestOneRun(t *testing.T) {
	kinds(t, func(t *testing.T, open func(memo.Options) *memo.Recorder, _ *memory.Cache) {
		synctest.Test(t, func(t *testing.T) {
			r := open(memo.Options{})
			release := make(chan struct{})
			var c counted
			fn := function(t, r, "f", memo.Settings[query, plan]{}).Record(func(ctx context.Context, q query) (plan, error) {
				<-release
				return c.plan(ctx, q)
			})
			var all sync.WaitGroup
			for range 1000 {
				all.Go(func() {
					got, err := fn(t.Context(), query{})
					wantSame(t, got, err, plan{Steps: []string{"scan ", "run 1"}})
				})
			}
			synctest.Wait()
			close(release)
			all.Wait()
			c.want(t, 1)
		})
	})
}

// TestDifferentKeys is R15: a thousand functions run at the same time, each of
// which waits until all the others do.
func TestDifferentKeys(t *testing.T) {
	const n = 1000
	kinds(t, func(t *testing.T, open func(memo.Options) *memo.Recorder, _ *memory.Cache) {
		r := open(memo.Options{LockDir: t.TempDir()})
		var overlapping atomic.Int64
		everybody := make(chan struct{})
		fn := function(t, r, "f", memo.Settings[int, int]{}).Record(func(_ context.Context, i int) (int, error) {
			if overlapping.Add(1) == n {
				close(everybody)
			}
			<-everybody
			return i, nil
		})
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				got, err := fn(t.Context(), i)
				wantSame(t, got, err, i)
			})
		}
		all.Wait()
		if overlapping.Load() != n {
			t.Errorf("%d ran at the same time, want %d", overlapping.Load(), n)
		}
	})
}

// waiters calls fn in n goroutines while the caller's own call of it is under
// way, and returns what waits for their errors.
func waiters(n int, fn func() error) (errs func() []error) {
	all, got := sync.WaitGroup{}, make([]error, n)
	for i := range n {
		all.Go(func() { got[i] = fn() })
	}
	return func() []error {
		all.Wait()
		return got
	}
}

func TestWaiters(t *testing.T) {
	kinds(t, func(t *testing.T, open func(memo.Options) *memo.Recorder, _ *memory.Cache) {
		t.Run("R16 an error reaches every waiter", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { testErrorReachesAll(t, open) }) })
		t.Run("R16 a panic reaches every waiter", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { testPanicReachesAll(t, open) }) })
		for name, giveUp := range map[string]func(cancel func()){
			"is cancelled":       func(cancel func()) { cancel() },
			"ends its goroutine": func(func()) { runtime.Goexit() },
		} {
			t.Run("R16 if the one that runs "+name+", another runs", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testAnotherRuns(t, open(memo.Options{}), name, giveUp) })
			})
		}
		t.Run("R15 a waiter whose context ends waits no longer", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { testWaiterGivesUp(t, open) }) })
	})
}

func testErrorReachesAll(t *testing.T, open func(memo.Options) *memo.Recorder) {
	release := make(chan struct{})
	fn := function(t, open(memo.Options{}), "f", memo.Settings[int, int]{}).Record(func(context.Context, int) (int, error) {
		<-release
		return 0, errBroken
	})
	errs := waiters(10, func() error { _, err := fn(t.Context(), 1); return err })
	synctest.Wait()
	close(release)
	for _, err := range errs() {
		if err != errBroken {
			t.Errorf("error %v, want that of the function", err)
		}
	}
}

func testPanicReachesAll(t *testing.T, open func(memo.Options) *memo.Recorder) {
	release := make(chan struct{})
	fn := function(t, open(memo.Options{}), "f", memo.Settings[int, int]{}).Record(func(context.Context, int) (int, error) {
		<-release
		panic(errBroken)
	})
	go func() {
		defer func() { wantSame(t, recover(), nil, any(errBroken)) }()
		_, _ = fn(t.Context(), 1)
	}()
	synctest.Wait()
	errs := waiters(10, func() error { _, err := fn(t.Context(), 1); return err })
	synctest.Wait()
	close(release)
	for _, err := range errs() {
		if e := wantError[*memo.PanicError](t, err); e.Function != "f" || !errors.Is(err, errBroken) {
			t.Errorf("error %v without function or cause", err)
		}
	}
}

func testAnotherRuns(t *testing.T, r *memo.Recorder, name string, giveUp func(cancel func())) {
	ctx, cancel := context.WithCancel(t.Context())
	release, runs := make(chan struct{}), atomic.Int64{}
	fn := function(t, r, name, memo.Settings[int, int]{}).Record(func(ctx context.Context, _ int) (int, error) {
		if runs.Add(1) > 1 {
			return 5, nil
		}
		<-release
		giveUp(cancel)
		return 0, ctx.Err()
	})
	go func() { _, _ = fn(ctx, 1) }()
	synctest.Wait()
	errs := waiters(10, func() error {
		got, err := fn(t.Context(), 1)
		wantSame(t, got, err, 5)
		return err
	})
	synctest.Wait()
	close(release)
	errs()
	wantSame(t, runs.Load(), nil, 2)
	cancel()
}

func testWaiterGivesUp(t *testing.T, open func(memo.Options) *memo.Recorder) {
	release := make(chan struct{})
	fn := function(t, open(memo.Options{}), "wait", memo.Settings[int, int]{}).Record(func(context.Context, int) (int, error) {
		<-release
		return 1, nil
	})
	go func() { _, _ = fn(context.Background(), 1) }()
	synctest.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	errs := waiters(1, func() error { _, err := fn(ctx, 1); return err })
	synctest.Wait()
	cancel()
	if err := errs()[0]; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	close(release)
}

// TestOwnCopy holds that callers share no memory: what one does with its result
// no other sees.
func TestOwnCopy(t *testing.T) {
	kinds(t, func(t *testing.T, open func(memo.Options) *memo.Recorder, _ *memory.Cache) {
		var c counted
		fn := function(t, open(memo.Options{}), "f", memo.Settings[query, plan]{}).Record(c.plan)
		first, err := fn(t.Context(), query{})
		mustDo(t, err)
		first.Steps[0] = "changed"
		got, err := fn(t.Context(), query{})
		wantSame(t, got, err, plan{Steps: []string{"scan ", "run 1"}})
	})
}

func TestFileLockTimeout(t *testing.T) {
	// R15: two recorders with one directory are as two processes.
	kinds(t, func(t *testing.T, open func(memo.Options) *memo.Recorder, _ *memory.Cache) {
		dir, entered, release := t.TempDir(), make(chan struct{}), make(chan struct{})
		slow := function(t, open(memo.Options{LockDir: dir}), "f", memo.Settings[int, int]{}).Record(func(context.Context, int) (int, error) {
			close(entered)
			<-release
			return 1, nil
		})
		done := waiters(1, func() error { _, err := slow(t.Context(), 1); return err })
		<-entered
		other := function(t, open(memo.Options{LockDir: dir, Wait: 1}), "f", memo.Settings[int, int]{}).Record(func(context.Context, int) (int, error) {
			t.Error("two run")
			return 2, nil
		})
		_, err := other(t.Context(), 1)
		wantError[*cacheerr.FileLockTimeoutError](t, err)
		close(release)
		mustDo(t, done()[0])
		got, err := other(t.Context(), 1)
		wantSame(t, got, err, 1)
	})
}
