// SPDX-License-Identifier: Apache-2.0

// Package progress shows how far long work is: a line on a terminal, nothing
// elsewhere.
//
// It is our own since it is linked into the GOCACHEPROG helper, whose start is a
// measurable part of a warm build, and the libraries for it do up to a
// millisecond of work when a process starts (docs/design/008).
package progress

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"
)

// Bar returns a function that is told how much of all parts is done, and one
// that removes the bar again. Both do nothing unless file is a terminal. They
// are called by one goroutine.
func Bar(file *os.File, title string) (report func(done, total int), finish func()) {
	if !term.IsTerminal(int(file.Fd())) {
		return func(int, int) {}, func() {}
	}
	b := bar{file: file, title: title}
	return b.report, b.finish
}

type bar struct {
	file  *os.File
	title string
	drawn time.Time
}

// width is the number of cells of a full bar.
const width = 40

func (b *bar) report(done, total int) {
	// Ten times a second is smooth enough.
	if total <= 0 || time.Since(b.drawn) < 100*time.Millisecond {
		return
	}
	b.drawn = time.Now()
	done = min(done, total) // others may add parts meanwhile
	fmt.Fprintf(b.file, "\r%s [%-*s] %3d %%", b.title, width, cells[:width*done/total], 100*done/total)
}

const cells = "========================================" // width of them

func (b *bar) finish() {
	if !b.drawn.IsZero() {
		fmt.Fprint(b.file, "\r\x1b[K") // to the first column, and clear the line
	}
}
