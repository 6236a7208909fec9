// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "check or print the configuration",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("config is check or print, not %q", args[0])
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "check",
		Short: "say what is wrong with the configuration",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.checkConfig(cmd.Context()) },
	})
	cmd.AddCommand(a.withJSON(&cobra.Command{
		Use:   "print",
		Short: "print the configuration with the defaults filled in, as a tierce.yaml",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.printConfig(cmd.Context()) },
	}))
	return cmd
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
