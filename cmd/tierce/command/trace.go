// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"strings"

	"github.com/tiercecache/tierce/frontend/execcache"
)

// someOf is how many flags of a kind are advised, unless all are asked for.
const someOf = 20

// traceLines are the sentences about a trace, with the flags that would name what
// it found: some of them, or all.
func traceLines(t *execcache.Trace, all bool) (lines []string) {
	if t == nil {
		return nil
	}
	for _, found := range []struct {
		paths    []string
		sentence string
		flag     string
		as       func(string) string
	}{
		{t.Undeclared, "it read what is not named; add", "--in ", patternOf},
		{t.Programs, "it ran programs that are not named; where they may change add", "--tool ", strings.Clone},
		{t.Elsewhere, "it read outside the working folder; where that may change add", "--form file=", strings.Clone},
	} {
		left := 0
		if !all {
			left = max(0, len(found.paths)-someOf)
		}
		for _, path := range found.paths[:len(found.paths)-left] {
			found.sentence += " " + found.flag + shellWord(found.as(path))
		}
		if left > 0 {
			found.sentence += fmt.Sprintf(" and %d more, which --summary text tells", left)
		}
		if len(found.paths) > 0 {
			lines = append(lines, found.sentence)
		}
	}
	return append(lines, fmt.Sprintf("traced: %s not named, %s not named, %s elsewhere, %d of the system",
		count(int64(len(t.Undeclared)), "file", "files"), count(int64(len(t.Programs)), "program", "programs"),
		count(int64(len(t.Elsewhere)), "file", "files"), len(t.System)))
}

// patternOf returns the pattern of inputs that stands for one path.
func patternOf(path string) string {
	var pattern strings.Builder
	for _, r := range path {
		if strings.ContainsRune(`*?[]{}\`, r) {
			pattern.WriteByte('\\')
		}
		pattern.WriteRune(r)
	}
	return pattern.String()
}

// shellWord returns text as a shell takes it for one word.
func shellWord(text string) string {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=+:,@%"
	if text != "" && strings.Trim(text, safe) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
