// SPDX-License-Identifier: Apache-2.0

//go:build unix

package e2e_test

import (
	"os"
	"runtime"
	"syscall"
)

// memory returns the most memory in bytes that a process which has ended, or one
// that it waited for, had; 0 if that is no more than this process has had. Until
// a process runs its own program it has the memory of the one that starts it, and
// a system may count that.
func memory(state *os.ProcessState) float64 {
	unit := 1 << 10
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	most := state.SysUsage().(*syscall.Rusage).Maxrss
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err == nil && most <= own.Maxrss {
		return 0
	}
	return float64(most) * float64(unit)
}
