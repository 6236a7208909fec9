// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package e2e_test

// waiter is for the test of signals.
func waiter() {}

// listener is for the test on a terminal.
func listener() {}
