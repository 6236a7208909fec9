// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/tiercecache/tierce/filestream"
)

func (a *app) gcCommand() *cli.Command {
	dry := false
	return a.withJSON(a.leaf(&cli.Command{
		Name:  "gc",
		Usage: "bring the directory below its cap now",
		Description: `Remove the least recently used entries until the directory is at its low-water
mark, 90 % of the cap that it exceeds, if it exceeds one, and what writers left
behind that died. Entries that a compiler may still read stay.`,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "dry-run", Usage: "say what would go, and remove nothing", Destination: &dry}},
	}, func(ctx context.Context) error { return a.gc(ctx, dry) }))
}

func (a *app) gc(ctx context.Context, dry bool) error {
	evict, did := (*filestream.Cache).Evict, "removed"
	if dry {
		evict, did = (*filestream.Cache).PlanEviction, "would remove"
	}
	var sum filestream.Evicted
	err := a.onDisk(ctx, "looking", func(disk *filestream.Cache, progress filestream.Progress) error {
		done, err := evict(disk, ctx, progress)
		sum.Entries += done.Entries
		sum.Bytes += done.Bytes
		sum.Left += done.Left
		sum.Kept += done.Kept
		return err
	})
	if err != nil {
		return err
	}
	if a.json {
		return json.NewEncoder(a.stdout).Encode(map[string]any{
			"removed": sum.Entries, "removed_bytes": sum.Bytes, "left_bytes": sum.Left, "kept_bytes": sum.Kept, "dry_run": dry,
		})
	}
	text := fmt.Sprintf("%s %s, %s; %s left", did, count(int64(sum.Entries), "entry", "entries"), size(sum.Bytes), size(sum.Left))
	if sum.Kept > 0 {
		text += fmt.Sprintf(", of which %s are old enough to go but may still be read", size(sum.Kept))
	}
	_, err = fmt.Fprintln(a.stdout, text)
	return err
}
