// SPDX-License-Identifier: Apache-2.0

package memo_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memo"
)

// least is a tier with nothing but what determinism needs.
type least struct{ interfaces.Inserter }

func (least) Consistency() interfaces.Consistency { return interfaces.ConsistencyStrong }

// dying is a machine's way to a tier, over which nothing goes any more once it
// is dead: as if the machine had been killed.
type dying struct {
	interfaces.Inserter
	dead <-chan struct{}
}

func (dying) Consistency() interfaces.Consistency { return interfaces.ConsistencyStrong }

func (d dying) Put(ctx context.Context, key interfaces.Key, entry interfaces.Entry) error {
	select {
	case <-d.dead:
		return errBroken
	default:
		return d.Inserter.Put(ctx, key, entry)
	}
}

func (d dying) Insert(ctx context.Context, key interfaces.Key, entry interfaces.Entry) (bool, error) {
	select {
	case <-d.dead:
		return false, errBroken
	default:
		return d.Inserter.Insert(ctx, key, entry)
	}
}

func (d dying) Delete(context.Context, interfaces.Key) error { return errBroken }

const lease = 20 * time.Second

// machine returns f of a recorder that is alone on its machine.
func machine(t testing.TB, cache interfaces.Cache) *memo.Function[int, string] {
	return function(t, open(t, cache, memo.DeterministicOptions{Mode: memo.Global, Lease: lease}), "f", memo.Settings[int, string]{})
}

// tiersForLeases are tiers that can remove a lease, and that cannot.
func tiersForLeases(t *testing.T, test func(t *testing.T, cache interfaces.Inserter)) {
	t.Helper()
	t.Run("with Delete", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, newMemory(t)) }) })
	t.Run("without", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, least{newMemory(t)}) }) })
}

func TestLease(t *testing.T) {
	t.Run("R15 one machine runs, however long it takes", testOneMachineRuns)
	t.Run("R16 a function that fails lets the next machine run at once", testFailureFreesLease)
	t.Run("R15 machines that die, one after the other, delay by at most the lease each", testDeadMachines)
	t.Run("R9 one that was taken for dead returns the winner's", testTakenForDead)
	t.Run("R15 who waits for another machine obeys the context", testLeaseContext)
}

func testOneMachineRuns(t *testing.T) {
	tiersForLeases(t, func(t *testing.T, cache interfaces.Inserter) {
		runs := 0
		var done []func() []error
		for m := range 5 {
			fn := machine(t, cache).Record(func(context.Context, int) (string, error) {
				runs++
				<-time.After(10 * lease)
				return fmt.Sprint("machine ", m), nil
			})
			done = append(done, waiters(1, func() error {
				got, err := fn(t.Context(), 1)
				wantSame(t, got, err, "machine 0")
				return err
			}))
			synctest.Wait()
		}
		for _, errs := range done {
			errs()
		}
		wantSame(t, runs, nil, 1)
	})
}

func testFailureFreesLease(t *testing.T) {
	tiersForLeases(t, func(t *testing.T, cache interfaces.Inserter) {
		for range 3 { // each finds what those before left
			failing := machine(t, cache).Record(func(context.Context, int) (string, error) {
				<-time.After(time.Second)
				return "", errBroken
			})
			done := waiters(1, func() error { _, err := failing(t.Context(), 1); return err })
			synctest.Wait()
			begin := time.Now()
			if _, err := machine(t, cache).Record(func(context.Context, int) (string, error) { return "", errBroken })(t.Context(), 1); err != errBroken {
				t.Errorf("error %v, want that of the second function", err)
			}
			if waited := time.Since(begin); waited > 2*time.Second {
				t.Errorf("waited %v for a function that failed after 1s", waited)
			}
			wantSame(t, done()[0], nil, error(errBroken))
		}
	})
}

func testDeadMachines(t *testing.T) {
	tiersForLeases(t, func(t *testing.T, cache interfaces.Inserter) {
		for dead := range 3 {
			running, died := make(chan struct{}), make(chan struct{})
			fn := machine(t, dying{cache, died}).Record(func(context.Context, int) (string, error) {
				close(running)
				<-died
				return "of the dead", nil
			})
			done := waiters(1, func() error { _, err := fn(t.Context(), 1); return err })
			select { // it takes over from the one that died before
			case <-running:
			case <-time.After(lease):
				t.Fatalf("after %d deaths nobody runs", dead)
			}
			<-time.After(lease * 7 / 3) // while it lives, it is waited for
			close(died)
			if done()[0] == nil {
				t.Error("the dead has a result")
			}
		}
		begin := time.Now()
		got, err := machine(t, cache).Record(func(context.Context, int) (string, error) { return "of the living", nil })(t.Context(), 1)
		wantSame(t, got, err, "of the living")
		if waited := time.Since(begin); waited > lease {
			t.Errorf("waited %v for the dead, the lease is %v", waited, lease)
		}
	})
}

func testTakenForDead(t *testing.T) {
	tiersForLeases(t, func(t *testing.T, cache interfaces.Inserter) {
		stopped, died, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
		close(died)
		slow := machine(t, silent{cache, died}).Record(func(context.Context, int) (string, error) {
			close(stopped)
			<-release
			return "late", nil
		})
		done := waiters(1, func() error {
			got, err := slow(t.Context(), 1)
			wantSame(t, got, err, "first")
			return err
		})
		<-stopped
		got, err := machine(t, cache).Record(func(context.Context, int) (string, error) { return "first", nil })(t.Context(), 1)
		wantSame(t, got, err, "first")
		close(release)
		done()
	})
}

func testLeaseContext(t *testing.T) {
	tiersForLeases(t, func(t *testing.T, cache interfaces.Inserter) {
		release := make(chan struct{})
		fn := machine(t, cache).Record(func(context.Context, int) (string, error) { <-release; return "x", nil })
		done := waiters(1, func() error { _, err := fn(t.Context(), 1); return err })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err := machine(t, cache).Record(func(context.Context, int) (string, error) { return "y", nil })(ctx, 1)
		if err != context.DeadlineExceeded || time.Since(begin) != time.Second {
			t.Errorf("error %v after %v, want the context's after 1s", err, time.Since(begin))
		}
		close(release)
		done()
	})
}

// silent is a machine's way to a tier on which no beat gets through, and all
// else does.
type silent struct {
	interfaces.Inserter
	dead <-chan struct{}
}

func (silent) Consistency() interfaces.Consistency { return interfaces.ConsistencyStrong }

func (silent) Put(context.Context, interfaces.Key, interfaces.Entry) error { return errBroken }
