// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"slices"
	"sync"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// Table is a set of locks of this process, told apart by name. The zero value
// is ready for use by many goroutines; it must not be copied. Names that nobody
// holds or waits for take no memory. Those that wait for a name get it in the
// order in which they came.
type Table struct {
	mu    sync.Mutex
	slots map[string]*slot
}

// slot is the lock of one name: taken is full while somebody holds it.
type slot struct {
	taken chan struct{}
	users int // who hold it or wait for it
}

// Lock returns the lock over names.
func (t *Table) Lock(names ...string) Lock {
	return newLock(slices.Clone(names), t.take)
}

func (t *Table) take(ctx context.Context, name string, until limit) (release func(), err error) {
	s := t.join(name)
	if err := s.wait(ctx, name, until); err != nil {
		t.leave(name, s)
		return nil, err
	}
	return func() {
		<-s.taken
		t.leave(name, s)
	}, nil
}

func (s *slot) wait(ctx context.Context, name string, until limit) error {
	select {
	case s.taken <- struct{}{}:
		return nil
	default:
	}
	left := until.left()
	if left <= 0 {
		return &cacheerr.LockTimeoutError{Lock: name, Timeout: until.timeout}
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case s.taken <- struct{}{}:
		return nil
	case <-timer.C:
		return &cacheerr.LockTimeoutError{Lock: name, Timeout: until.timeout}
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *Table) join(name string) *slot {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.slots[name]
	if s == nil {
		s = &slot{taken: make(chan struct{}, 1)}
		if t.slots == nil {
			t.slots = make(map[string]*slot)
		}
		t.slots[name] = s
	}
	s.users++
	return s
}

func (t *Table) leave(name string, s *slot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(t.slots, name)
	}
}
