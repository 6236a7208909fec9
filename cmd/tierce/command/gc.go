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
	return a.withJSON(a.leaf(&cli.Command{
		Name:  "gc",
		Usage: "bring the directory below its cap now",
		Description: `Remove the least recently used entries until the directory takes at most 90 % of
its cap, if it takes more than the cap, and what writers left behind that died.
Entries that a compiler may still read stay.`,
	}, a.gc))
}

func (a *app) gc(ctx context.Context) error {
	var sum filestream.Evicted
	err := a.onDisk(ctx, "looking", func(disk *filestream.Cache, progress filestream.Progress) error {
		done, err := disk.Evict(ctx, progress)
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
		return json.NewEncoder(a.stdout).Encode(map[string]int64{
			"removed": int64(sum.Entries), "removed_bytes": sum.Bytes, "left_bytes": sum.Left, "kept_bytes": sum.Kept,
		})
	}
	text := fmt.Sprintf("removed %s, %s; %s left", count(int64(sum.Entries), "entry", "entries"), size(sum.Bytes), size(sum.Left))
	if sum.Kept > 0 {
		text += fmt.Sprintf(", of which %s are old enough to go but may still be read", size(sum.Kept))
	}
	_, err = fmt.Fprintln(a.stdout, text)
	return err
}
