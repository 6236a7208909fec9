// SPDX-License-Identifier: Apache-2.0

package filestream_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tiercecache/tierce/filestream"
)

const mountVar = "TIERCE_FILESTREAM_TEST_MOUNT"

// TestReadOnlyMount starts itself again where mounts are its own affair, and
// checks a directory that is mounted read-only. A user who may not mount has
// TestReadOnly.
func TestReadOnlyMount(t *testing.T) {
	if dir := os.Getenv(mountVar); dir != "" {
		mustDo(t, mountReadOnly(dir))
		c, err := filestream.Open(t.Context(), dir, filestream.Options{MaxBytes: 1})
		mustDo(t, err)
		checkReadOnly(t, c)
		return
	}
	binary, err := os.Executable()
	mustDo(t, err)
	cmd := exec.CommandContext(t.Context(), binary, "-test.run=^TestReadOnlyMount$")
	cmd.Env = append(os.Environ(), mountVar+"="+readOnlyDir(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, os.ErrPermission), strings.Contains(string(out), errMount.Error()):
		t.Logf("this user may not mount: %v %s", err, out)
	case err != nil:
		t.Errorf("F13 on a read-only mount: %v\n%s", err, out)
	}
}

var errMount = errors.New("mounting is refused")

func mountReadOnly(dir string) error {
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount(dir, dir, "", unix.MS_BIND, "")
	}
	if err == nil {
		err = unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
	}
	if err != nil {
		return errors.Join(errMount, err)
	}
	return nil
}
