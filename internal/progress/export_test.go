// SPDX-License-Identifier: Apache-2.0

package progress

import "os"

// TerminalBar is [Bar] on a file that is taken for a terminal.
func TerminalBar(file *os.File, title string) (report func(done, total int), finish func()) {
	b := &bar{file: file, title: title}
	return b.report, b.finish
}
