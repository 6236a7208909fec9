// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/tiercecache/tierce/filestream"
)

func (a *app) clearCommand() *cli.Command {
	return a.withJSON(a.leaf(&cli.Command{
		Name:  "clear",
		Usage: "remove all entries of the directory",
		Description: `Remove all entries of the directory on this machine. Statistics stay, as do files
that are not Tierce's. A build that runs may have to be repeated.`,
	}, a.clear))
}

func (a *app) clear(ctx context.Context) error {
	var sum filestream.Usage
	err := a.onDisk(ctx, "removing", func(disk *filestream.Cache, progress filestream.Progress) error {
		gone, err := disk.Empty(ctx, progress)
		sum.Entries += gone.Entries
		sum.Bytes += gone.Bytes
		return err
	})
	if err != nil {
		return err
	}
	if a.json {
		return json.NewEncoder(a.stdout).Encode(map[string]int64{"removed": int64(sum.Entries), "removed_bytes": sum.Bytes})
	}
	_, err = fmt.Fprintf(a.stdout, "removed %s, %s\n", count(int64(sum.Entries), "entry", "entries"), size(sum.Bytes))
	return err
}
