// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"os"

	"github.com/tiercecache/tierce/config"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/internal/progress"
	"github.com/tiercecache/tierce/tiers"
)

// onDisk opens the configured tiers and calls do for each that is a directory
// and may be written to. A directory that is not there yet is an error: there is
// nothing to look after.
func (a *app) onDisk(ctx context.Context, title string, do func(*filestream.Cache, filestream.Progress) error) (err error) {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	stack, err := a.openExisting(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Close()) }()
	report, finish := progress.Bar(os.Stderr, title)
	defer finish()
	for _, layer := range stack.Layers() {
		if disk, ok := layer.Tier.(*filestream.Cache); ok && !layer.ReadOnly {
			if err := do(disk, report); err != nil {
				return err
			}
		}
	}
	return nil
}

// openExisting opens the configured tiers, unless there is no directory yet.
func (a *app) openExisting(ctx context.Context, cfg config.Config) (*tiers.Stack, error) {
	if _, err := os.Stat(cfg.Dir); err != nil {
		return nil, usagef("there is no cache yet: %w; \"tierce run\" makes it, --dir names another", err)
	}
	return cfg.Open(ctx, a.registry, tiers.Options{})
}
