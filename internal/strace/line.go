// SPDX-License-Identifier: Apache-2.0

package strace

import (
	"strconv"
	"strings"
)

// parser remembers the calls that have begun and not returned, by thread.
type parser struct {
	begun map[int]string
}

const (
	unfinished = " <unfinished ...>"
	resumed    = " resumed>"
	superseded = "+++ superseded by execve in pid "
)

// line takes the next line, and returns the call that it completes if there is
// one. It is not ok if it makes no sense.
func (p *parser) line(text string) (call Call, whole, ok bool) {
	number, text, _ := strings.Cut(text, " ")
	pid, err := strconv.Atoi(number)
	if err != nil {
		return Call{}, false, false
	}
	text = strings.TrimLeft(text, " ")
	switch {
	case strings.HasPrefix(text, superseded):
		// The thread that executes takes the place of the first of its process.
		other, err := strconv.Atoi(strings.TrimSuffix(text[len(superseded):], " +++"))
		if begun, ok := p.begun[other]; ok {
			p.begun[pid] = begun
			delete(p.begun, other)
		}
		return Call{}, false, err == nil
	case strings.HasPrefix(text, "+++ "), strings.HasPrefix(text, "--- "):
		return Call{}, false, true // an end, a signal
	case strings.HasSuffix(text, unfinished):
		p.begun[pid] = strings.TrimSuffix(text, unfinished)
		return Call{}, false, true
	}
	if rest, ok := strings.CutPrefix(text, "<... "); ok {
		_, rest, ok := strings.Cut(rest, resumed)
		begun, known := p.begun[pid]
		if !ok || !known {
			return Call{}, false, false
		}
		delete(p.begun, pid)
		text = begun + rest
	}
	call, ok = parseCall(text)
	call.PID = pid
	return call, true, ok
}

// parseCall parses NAME(ARGUMENTS) = RESULT.
func parseCall(text string) (call Call, ok bool) {
	name, text, ok := strings.Cut(text, "(")
	if !ok || name == "" {
		return Call{}, false
	}
	args, text, ok := splitArgs(text)
	if !ok {
		return Call{}, false
	}
	result, ok := strings.CutPrefix(strings.TrimLeft(text, " "), "= ")
	return Call{Name: name, Args: args, Result: Arg(result)}, ok && result != ""
}

// splitArgs returns the arguments up to the parenthesis that closes them, and
// what follows it.
func splitArgs(text string) (args []Arg, rest string, ok bool) {
	depth, start := 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"', '<':
			end, closed := closing(text[i+1:], c)
			if !closed {
				return nil, "", false
			}
			i += 1 + end
		case '(', '[', '{':
			depth++
		case ')', ']', '}', ',':
			if depth > 0 {
				if c != ',' {
					depth--
				}
				continue
			}
			if arg := strings.TrimSpace(text[start:i]); arg != "" || c == ',' {
				args = append(args, Arg(arg))
			}
			if start = i + 1; c != ',' {
				return args, text[start:], c == ')'
			}
		}
	}
	return nil, "", false
}

// closing returns where a text or a path ends that began with open. A < that is
// no bracket, as in a shift, is followed by another.
func closing(text string, open byte) (int, bool) {
	if open == '<' {
		if strings.HasPrefix(text, "<") {
			return 0, true
		}
		end := strings.IndexByte(text, '>')
		return end, end >= 0
	}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i, true
		}
	}
	return 0, false
}
