// SPDX-License-Identifier: Apache-2.0

package interfaces_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/interfaces"
)

const keyText = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestKey(t *testing.T) {
	key, err := interfaces.ParseKey(keyText)
	if err != nil {
		t.Fatal(err)
	}
	if got := key.String(); got != keyText {
		t.Errorf("String: %q, want %q", got, keyText)
	}
	if got := fmt.Sprint(key); got != keyText {
		t.Errorf("printed: %q, want %q", got, keyText)
	}
	if got := key.Short(); got != keyText[:12] {
		t.Errorf("Short: %q, want %q", got, keyText[:12])
	}
	if upper, err := interfaces.ParseKey(strings.ToUpper(keyText)); upper != key || err != nil {
		t.Errorf("upper case: %v and %v, want the same key", upper, err)
	}
	text, err := json.Marshal(map[interfaces.Key]interfaces.Key{key: key})
	if want := `{"` + keyText + `":"` + keyText + `"}`; err != nil || string(text) != want {
		t.Errorf("as JSON: %s and %v, want %s", text, err, want)
	}
	var back map[interfaces.Key]interfaces.Key
	if err := json.Unmarshal(text, &back); err != nil || back[key] != key {
		t.Errorf("from JSON: %v and %v, want what it was", back, err)
	}
}

func TestParseKeyErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "64 hex digits, not 0 characters",
		keyText[1:]:                  "64 hex digits, not 63 characters",
		keyText + "0":                "64 hex digits, not 65 characters",
		"x" + keyText[1:]:            "64 hex digits",
		keyText[:62] + "é":           "64 hex digits",
		" " + keyText[:62] + " ":     "64 hex digits",
		strings.Repeat("0", 100_000): "not 100000 characters",
	} {
		key, err := interfaces.ParseKey(text)
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 200 || key != (interfaces.Key{}) {
			t.Errorf("ParseKey(%.70q): %v and error %v, want one short one with %q", text, key, err, want)
		}
		before := interfaces.Key{1}
		if err := before.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("UnmarshalText(%.70q): no error", text)
		}
	}
}

// FuzzParseKey: a text is a key's, or an error.
func FuzzParseKey(f *testing.F) {
	f.Add(keyText)
	f.Add(strings.ToUpper(keyText))
	f.Add(keyText[1:])
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := interfaces.ParseKey(text)
		if err != nil {
			return
		}
		if got := key.String(); got != strings.ToLower(text) {
			t.Errorf("%q is read as %q", text, got)
		}
	})
}
