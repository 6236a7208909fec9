// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package redistest

import "syscall"

// withParent does nothing where a process outlives the one that started it.
func withParent() *syscall.SysProcAttr { return nil }
