// SPDX-License-Identifier: Apache-2.0

package progress_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tiercecache/tierce/internal/progress"
)

// TestSilent: nothing is written where nobody looks.
func TestSilent(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	report, finish := progress.Bar(file, "verifying")
	report(1, 2)
	finish()
	if info, err := file.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("%d bytes written (%v), want none", info.Size(), err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

// drawn returns what a bar on a terminal writes in do.
func drawn(t *testing.T, do func(report func(done, total int), finish func())) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	report, finish := progress.TerminalBar(w, "verifying")
	do(report, finish)
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

func TestBar(t *testing.T) {
	const clearLine = "\r\x1b[K"
	for name, test := range map[string]struct {
		done, total int
		want        string
	}{
		"nothing":            {0, 3, "\rverifying [" + strings.Repeat(" ", 40) + "]   0 %"},
		"a part":             {1, 4, "\rverifying [" + strings.Repeat("=", 10) + strings.Repeat(" ", 30) + "]  25 %"},
		"all":                {4, 4, "\rverifying [" + strings.Repeat("=", 40) + "] 100 %"},
		"more than expected": {9, 4, "\rverifying [" + strings.Repeat("=", 40) + "] 100 %"},
		"nothing to do":      {0, 0, ""},
	} {
		got := drawn(t, func(report func(done, total int), finish func()) { report(test.done, test.total); finish() })
		want := test.want
		if want != "" {
			want += clearLine
		}
		if got != want {
			t.Errorf("%s: wrote %q, want %q", name, got, want)
		}
	}
}

// TestSeldom: a terminal is not written to for each of many parts.
func TestSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := drawn(t, func(report func(done, total int), _ func()) {
			for done := range 1000 {
				<-time.After(time.Millisecond)
				report(done, 1000)
			}
		})
		if n := strings.Count(got, "\r"); n != 10 {
			t.Errorf("drawn %d times within a second, want 10", n)
		}
	})
}

func Example() {
	report, finish := progress.Bar(os.Stdout, "counting") // not a terminal
	defer finish()
	for i := range 3 {
		report(i+1, 3)
	}
	// Output:
}
