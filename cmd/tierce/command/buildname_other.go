// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package command

// parentArgs returns nothing: other systems do not tell.
func parentArgs() []string { return nil }
