// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"os"
)

// probe is a program for tests: this test binary under another name.
func probe() {
	fmt.Fprintln(os.Stderr, "probe: not yet")
	os.Exit(2)
}
