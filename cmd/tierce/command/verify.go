// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/tiercecache/tierce/filestream"
)

func (a *app) verifyCommand() *cli.Command {
	keep := false
	return a.withJSON(a.leaf(&cli.Command{
		Name:  "verify",
		Usage: "compare every entry with its checksum, and remove what is damaged",
		Description: `Compare every entry of the directory with its checksum, and remove what is damaged:
it is made again when it is needed. Exit code 1 says that there was damage. With
--json, "damaged" has for each entry its key, damage, path, what was done (removed
or kept), and why it was kept.`,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "keep", Usage: "only say what is damaged", Destination: &keep}},
	}, func(ctx context.Context) error { return a.verify(ctx, !keep) }))
}

func (a *app) verify(ctx context.Context, repair bool) error {
	var sum filestream.Verified
	err := a.onDisk(ctx, "verifying", func(disk *filestream.Cache, progress filestream.Progress) error {
		found, err := disk.VerifyAll(ctx, repair, progress)
		sum.Entries += found.Entries
		sum.Bytes += found.Bytes
		sum.Unverified += found.Unverified
		sum.Damaged = append(sum.Damaged, found.Damaged...)
		sum.Removed += found.Removed
		return err
	})
	if err == nil || len(sum.Damaged) > 0 { // which is to be told in any case
		err = errors.Join(err, a.printVerified(sum, repair))
	}
	if err == nil && len(sum.Damaged) > 0 {
		err = exitError{code: exitFailed}
	}
	return err
}

// damaged is a damaged entry as verify --json prints it.
type damaged struct {
	Key    string `json:"key"`
	Damage string `json:"damage"`
	Path   string `json:"path"`
	Done   string `json:"done"`          // removed or kept
	Why    string `json:"why,omitempty"` // it was kept
}

func damagedOf(e *filestream.DamageError, repair bool) damaged {
	d := damaged{Key: e.Key.String(), Damage: string(e.Damage), Path: e.Path, Done: "kept"}
	switch {
	case e.Removed:
		d.Done = "removed"
	case !repair:
		d.Why = "--keep"
	case e.Err != nil:
		d.Why = e.Err.Error()
	default:
		d.Why = "it was replaced or removed meanwhile"
	}
	return d
}

func (a *app) printVerified(sum filestream.Verified, repair bool) error {
	if a.json {
		list := []damaged{}
		for _, e := range sum.Damaged {
			list = append(list, damagedOf(e, repair))
		}
		return json.NewEncoder(a.stdout).Encode(map[string]any{
			"entries": sum.Entries, "bytes": sum.Bytes, "unverified": sum.Unverified,
			"damaged": list, "removed": sum.Removed,
		})
	}
	for _, d := range sum.Damaged {
		if _, err := fmt.Fprintf(a.stdout, "damaged (%s): %s\n", d.Damage, d.Path); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%s whole, %s; %d damaged, %d of them removed",
		count(int64(sum.Entries), "entry is", "entries are"), size(sum.Bytes), len(sum.Damaged), sum.Removed)
	if sum.Unverified > 0 {
		text += fmt.Sprintf("; %s no checksum (another tool's)", count(int64(sum.Unverified), "entry has", "entries have"))
	}
	_, err := fmt.Fprintln(a.stdout, text)
	return err
}
