// SPDX-License-Identifier: Apache-2.0

package command

import (
	"os"
	"strconv"
	"strings"
)

// parentArgs returns the arguments of the process that started this one, none if
// they cannot be had.
func parentArgs() []string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(os.Getppid()) + "/cmdline")
	if err != nil || len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}
