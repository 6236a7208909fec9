// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io"
	"strings"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// redacted is what a secret prints as.
const redacted = "[redacted]"

// Secret is a text that nothing prints: however it is formatted or marshalled,
// it comes out as "[redacted]", or "" if it is empty. The zero Secret is empty.
//
// In an Options field its value may name environment variables: ${NAME} is
// replaced by the variable's value, and one that is not set is an error. Only
// secrets are expanded.
type Secret struct {
	// A pointer, nil if empty: fmt prints what an unexported field of another
	// struct holds without asking for methods. Of a pointer to a string it has
	// only the address.
	text *string
	from string // "${NAME}" if all of it came from the environment
}

// NewSecret returns the secret that is text, as it is.
func NewSecret(text string) Secret { return Secret{text: &text} }

// Reveal returns the secret itself, for the far end that asks for it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String implements [fmt.Stringer].
func (s Secret) String() string {
	if s.Reveal() == "" {
		return ""
	}
	return redacted
}

// GoString implements [fmt.GoStringer].
func (s Secret) GoString() string { return fmt.Sprintf("config.Secret(%q)", s.String()) }

// Format implements [fmt.Formatter], for the verbs that would not ask String.
func (s Secret) Format(state fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && state.Flag('#') {
		text = s.GoString()
	}
	_, _ = io.WriteString(state, text) // fmt has nowhere to say that it failed
}

// MarshalText implements [encoding.TextMarshaler]; JSON, XML and log/slog use
// it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML returns what YAML libraries print in place of the secret.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// written returns how a configuration file can have the secret: the variable
// that it came from, else redacted.
func (s Secret) written() string {
	if s.from != "" {
		return s.from
	}
	return s.String()
}

// URL is a secret that is a URL: of it nothing is printed but what
// cacheerr.Redact leaves, so that people see which server it is.
type URL struct{ Secret }

// written returns how a configuration file can have the URL.
func (u URL) written() string {
	if u.from != "" {
		return u.from
	}
	return cacheerr.Redact(u.Reveal())
}

// expandSecret returns the secret that written stands for. Its errors have only
// the name of a variable of what was written: the rest may be secret.
func expandSecret(written string, lookup func(string) (string, bool)) (Secret, error) {
	if written == redacted || strings.Contains(written, ":xxxxx@") {
		return Secret{}, errors.New("is a secret as it is printed; write the secret itself, or ${NAME} for an environment variable")
	}
	var expanded strings.Builder
	rest, names := written, 0
	for {
		before, after, found := strings.Cut(rest, "${")
		expanded.WriteString(before)
		if !found {
			break
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			return Secret{}, errors.New(`has "${" without "}"; write ${NAME} for an environment variable`)
		}
		value, set := lookup(name)
		if !set {
			return Secret{}, fmt.Errorf("names the environment variable %q, which is not set; set it", name)
		}
		expanded.WriteString(value)
		rest, names = behind, names+1
	}
	secret := NewSecret(expanded.String())
	if names == 1 && strings.HasPrefix(written, "${") && strings.HasSuffix(written, "}") && strings.Count(written, "}") == 1 {
		secret.from = written
	}
	return secret, nil
}
