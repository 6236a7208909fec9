// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"strings"

	"github.com/tiercecache/tierce/frontend/execcache"
)

// traceLines are the sentences about a trace, with the flags that would name what
// it found.
func traceLines(t *execcache.Trace) (lines []string) {
	if t == nil {
		return nil
	}
	if len(t.Undeclared) > 0 {
		lines = append(lines, "it read what is not named; add"+flagsFor("--in ", t.Undeclared, patternOf))
	}
	if len(t.Programs) > 0 {
		lines = append(lines, "it ran programs that are not named; where they may change add"+flagsFor("--tool ", t.Programs, strings.Clone))
	}
	if len(t.Elsewhere) > 0 {
		lines = append(lines, "it read outside the working folder; where that may change add"+flagsFor("--form file=", t.Elsewhere, strings.Clone))
	}
	return append(lines, fmt.Sprintf("traced: %s not named, %s not named, %s elsewhere, %d of the system",
		count(int64(len(t.Undeclared)), "file", "files"), count(int64(len(t.Programs)), "program", "programs"),
		count(int64(len(t.Elsewhere)), "file", "files"), len(t.System)))
}

// flagsFor returns a flag for each of some texts, as a shell takes it.
func flagsFor(flag string, texts []string, as func(string) string) string {
	var all strings.Builder
	for _, text := range texts {
		all.WriteString(" " + flag + shellWord(as(text)))
	}
	return all.String()
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
