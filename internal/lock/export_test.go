// SPDX-License-Identifier: Apache-2.0

package lock

import "context"

// Logged returns a lock over names that only logs what it does.
func Logged(log func(string), names ...string) Lock {
	return newLock(names, func(_ context.Context, name string, _ limit) (func(), error) {
		log("take " + name)
		return func() { log("free " + name) }, nil
	})
}

// LockError is what a file that the system does not lock fails with.
var LockError = lockError

// Names returns how many names the table keeps.
func (t *Table) Names() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.slots)
}
