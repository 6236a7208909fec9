// SPDX-License-Identifier: Apache-2.0

package config

import "strings"

// suggest returns what would be right in place of name: the closest of known
// if one is close, and all of them.
func suggest(name string, known []string) string {
	all := "known: " + strings.Join(known, ", ")
	if closest := nearest(name, known); closest != "" {
		return "did you mean " + closest + "? " + all
	}
	return all
}

// nearest returns the one of known that name was meant to be: few letters
// differ; "" if many do in all of them.
func nearest(name string, known []string) string {
	name = significant(name)
	best, least := "", len(name)/3+2
	for _, candidate := range known {
		if d := distance(name, significant(candidate)); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// significant returns the part of a name in which names differ.
func significant(name string) string {
	return strings.TrimPrefix(strings.ToLower(name), "tierce_")
}

// distance returns how many letters must be put in, left out or changed to
// turn a into b (Levenshtein). It gives up on long names.
func distance(a, b string) int {
	const long = 64
	if len(a) > long || len(b) > long {
		return long
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
