// SPDX-License-Identifier: Apache-2.0

// Package progress shows how far long work is: a bar on a terminal, nothing
// elsewhere.
package progress

import (
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Bar returns a function that is told how much of all parts is done, and one
// that removes the bar again. Both do nothing unless file is a terminal.
func Bar(file *os.File, title string) (report func(done, total int), finish func()) {
	if !term.IsTerminal(int(file.Fd())) {
		return func(int, int) {}, func() {}
	}
	bar := progressbar.NewOptions(-1,
		progressbar.OptionSetWriter(file),
		progressbar.OptionSetDescription(title),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionThrottle(100_000_000), // nanoseconds: ten times a second is smooth enough
	)
	report = func(done, total int) {
		bar.ChangeMax(total)
		_ = bar.Set(done) // a bar that cannot be drawn is no trouble
	}
	return report, func() { _ = bar.Finish() }
}
