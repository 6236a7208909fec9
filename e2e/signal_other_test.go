// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package e2e_test

// waiter is for the test of signals.
func waiter() {}
