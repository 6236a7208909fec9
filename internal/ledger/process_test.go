// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/internal/ledger"
)

// childVariable makes this very program one of several that append to the ledger
// that it names.
const childVariable = "LEDGER_TEST_PATH"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		child(path)
		return
	}
	os.Exit(m.Run())
}

// child appends lines, long enough for the ledger to be compacted again and
// again, and prints how many it was told were written.
func child(path string) {
	written := 0
	for range 40 {
		err := ledger.Append(context.Background(), path, found(10))
		switch {
		case err == nil:
			written++
		case !errors.As(err, new(*cacheerr.FileLockTimeoutError)): // a machine under load
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Println(written)
}

// TestProcesses: what one process was told is written, no other loses.
func TestProcesses(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := newPath(t)
	const processes = 4
	var children [processes]*exec.Cmd
	var outs, errs [processes]strings.Builder
	for i := range children {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), childVariable+"="+path)
		cmd.Stdout, cmd.Stderr = &outs[i], &errs[i]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		children[i] = cmd
	}
	want := int64(0)
	for i, cmd := range children {
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v: %s", i, err, errs[i].String())
		}
		written, err := strconv.ParseInt(strings.TrimSpace(outs[i].String()), 10, 64)
		if err != nil {
			t.Error(err)
		}
		want += written
	}
	if got := sum(t, path).Gets; got != want || want == 0 {
		t.Errorf("%d lines in the sum of %d that were written", got, want)
	}
}
