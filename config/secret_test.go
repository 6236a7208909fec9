// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/config"
)

func TestSecretIsNotPrinted(t *testing.T) {
	secret := config.NewSecret("hunter2")
	type outer struct {
		Public config.Secret
		hidden config.Secret
	}
	holder := outer{Public: secret, hidden: secret}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", secret, "holder", holder)
	asJSON, err := json.Marshal(map[string]any{"s": secret, "h": holder})
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := secret.MarshalYAML()
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{log.String(), string(asJSON), fmt.Sprint(asYAML), fmt.Errorf("x: %w", fmt.Errorf("%v", secret)).Error()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%10v", "%T", "%c", "%e"} {
		texts = append(texts, fmt.Sprintf(verb, secret), fmt.Sprintf(verb, &secret), fmt.Sprintf(verb, holder), fmt.Sprintf(verb, []any{secret}))
	}
	for _, text := range texts {
		if strings.Contains(text, "hunter2") || strings.Contains(text, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("the secret is in %q", text)
		}
	}
	if got := secret.String(); got != "[redacted]" {
		t.Errorf("String is %q, want [redacted]", got)
	}
	if got := secret.Reveal(); got != "hunter2" {
		t.Errorf("Reveal is %q, want hunter2", got)
	}
	if zero := (config.Secret{}); zero.Reveal() != "" || zero.String() != "" {
		t.Errorf("the zero Secret is %q and prints %q, want nothing", zero.Reveal(), zero)
	}
}

func TestSecretFromTheEnvironment(t *testing.T) {
	for _, test := range []struct{ written, want, problem string }{
		{written: "plain $x }{", want: "plain $x }{"},
		{written: "${A}", want: "one"},
		{written: "redis://u:${A}@${B}", want: "redis://u:one@two"},
		{written: "${EMPTY}", want: ""},
		{written: "${NOPE}", problem: `the value names the environment variable "NOPE", which is not set; set it`},
		{written: "hunter2${A", problem: `the value has "${" without "}"; write ${NAME} for an environment variable`},
		{written: "[redacted]", problem: "the value is a secret as it is printed; write the secret itself, or ${NAME} for an environment variable"},
	} {
		sources := fromFile(t, fmt.Sprintf("tiers: [{type: spy, options: {password: %q}}]", test.written))
		sources.Environ = []string{"A=one", "B=two", "EMPTY="}
		var got everything
		stack, err := load(t, sources).Open(t.Context(), spy(everything{}, &got), noOptions)
		if test.problem != "" {
			if err == nil || !strings.HasSuffix(err.Error(), ": tiers[0].options.password: "+test.problem) {
				t.Errorf("%s: error %v, want %s", test.written, err, test.problem)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.written, err)
			continue
		}
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
		if got.Password.Reveal() != test.want {
			t.Errorf("%s is %q, want %q", test.written, got.Password.Reveal(), test.want)
		}
	}
}
