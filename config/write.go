// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"encoding/json"
	"strings"
)

// writeYAML writes n, whose lines begin at column indent.
func writeYAML(b *bytes.Buffer, n node, indent int) {
	switch {
	case n.kind == mapping && len(n.fields) > 0:
		for i, f := range n.fields {
			if i > 0 {
				b.WriteString(strings.Repeat(" ", indent))
			}
			b.WriteString(quoteYAML(f.name) + ":")
			if len(f.value.fields)+len(f.value.items) > 0 {
				b.WriteString("\n" + strings.Repeat(" ", indent+2))
			} else {
				b.WriteByte(' ')
			}
			writeYAML(b, f.value, indent+2)
		}
	case n.kind == list && len(n.items) > 0:
		for i, item := range n.items {
			if i > 0 {
				b.WriteString(strings.Repeat(" ", indent))
			}
			b.WriteString("- ")
			writeYAML(b, item, indent+2)
		}
	default:
		b.WriteString(n.inline() + "\n")
	}
}

// inline returns n as YAML has it in one line.
func (n node) inline() string {
	switch n.kind {
	case mapping:
		return "{}"
	case list:
		return "[]"
	case text:
		return quoteYAML(n.text)
	default:
		return n.text
	}
}

// quoteYAML returns text in quotes, as JSON and YAML both have it, unless it
// reads as itself without.
func quoteYAML(s string) string {
	if plain(s) {
		return s
	}
	return quoteJSON(s)
}

func quoteJSON(s string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string in memory cannot fail
	return strings.TrimSuffix(b.String(), "\n")
}

// plain reports whether s is a word or path that YAML reads as text.
func plain(s string) bool {
	const signs = "_-./"
	other := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(signs, r))
	}
	if s == "" || strings.ContainsFunc(s, other) || strings.ContainsAny(s[:1], "0123456789-.") {
		return false
	}
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return false
	}
	return true
}

// MarshalJSON implements [json.Marshaler], with the fields in their order. What
// JSON has no number for, such as 64KiB, is a string.
func (n node) MarshalJSON() ([]byte, error) {
	switch n.kind {
	case mapping:
		return jsonFields(n.fields)
	case list:
		return json.Marshal(append([]node{}, n.items...)) // [] and not null
	case boolean:
		return []byte(n.text), nil
	case number:
		if json.Valid([]byte(n.text)) {
			return []byte(n.text), nil
		}
	}
	return []byte(quoteJSON(n.text)), nil
}

func jsonFields(fields []field) ([]byte, error) {
	var b bytes.Buffer
	for i, f := range fields {
		value, err := json.Marshal(f.value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quoteJSON(f.name) + ":" + string(value))
	}
	return []byte("{" + b.String() + "}"), nil
}
