// SPDX-License-Identifier: Apache-2.0

package context

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// keySchema is the version of how an isolation becomes a key. Raise it when
// that changes: every older entry is then out of reach, as it must be.
const keySchema = 1

// keyDigits is how many hex digits of the digest are an isolation key.
const keyDigits = 32

// Isolation is what the chosen forms answered, by name. A group of which
// nothing was chosen is nil.
type Isolation struct {
	Compile map[string]Answer
	Runtime map[string]Answer
}

// Answer is what one form answered: a value, or how it failed.
type Answer struct {
	Value  json.RawMessage `json:"value,omitempty"`  // JSON in one form: objects sorted, no spaces
	Failed string          `json:"failed,omitempty"` // kind of the error, "" if there is a value
}

// Isolation asks the forms that schema chooses, those that nobody asked before
// at the same time, and returns their answers.
//
// A name in schema that no form has, and a value that is not JSON, are errors.
// If ctx ends before all have answered, the error is that of ctx; the probes go
// on for those who ask later.
func (f *Forms) Isolation(ctx context.Context, schema Schema) (Isolation, error) {
	if f == nil {
		return Isolation{}, errors.New("context: the *Forms is nil; make one with New")
	}
	chosen, err := f.chosen(schema)
	if err != nil {
		return Isolation{}, err
	}
	for _, p := range chosen {
		p.start(ctx, f.timeout)
	}
	var isolation Isolation
	for _, p := range chosen {
		answer, err := p.wait(ctx)
		if err != nil {
			return Isolation{}, err
		}
		group := &isolation.Compile
		if p.form.Group == Runtime {
			group = &isolation.Runtime
		}
		if *group == nil {
			*group = make(map[string]Answer)
		}
		(*group)[p.form.Name] = answer
	}
	return isolation, nil
}

// Key returns the isolation key of the forms that schema chooses. It fails as
// [Forms.Isolation] does.
func (f *Forms) Key(ctx context.Context, schema Schema) (string, error) {
	isolation, err := f.Isolation(ctx, schema)
	if err != nil {
		return "", err
	}
	return isolation.Key(), nil
}

// Key returns the isolation key: 32 hex digits.
func (i Isolation) Key() string { return i.keyAt(keySchema) }

func (i Isolation) keyAt(version int) string {
	text, err := i.marshal(version)
	if err != nil {
		panic(err) // answers that a probe gave are JSON; others are the caller's mistake
	}
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:])[:keyDigits]
}

// MarshalJSON implements [json.Marshaler]: it returns what the key is the
// digest of.
func (i Isolation) MarshalJSON() ([]byte, error) { return i.marshal(keySchema) }

func (i Isolation) marshal(version int) ([]byte, error) {
	// Members stand in the order of their names.
	return encode(struct {
		Compile map[string]Answer `json:"compile"`
		Schema  int               `json:"key_schema"`
		Runtime map[string]Answer `json:"runtime"`
	}{i.Compile, version, i.Runtime})
}

// canonical returns value as JSON that has one form only, whether objects come
// from structs or maps.
func canonical(value any) (json.RawMessage, error) {
	text, err := encode(value)
	if err != nil {
		return nil, err
	}
	if replaced(text) {
		return nil, errors.New("it has text that is not UTF-8; return a digest of it")
	}
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // 64 bits do not fit into a float
	if err := decoder.Decode(&tree); err != nil {
		return nil, err
	}
	return encode(tree)
}

func encode(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

// replaced reports whether encoding/json has put U+FFFD for bytes that are not
// UTF-8: it escapes that one, and not one that was there.
func replaced(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(text[i:], []byte(`\ufffd`)) {
			return true
		}
		i++ // what is escaped
	}
	return false
}

func notJSON(name string, err error) error {
	return fmt.Errorf("context: form %q: what its probe returned is not JSON: %w", name, err)
}
