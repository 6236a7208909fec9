// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/urfave/cli/v3"

	"github.com/tiercecache/tierce/config"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/progress"
	"github.com/tiercecache/tierce/memo"
	"github.com/tiercecache/tierce/tiers"
)

func (a *app) dumpCommand() *cli.Command {
	d := dumper{app: a}
	cmd := a.withJSON(&cli.Command{
		Name:  "dump",
		Usage: "write what was recorded in the deterministic modes to a file",
		Description: `Add all results that exec and other programs recorded in the deterministic modes to
a dump, which is made if it is not there: those of the tier that synchronizes, or
of the directory in the modes that have none. From it the strict modes replay
(--prepopulate FILE). A result with other bytes than the dump has is an error, and
the dump then stays as it was.`,
		ArgsUsage:    "FILE",
		OnUsageError: wrongFlag,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "show", Usage: "say what is in the dump, and change nothing", Destination: &d.show},
			&cli.BoolFlag{Name: "verify", Usage: "say whether the dump is whole, and change nothing", Destination: &d.verify},
		}, a.recordFlags()[:2]...), // the mode, and the tier
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Len() != 1 {
				return usagef("dump needs one file, such as: tierce dump results.txt")
			}
			return d.run(ctx, cmd.Args().First())
		},
	})
	return cmd
}

// dumper is one "tierce dump".
type dumper struct {
	app    *app
	show   bool
	verify bool
}

func (d *dumper) run(ctx context.Context, path string) error {
	var err error
	switch {
	case d.show && d.verify:
		return usagef("--show verifies too; leave --verify out")
	case d.show, d.verify:
		err = d.print(path)
	default:
		err = d.collect(ctx, path)
	}
	if wrong := new(memo.DumpError); errors.As(err, &wrong) || errors.Is(err, fs.ErrNotExist) {
		return usageError{err}
	}
	return err
}

// collected is what "tierce dump --json" prints.
type collected struct {
	Path    string `json:"path"`
	Results int    `json:"results"` // that were recorded
	Added   int    `json:"added"`   // that the dump had not
}

func (d *dumper) collect(ctx context.Context, path string) (err error) {
	cfg, err := d.app.load()
	if err != nil {
		return err
	}
	stack, err := d.app.openExisting(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Close()) }()
	layers, err := recordedIn(cfg, stack)
	if err != nil {
		return err
	}
	sum := collected{Path: path}
	for _, layer := range layers {
		found, added, err := collectFrom(ctx, layer, path)
		if errors.Is(err, errors.ErrUnsupported) {
			return usagef("the tier %s cannot list its entries; name another by --tier, or have each exec dump (--dump)", layer.Name)
		}
		if err != nil {
			return err
		}
		sum.Results += found
		sum.Added += added
	}
	switch {
	case d.app.json:
		return json.NewEncoder(d.app.stdout).Encode(sum)
	case sum.Results == 0:
		_, err = fmt.Fprintln(d.app.stdout, "nothing was recorded in a deterministic mode, so there is no dump to write")
	default:
		_, err = fmt.Fprintf(d.app.stdout, "%s recorded, %d of them new in %s\n", count(int64(sum.Results), "result is", "results are"), sum.Added, path)
	}
	return err
}

// recordedIn returns the layers that may have results: the one that
// synchronizes, else the directories.
func recordedIn(cfg config.Config, stack *tiers.Stack) ([]tiers.Layer, error) {
	layer, err := cfg.Sync(stack)
	if err != nil || layer.Tier != nil {
		return []tiers.Layer{layer}, err
	}
	var layers []tiers.Layer
	for _, layer := range stack.Layers() {
		if _, ok := layer.Tier.(*filestream.Cache); ok {
			layers = append(layers, layer)
		}
	}
	return layers, nil
}

// collectFrom adds what is recorded in a layer to the dump at path.
func collectFrom(ctx context.Context, layer tiers.Layer, path string) (found, added int, err error) {
	total := 0
	if disk, ok := layer.Tier.(*filestream.Cache); ok {
		usage, err := disk.Usage(ctx, nil)
		if err != nil {
			return 0, 0, err
		}
		total = usage.Entries
	} else if total, err = interfaces.Len(ctx, layer.Tier); err != nil {
		total = 0 // then there is no bar
	}
	report, finish := progress.Bar(os.Stderr, "dumping")
	defer finish()
	return memo.Collect(ctx, layer.Tier, path, func(done int) { report(done, total) })
}

// shown is what "tierce dump --show --json" prints of a result.
type shown struct {
	Key       string `json:"key"`
	Function  string `json:"function"`
	Isolation string `json:"isolation"`
	Params    string `json:"params"`
	Bytes     int    `json:"bytes"` // of the result
}

func (d *dumper) print(path string) error {
	recordings, err := memo.ReadDump(path)
	if err != nil {
		return err
	}
	all, bytes := []shown{}, int64(0)
	for _, r := range recordings {
		all = append(all, shown{r.Key.String(), r.Function, r.Isolation, r.Params, len(r.Result)})
		bytes += int64(len(r.Result))
	}
	if d.app.json {
		if d.verify {
			return json.NewEncoder(d.app.stdout).Encode(map[string]any{"path": path, "results": len(all), "bytes": bytes})
		}
		return json.NewEncoder(d.app.stdout).Encode(map[string]any{"path": path, "results": all})
	}
	w := tabwriter.NewWriter(d.app.stdout, 0, 0, 2, ' ', 0)
	if d.show {
		for _, r := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Key, printable(r.Function), size(int64(r.Bytes)), printable(r.Params))
		}
	}
	fmt.Fprintf(w, "%s whole, %s\n", count(int64(len(all)), "result is", "results are"), size(bytes))
	return w.Flush()
}

// printable returns text in a line of a terminal: shortened, without the
// passwords of URLs, and quoted if it may do something there.
func printable(text string) string {
	text = cacheerr.Shorten(text)
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}
