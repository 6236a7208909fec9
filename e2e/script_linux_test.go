// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestLinuxScripts runs the scripts that need Linux: they mount file systems, or
// trace. They have one more program:
//
//	inside CMD...  run CMD where it may mount, and is nobody's superuser but its own
func TestLinuxScripts(t *testing.T) {
	testscript.Run(t, scripts("testdata/linux"))
}

const noNamespace = `inside: %v
This test mounts a small file system, in namespaces of its own. Run it where that is allowed:
on the host "sysctl -w kernel.unprivileged_userns_clone=1" or, on Ubuntu, "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
in a container with --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined.
`

// inside runs a command in user and mount namespaces of its own. There it may
// mount, what it mounts goes when it ends, and files of users who are not there
// are as closed to root as to anybody.
func inside() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintf(os.Stderr, noNamespace, err)
		os.Exit(1)
	}
}
