// SPDX-License-Identifier: Apache-2.0

package errors

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	shortText   = 64      // bytes of a value that a message shows
	shortDigits = 12      // hex digits of a key that a message shows
	textWindow  = 4 << 10 // bytes of a value that are looked at to show these
)

// message is the form of every error's text: what failed and on what, why if
// that is known, and what to do. It has no passwords.
func message(what string, cause error, remedy string) string {
	if cause != nil {
		what += ": " + cause.Error()
	}
	return Redact(what) + "; " + remedy
}

// Shorten returns text as messages show it: without passwords ([Redact]), valid
// UTF-8, and at most 64 bytes, with "…" in place of the rest.
func Shorten(text string) string {
	whole := len(text) <= textWindow
	if !whole {
		text = text[:textWindow]
	}
	text = strings.ToValidUTF8(Redact(text), "\uFFFD")
	if whole && len(text) <= shortText {
		return text
	}
	return cut(text, shortText-len("…")) + "…"
}

// cut returns the first runes of text that have at most size bytes.
func cut(text string, size int) string {
	if len(text) <= size {
		return text
	}
	for !utf8.RuneStart(text[size]) {
		size--
	}
	return text[:size]
}

// shortKey is for the hex digits of a key what [interfaces.Key.Short] is for
// the key: enough to tell keys apart.
func shortKey(digits string) string {
	return cut(strings.ToValidUTF8(digits, "\uFFFD"), shortDigits)
}

func quote(text string) string { return strconv.Quote(Shorten(text)) }

func oneLine(text string) string {
	return strings.NewReplacer("\r\n", "; ", "\n", "; ", "\r", "; ").Replace(text)
}
