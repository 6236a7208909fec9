// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/tiercecache/tierce/tiers"
)

// Record is what is configured of those that record and replay: commands, and
// functions by package memo. Zeros stand for the defaults there.
type Record struct {
	// Mode is [Fast], or a mode in which all get one result: local, global,
	// strict or strict-cached, as [github.com/tiercecache/tierce/memo.Mode] has
	// them.
	Mode string
	// Tier is the name of the tier that synchronizes, "" for the one that the
	// mode is for: see [Config.Sync].
	Tier        string
	Lease       time.Duration // how long others wait for one that was killed; only of mode global
	Prepopulate []Path        // dumps to start from
	Dump        Path          // the dump to write at the end, "" for none
}

// Fast is the mode of a [Record] in which each cache is what it was, and no
// result is promised to be everybody's.
const Fast = "fast"

// The modes of package memo.
const (
	local        = "local"
	global       = "global"
	strict       = "strict"
	strictCached = "strict-cached"
)

// mode is a mode, with the fields that it has a use for.
type mode struct {
	name string
	uses []string
}

var modes = [...]mode{
	{Fast, []string{"mode"}},
	{local, []string{"mode", "tier", "prepopulate", "dump"}},
	{global, []string{"mode", "tier", "lease", "prepopulate", "dump"}},
	{strict, []string{"mode", "prepopulate", "dump"}},
	{strictCached, []string{"mode", "tier", "prepopulate", "dump"}},
}

// recordFields are the names in a file of the settings from settingMode to
// settingDump.
var recordFields = [...]string{"mode", "tier", "lease", "prepopulate", "dump"}

// decodeRecord returns the Record that a file has at n, under what variables
// and flags say, and where all that was written.
func (d decoder) decodeRecord(n node, given [settings]node) (Record, node, error) {
	r := Record{Mode: Fast}
	for i, name := range recordFields {
		if said := given[int(settingMode)+i]; said.kind != absent {
			n = n.with(name, said)
		}
	}
	if n.kind == absent {
		return r, n, nil
	}
	if err := d.value("record", n, reflect.ValueOf(&r).Elem()); err != nil {
		return r, n, err
	}
	return r, n, r.fit(n)
}

// fit takes out what the mode has no use for, if the mode was chosen by a source
// that wins over the one that says it. Else it is an error, as is what cannot
// work whatever the tiers are.
func (r *Record) fit(n node) error {
	chosen := n.find("mode")
	i := slices.IndexFunc(modes[:], func(m mode) bool { return m.name == r.Mode })
	if i < 0 {
		return chosen.errorf("record.mode", "there is no mode %s; %s", chosen, suggest(r.Mode, modesWith("mode")))
	}
	for _, f := range n.fields {
		if slices.Contains(modes[i].uses, f.name) {
			continue
		}
		if chosen.rank() <= f.value.rank() {
			return f.value.errorf("record."+f.name, "mode %s has no use for it; leave it out, or choose a mode that has: %s",
				r.Mode, strings.Join(modesWith(f.name), ", "))
		}
		r.clear(f.name)
	}
	switch lease := n.find("lease"); {
	case r.Mode == strict && len(r.Prepopulate) == 0:
		return chosen.errorf("record.mode", "mode strict answers from dumps alone, and prepopulate names none; name one, or write %s", strictCached)
	case r.Lease <= 0 && lease.kind != absent && r.Mode == global:
		return lease.errorf("record.lease", "%s is too little; write a duration of more than 0, such as 10s", lease)
	}
	return nil
}

// clear takes out the field called name.
func (r *Record) clear(name string) {
	switch name {
	case "tier":
		r.Tier = ""
	case "lease":
		r.Lease = 0
	case "prepopulate":
		r.Prepopulate = nil
	case "dump":
		r.Dump = ""
	}
}

