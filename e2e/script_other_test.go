// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package e2e_test

// inside is for the scripts that only Linux runs.
func inside() {}
