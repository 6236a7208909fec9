// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v3"
)

func (a *app) versionCommand() *cli.Command {
	return a.withJSON(a.leaf(&cli.Command{
		Name:  "version",
		Usage: "print which Tierce this is",
	}, func(context.Context) error { return a.printVersion() }))
}

func (a *app) printVersion() error {
	v := struct {
		Version  string `json:"version"`  // of the module, "(devel)" when built from a work tree
		Revision string `json:"revision"` // of the sources, if known
		Go       string `json:"go"`
		OS       string `json:"os"`
		Arch     string `json:"arch"`
	}{Version: "(unknown)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Revision = s.Value
			}
		}
	}
	if a.json {
		return json.NewEncoder(a.stdout).Encode(v)
	}
	_, err := fmt.Fprintf(a.stdout, "tierce %s %s %s/%s\n", v.Version, v.Go, v.OS, v.Arch)
	return err
}
