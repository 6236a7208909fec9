// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"
)

func (a *app) configCommand() *cli.Command {
	return &cli.Command{
		Name:  "config",
		Usage: "check or print the configuration",
		Commands: []*cli.Command{
			a.leaf(&cli.Command{
				Name:  "check",
				Usage: "say what is wrong with the configuration",
			}, a.checkConfig),
			a.withJSON(a.leaf(&cli.Command{
				Name:  "print",
				Usage: "print the configuration with the defaults filled in, as a tierce.yaml",
			}, a.printConfig)),
		},
		OnUsageError: wrongFlag,
		Action: func(_ context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return usagef("config is check or print, not %q", cmd.Args().First())
			}
			return cli.ShowSubcommandHelp(cmd)
		},
	}
}

func (a *app) checkConfig(ctx context.Context) error {
	cfg, err := a.load()
	if err == nil {
		err = cfg.Check(ctx, a.registry)
	}
	if err != nil {
		return err
	}
	from := cfg.File
	if from == "" {
		from = "no file, the defaults"
	}
	_, err = fmt.Fprintf(a.stdout, "the configuration is well (%s)\n", from)
	return err
}

func (a *app) printConfig(ctx context.Context) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	if a.json {
		return cfg.PrintJSON(ctx, a.stdout, a.registry)
	}
	return cfg.Print(ctx, a.stdout, a.registry)
}
