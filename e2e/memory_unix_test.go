// SPDX-License-Identifier: Apache-2.0

//go:build unix

package e2e_test

import (
	"os"
	"runtime"
	"syscall"
)

// memory returns the most memory in bytes that a process which has ended, or one
// that it waited for, had.
func memory(state *os.ProcessState) float64 {
	unit := 1 << 10
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	return float64(state.SysUsage().(*syscall.Rusage).Maxrss) * float64(unit)
}
