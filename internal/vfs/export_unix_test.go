// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package vfs

// MoveBy is [OS.Move] where the system's own move is another.
var MoveBy = moveBy
