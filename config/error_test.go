// SPDX-License-Identifier: Apache-2.0

// The messages have paths as Unix writes them.
//go:build unix

package config_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/config"
)

var update = flag.Bool("update", false, "write testdata/errors.txt anew")

// variablesAndFlags are mistakes outside the file.
var variablesAndFlags = []config.Sources{
	{Environ: []string{"TIERCE_MAX_BYTE=1GiB"}},
	{Environ: []string{"TIERCE_COLOR=red"}},
	{Environ: []string{"TIERCE_MAX_BYTES=20 gigs"}},
	{Environ: []string{"TIERCE_MAX_BYTES=0"}},
	{Environ: []string{"TIERCE_MEMORY_MAX_BYTES=-5MiB"}},
	{Environ: []string{"TIERCE_DIR=~bob"}},
	{Flags: config.Flags{MaxBytes: "1e999"}},
	{Flags: config.Flags{MemoryMaxBytes: "much"}},
	{Flags: config.Flags{Dir: "${X}"}},
	{Flags: config.Flags{Config: "/nonexistent/x.yaml"}},
	{Flags: config.Flags{Config: "/"}},
	{Flags: config.Flags{Config: os.DevNull}},
	{Environ: []string{"TIERCE_CONFIG=~bob"}},
	{Environ: []string{"TIERCE_DETERMINISTIC_MODE=lucky"}},
	{Environ: []string{"TIERCE_DETERMINISTIC_MODE=global"}},
	{Environ: []string{"TIERCE_DETERMINISTIC_TIER=filestream"}},
	{Environ: []string{"TIERCE_DETERMINISTIC_MODE=local", "TIERCE_DETERMINISTIC_TIER=disk"}},
	{Environ: []string{"TIERCE_DETERMINISTIC_MODE=strict", "TIERCE_DETERMINISTIC_PREPOPULATE=" + string(os.PathListSeparator) + "a"}},
	{Environ: []string{"TIERCE_DETERMINISTIC_MODES=local"}},
	{Environ: []string{"TIERCE_DETERMINISTIC=perhaps"}},
	{Environ: []string{"TIERCE_MEMO=2"}},
	{Flags: config.Flags{Mode: "strict"}},
	{Flags: config.Flags{Mode: "global", Lease: "soon"}},
	{Environ: []string{"TIERCE_DETERMINISTIC_MODE=local"}, Flags: config.Flags{Lease: "5s"}},
	{UserCacheDir: noDir},
}

// V2, M4, F6: each mistake is an error that names the place and what would be right.
// The messages are in testdata/errors.txt, to be read by people.
func TestErrors(t *testing.T) {
	var b bytes.Buffer
	for _, content := range mistakes {
		sources := fromFile(t, content)
		err := problem(t, sources)
		message := strings.ReplaceAll(err.Error(), filepath.Dir(sources.Flags.Config)+string(filepath.Separator), "")
		fmt.Fprintf(&b, "%s  => %s\n\n", shorten(content), message)
	}
	for _, sources := range variablesAndFlags {
		sources.UserConfigDir = noDir
		if sources.UserCacheDir == nil {
			sources.UserCacheDir = in("/cache")
		}
		if sources.Environ == nil {
			sources.Environ = []string{}
		}
		fmt.Fprintf(&b, "%s %s\n  => %s\n\n", sources.Environ, given(sources.Flags), problem(t, sources))
	}
	compare(t, filepath.Join("testdata", "errors.txt"), b.Bytes())
}

// given returns the flags that say something.
func given(flags config.Flags) string {
	var all []string
	for field, value := range reflect.ValueOf(flags).Fields() {
		if !value.IsZero() {
			all = append(all, fmt.Sprintf("%s:%v", field.Name, value))
		}
	}
	return fmt.Sprint(all)
}

// problem returns what is wrong, of Load or else of Check.
func problem(t *testing.T, sources config.Sources) error {
	t.Helper()
	c, err := config.Load(sources)
	if err == nil {
		err = c.Check(t.Context(), config.Builtin())
	}
	if err == nil {
		t.Fatalf("no error for %+v", sources)
	}
	if _, ok := errors.AsType[*config.Error](err); !ok {
		t.Errorf("%v is a %T, want a *config.Error", err, err)
	}
	return err
}

func shorten(content string) string {
	const most = 200
	content = strings.NewReplacer("\x00", "\\x00", "\xff", "\\xff").Replace(content)
	if len(content) > most {
		content = content[:20] + "...\n"
	}
	return content
}

func compare(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got:\n%s\nwant what %s has; if the new messages are better, run go test ./config -run TestErrors -update", got, path)
	}
}
