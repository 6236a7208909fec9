// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/internal/redistest"
)

// choices runs n autotuners at once, on four machines, and returns what each
// printed.
func choices(t *testing.T, n int, args ...string) []string {
	t.Helper()
	dir, outputs, all := t.TempDir(), make([]string, n), sync.WaitGroup{}
	for i := range n {
		all.Go(func() {
			var out bytes.Buffer
			if err := run(t.Context(), append(args, "-dir", filepath.Join(dir, fmt.Sprint(i%4))), &out); err != nil {
				t.Error(err)
			}
			outputs[i] = out.String()
		})
	}
	all.Wait()
	return outputs
}

func TestAutotuner(t *testing.T) {
	dump := filepath.Join(t.TempDir(), "choices.txt")
	agreed := choices(t, 16, "-mode", "global", "-redis", redistest.Single(t).URL, "-dump", dump)
	for _, output := range agreed {
		if output != agreed[0] || strings.Count(output, "\n") != 20 {
			t.Errorf("R9 one chose\n%s\nanother\n%s", agreed[0], output)
		}
	}
	t.Run("R11 strict, from the dump, without any cache", func(t *testing.T) {
		for _, output := range choices(t, 4, "-mode", "strict", "-from", dump) {
			if output != agreed[0] {
				t.Errorf("got\n%s\nwant\n%s", output, agreed[0])
			}
		}
	})
	t.Run("R13 one byte changed is a conflict that names the key", func(t *testing.T) {
		text, err := os.ReadFile(dump)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(text, []byte(`result: {"Rows":`)) + len(`result: {"Rows":`)
		text[at] ^= 1
		changed := filepath.Join(t.TempDir(), "changed.txt")
		if err := os.WriteFile(changed, text, 0o666); err != nil {
			t.Fatal(err)
		}
		err = run(t.Context(), []string{"-mode", "strict", "-from", changed}, new(bytes.Buffer))
		conflict, ok := errors.AsType[*cacheerr.DeterministicCachingIMCDumpConflictError](err)
		if !ok || !bytes.Contains(text[:at], []byte("entry "+conflict.Key+"\n")) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("local", func(t *testing.T) {
		dir := t.TempDir()
		var outputs [2]bytes.Buffer
		for i := range outputs {
			if err := run(t.Context(), []string{"-dir", dir}, &outputs[i]); err != nil {
				t.Fatal(err)
			}
		}
		if outputs[0].String() != outputs[1].String() {
			t.Errorf("one run chose\n%s\nthe next\n%s", &outputs[0], &outputs[1])
		}
	})
	t.Run("wrong use", func(t *testing.T) {
		for _, args := range [][]string{{"-mode", "lucky"}, {"-what"}, {"-mode", "strict"}} {
			if err := run(t.Context(), args, new(bytes.Buffer)); err == nil {
				t.Errorf("%v: no error", args)
			}
		}
	})
}
