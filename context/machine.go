// SPDX-License-Identifier: Apache-2.0

package context

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
)

// OS is the form "os", of the group [Runtime]: the name of the operating system
// and its release; on Linux also the distribution, which brings the C library.
func OS() Form {
	return Form{Name: "os", Group: Runtime, Probe: func(ctx context.Context) (any, error) {
		release, err := osRelease(ctx)
		return map[string]any{"name": runtime.GOOS, "release": release}, err
	}}
}

func osRelease(ctx context.Context) ([]string, error) {
	switch runtime.GOOS {
	case "linux":
		kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
		if err != nil {
			return nil, err
		}
		release := lines(kernel)
		names, _ := os.ReadFile("/etc/os-release") // a system may have none
		for _, line := range lines(names) {
			if strings.HasPrefix(line, "ID=") || strings.HasPrefix(line, "VERSION_ID=") {
				release = append(release, line)
			}
		}
		return release, nil
	case "windows":
		out, err := output(ctx, "cmd", "/c", "ver")
		return lines(out), err
	default:
		out, err := output(ctx, "uname", "-sr")
		return lines(out), err
	}
}

// CPU is the form "cpu", of the group [Runtime]: model and features of the
// processors, each kind of them once. How many there are is not in it.
func CPU() Form {
	return Form{Name: "cpu", Group: Runtime, Probe: func(ctx context.Context) (any, error) { return processors(ctx) }}
}

func processors(ctx context.Context) ([]string, error) {
	switch runtime.GOOS {
	case "linux":
		text, err := os.ReadFile("/proc/cpuinfo")
		return kinds(string(text)), err
	case "darwin":
		out, err := output(ctx, "sysctl", "machdep.cpu.brand_string", "hw.optional")
		return lines(out), err
	case "windows":
		if name := os.Getenv("PROCESSOR_IDENTIFIER"); name != "" {
			return []string{name}, nil
		}
	}
	return nil, errors.ErrUnsupported
}

// described are the lines of /proc/cpuinfo that say which processor it is and
// what it can do, by architecture; the others count, measure and name cores.
var described = []string{
	"vendor_id", "cpu family", "model", "model name", "stepping", "flags", // amd64
	"CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features", // arm64
	"isa", "uarch", "mvendorid", "marchid", "mimpid", // riscv64
	"cpu", "revision", "features", // ppc64, s390x
}

// kinds returns the different descriptions in the text of /proc/cpuinfo, one
// for each kind of processor, sorted.
func kinds(text string) []string {
	var kinds []string
	for block := range strings.SplitSeq(text, "\n\n") {
		var kind []string
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(line, ":")
			if name = strings.TrimSpace(name); slices.Contains(described, name) {
				kind = append(kind, name+": "+sortedWords(value))
			}
		}
		if kind != nil {
			kinds = append(kinds, strings.Join(kind, "\n"))
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// sortedWords puts what may come in another order from the next kernel into one.
func sortedWords(text string) string {
	words := strings.Fields(text)
	slices.Sort(words)
	return strings.Join(words, " ")
}

// GPU is the form "gpu", of the group [Runtime]: driver and devices as
// nvidia-smi tells them, each kind once. Without nvidia-smi on PATH it has
// failed as "not-found".
func GPU() Form {
	return Form{Name: "gpu", Group: Runtime, Probe: func(ctx context.Context) (any, error) {
		out, err := output(ctx, "nvidia-smi", "--query-gpu=name,compute_cap,driver_version,memory.total", "--format=csv,noheader")
		devices := lines(out)
		slices.Sort(devices)
		return slices.Compact(devices), err
	}}
}
