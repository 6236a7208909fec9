// SPDX-License-Identifier: Apache-2.0

package vfs

// Stamp is what tells a file as it is from every other that this machine has
// had, by no more than a look at it: nobody can set when it was last changed.
// Only a file that was changed in the moment before the look may be changed
// again without another stamp. The zero Stamp is no file's.
type Stamp struct {
	Device   uint64 `json:"device"`
	ID       uint64 `json:"id"`       // inode
	Size     int64  `json:"size"`     // length in bytes
	Modified int64  `json:"modified"` // last change of content, Unix nanoseconds
	Changed  int64  `json:"changed"`  // last change of content, name or attribute
}
