// SPDX-License-Identifier: Apache-2.0

package redistest

import "syscall"

// withParent makes a process end with the thread that started it.
func withParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