// modesWith returns the names of the modes that have a use for a field.
func modesWith(field string) []string {
	var names []string
	for _, m := range modes {
		if slices.Contains(m.uses, field) {
			names = append(names, m.name)
		}
	}
	return names
}

// rank says which of two sources wins: the greater.
func (p place) rank() int {
	switch {
	case p.source == "":
		return 0 // the defaults
	case p.line > 0:
		return 1
	case strings.HasPrefix(p.source, "--"):
		return 3
	default:
		return 2
	}
}

// Sync returns the layer by which those agree that record in a deterministic
// mode, out of a stack that [Config.Open] returned: the one that is named; else
// in mode local the first directory, in mode global the first remote tier, and
// in mode strict-cached the first of either, remote ones first. In the other
// modes it is the zero Layer.
func (c Config) Sync(stack *tiers.Stack) (tiers.Layer, error) {
	layers := stack.Layers()
	if len(layers) != len(c.Tiers) {
		return tiers.Layer{}, errors.New("config: the stack is not one that this configuration opened")
	}
	i, err := c.sync(func(i int) bool { return layers[i].Remote })
	if i < 0 || err != nil {
		return tiers.Layer{}, err
	}
	return layers[i], nil
}

// sync returns which tier synchronizes, -1 if none does. remote says which wait
// for another machine.
func (c Config) sync(remote func(i int) bool) (int, error) {
	const field = "record.mode"
	directory := func(i int) bool { return c.Tiers[i].Type == filestreamType && !remote(i) }
	i := -1
	switch {
	case c.Record.Mode == Fast || c.Record.Mode == strict:
		return -1, nil
	case c.Record.Tier != "":
		return c.namedSync(remote)
	case c.Record.Mode != local:
		i = c.firstSync(remote)
	}
	if i < 0 && c.Record.Mode != global {
		i = c.firstSync(directory)
	}
	switch {
	case i >= 0:
		return i, nil
	case c.Record.Mode == global:
		return -1, c.recordAt("mode").errorf(field, "mode %s needs a remote tier that is written to, and there is none; add one of type %s, set %s, or choose %s",
			global, redisType, variables[settingRedisURL], local)
	default:
		return -1, c.recordAt("mode").errorf(field, "mode %s needs a directory that all processes share, and there is none; add a tier of type %s",
			c.Record.Mode, filestreamType)
	}
}

// firstSync returns the first tier that fits and may be written to, if the mode
// writes; -1 if there is none.
func (c Config) firstSync(fits func(i int) bool) int {
	for i, t := range c.Tiers {
		if fits(i) && (!t.ReadOnly || c.Record.Mode == strictCached) {
			return i
		}
	}
	return -1
}

// namedSync is sync where the configuration names the tier.
func (c Config) namedSync(remote func(i int) bool) (int, error) {
	const field = "record.tier"
	at, names := c.recordAt("tier"), make([]string, len(c.Tiers))
	for i, t := range c.Tiers {
		names[i] = t.Name
	}
	i := slices.Index(names, c.Record.Tier)
	if i < 0 {
		return -1, at.errorf(field, "there is no tier called %q; %s", c.Record.Tier, suggest(c.Record.Tier, names))
	}
	switch t := c.Tiers[i]; {
	case t.Type == memoryType:
		return -1, at.errorf(field, "%s is the memory of one process; name a tier that others see too", t.Name)
	case c.Record.Mode == global && !remote(i):
		return -1, at.errorf(field, "%s is on this machine; name a remote tier, or choose mode %s", t.Name, local)
	case t.ReadOnly && c.Record.Mode != strictCached:
		return -1, at.errorf(field, "%s is read_only, and mode %s records; name another, or choose mode %s", t.Name, c.Record.Mode, strictCached)
	}
	return i, nil
}

// recordAt returns where a field of the Record was written, else where all of it
// was.
func (c Config) recordAt(name string) place {
	if c.record == nil {
		return place{}
	}
	if n := c.record.find(name); n.kind != absent {
		return n.place
	}
	return c.record.place
}
