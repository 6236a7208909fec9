// SPDX-License-Identifier: Apache-2.0

package memo_test

import (
	"strings"
	"testing"
)

// TestPage holds that docs/record-and-replay.md shows code of the examples.
func TestPage(t *testing.T) {
	source := content(t, "example_test.go")
	blocks := strings.Split(content(t, "../docs/record-and-replay.md"), "```go\n")[1:]
	for _, block := range blocks {
		code, _, _ := strings.Cut(block, "```\n")
		if !strings.Contains(source, code) {
			t.Errorf("the page shows code that no example has:\n%s", code)
		}
	}
	if len(blocks) != 3 {
		t.Errorf("the page has %d blocks of code, want 3", len(blocks))
	}
}
