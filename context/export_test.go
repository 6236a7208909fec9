// SPDX-License-Identifier: Apache-2.0

package context

// KeyAt is [Isolation.Key] of another version of the format.
func (i Isolation) KeyAt(version int) string { return i.keyAt(version) }

// Kinds is what the form cpu makes of the text of /proc/cpuinfo.
var Kinds = kinds

// KeySchema is the version of the format.
const KeySchema = keySchema
