// SPDX-License-Identifier: Apache-2.0

package cachetest

// SubTests returns the names of the suite's sub-tests.
func SubTests() []string {
	var names []string
	for _, test := range suite() {
		names = append(names, test.name)
	}
	return names
}
