// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/internal/ledger"
)

func (a *app) statsCommand() *cli.Command {
	return a.withJSON(a.leaf(&cli.Command{
		Name:  "stats",
		Usage: "print what the directory holds and what it brought since it was made",
	}, a.stats))
}

// statistics is what "tierce stats --json" prints.
type statistics struct {
	ledger.Line
	Dir       string `json:"dir"`
	Entries   int    `json:"entries"`
	DiskBytes int64  `json:"disk_bytes"`
	// OverheadBytes is what directories, index and statistics take besides.
	OverheadBytes int64   `json:"overhead_bytes"`
	Indexes       []index `json:"indexes,omitempty"`
}

// index is how the index of a directory is.
type index struct {
	Dir   string    `json:"dir"`
	Used  bool      `json:"used"`          // the figures are the index's; else every file was looked at
	Why   string    `json:"why"`           // it is not used, or had to be made
	Made  time.Time `json:"made,omitzero"` // when it was made
	Bytes int64     `json:"bytes"`
}

// String says how the index is, for people.
func (i index) String() string {
	if !i.Used {
		return "not used, every file was looked at: " + i.Why
	}
	return fmt.Sprintf("%s, made %s since %s", size(i.Bytes), i.Made.Local().Format(time.DateTime), i.Why)
}

func (a *app) stats(ctx context.Context) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	s := statistics{Dir: cfg.Dir}
	err = a.onDisk(ctx, "counting", func(disk *filestream.Cache, progress filestream.Progress) error {
		usage, err := disk.Usage(ctx, progress)
		s.Entries += usage.Entries
		s.DiskBytes += usage.Bytes
		s.OverheadBytes += usage.Overhead
		s.Indexes = append(s.Indexes, index{Dir: disk.Dir(), Used: usage.Index.Used, Why: usage.Index.Why, Made: usage.Index.Made, Bytes: usage.Index.Bytes})
		return err
	})
	if err != nil {
		return err
	}
	if s.Line, err = ledger.Sum(ctx, ledgerPath(cfg.Dir)); err != nil {
		return err
	}
	if a.json {
		return json.NewEncoder(a.stdout).Encode(s)
	}
	return s.print(a.stdout)
}

func (s statistics) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("directory", "%s", s.Dir)
	if !s.Since.IsZero() {
		row("since", "%s", s.Since.Local().Format(time.DateTime))
	}
	row("entries", "%d, %s on disk", s.Entries, size(s.DiskBytes))
	row("besides", "%s on disk for directories, index and statistics", size(s.OverheadBytes))
	for _, i := range s.Indexes {
		row("index", "%s", i)
	}
	row("hits", "%d of %d, %s", s.Hits, s.Gets, size(s.HitBytes))
	m := s.MissReasons
	row("misses", "%d: %d absent, %d damaged, %d expired, %d by an ill tier", s.Misses, m.Absent, m.Damaged, m.Expired, m.IllTier)
	row("puts", "%d, %s", s.Puts, size(s.PutBytes))
	row("errors", "%d", s.Errors)
	row("saved", "%s of compiling", duration(time.Duration(s.SecondsSaved*float64(time.Second))))
	for _, t := range s.Tiers {
		row("tier "+t.Name, "%s, %s, %s, %s", count(t.Hits, "hit", "hits"), count(t.Misses, "miss", "misses"),
			count(t.Puts, "put", "puts"), count(t.Errors, "error", "errors"))
	}
	for _, d := range s.Damaged {
		row("damage", "%s %s", d.Time.Local().Format(time.DateTime), d.What)
	}
	return w.Flush()
}
