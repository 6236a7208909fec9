// SPDX-License-Identifier: Apache-2.0

package execcache_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cachectx "github.com/tiercecache/tierce/context"
	"github.com/tiercecache/tierce/frontend/execcache"
)

// isolation returns what forms answer, as JSON.
func isolation(t *testing.T, dir string, texts ...string) string {
	t.Helper()
	forms, err := execcache.Forms(dir, texts)
	check(t, err)
	all, err := cachectx.New(cachectx.Options{}, forms...)
	check(t, err)
	answers, err := all.Isolation(t.Context(), cachectx.Schema{})
	check(t, err)
	text, err := json.Marshal(answers)
	check(t, err)
	return string(text)
}

// TestForms holds that every built-in form has a name.
func TestForms(t *testing.T) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "file"), []byte("1"), 0o644))
	all := []string{
		"go", "target=riscv64-linux-gnu", "cpu", "os", "gpu", "cuda", "compiler=gcc",
		"env=TIERCE_TEST_A", "env=TIERCE_TEST_B", "file=file",
	}
	got := isolation(t, dir, all...)
	for _, want := range []string{
		`"go":{"value"`, `"target":{"value":"riscv64-linux-gnu"}`, `"cpu":`, `"os":{"value"`, `"gpu":`, `"cuda":`, `"gcc":{"value"`,
		`"env":{"value":{"TIERCE_TEST_A":null,"TIERCE_TEST_B":null}}`, `"files":{"value":[{"Name":"file"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("C5 %s is not in %s", want, got)
		}
	}
	once, err := execcache.Forms(dir, all)
	check(t, err)
	slices.Reverse(all)
	twice, err := execcache.Forms(dir, append(all, all...))
	check(t, err)
	if !slices.EqualFunc(once, twice, func(a, b cachectx.Form) bool { return a.Name == b.Name && a.Group == b.Group }) {
		t.Errorf("C7 in another order and twice: %+v, want %+v", twice, once)
	}
	for _, name := range all {
		name, _, _ = strings.Cut(name, "=")
		if !strings.Contains(execcache.FormNames, name) {
			t.Errorf("%s is not told to people", name)
		}
	}
}

func TestWrongForms(t *testing.T) {
	for _, text := range []string{"", "GO", "go=1.26", "cpu=", "target=", "compiler", "compiler=", "env", "env=", "file=", "gcc", "=go"} {
		_, err := execcache.Forms("", []string{"go", text})
		if err == nil || !strings.Contains(err.Error(), `"`+text+`"`) || !strings.Contains(err.Error(), execcache.FormNames) {
			t.Errorf("%q: error %v, want one that names it and the forms that there are", text, err)
		}
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
