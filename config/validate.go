// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strings"
)

// validate returns what cannot be right whatever the tiers are.
func (c Config) validate(root node) error {
	if len(c.Tiers) == 0 {
		return root.find("tiers").errorf("tiers", "there is no tier left; name one, or leave tiers out for %s and %s", memoryType, filestreamType)
	}
	for i, t := range c.Tiers {
		if err := t.validate(fieldOf(i)); err != nil {
			return err
		}
		same := func(other Tier) bool { return other.Name == t.Name }
		if first := slices.IndexFunc(c.Tiers, same); first < i {
			return t.at("name").errorf(fieldOf(i), "another tier is called %q too (%s); give each a name of its own", t.Name, fieldOf(first))
		}
	}
	if err := c.validateBehind(); err != nil {
		return err
	}
	if err := c.validateDirs(); err != nil {
		return err
	}
	return c.Queue.validate(root.find("queue"))
}

// fieldOf returns what messages call tier i.
func fieldOf(i int) string { return fmt.Sprintf("tiers[%d]", i) }

// at returns where a field of the tier was written, else where the tier was.
func (t Tier) at(name string) place {
	if n := t.node().find(name); n.kind != absent {
		return n.place
	}
	return t.node().place
}

func (t Tier) validate(name string) error {
	switch {
	case t.Type == "":
		return t.node().errorf(name, "has no type; write one, such as type: %s", filestreamType)
	case t.Name != t.Type && !isName(t.Name):
		return t.at("name").errorf(name+".name", "%q is not a name; write letters, digits, \"-\", \"_\" and \".\"", t.Name)
	case t.Behind && t.ReadOnly:
		return t.at("behind").errorf(name+".behind", "a tier cannot be both read_only and written behind; choose one")
	}
	return nil
}

// isName reports whether text is fit for statistics and messages.
func isName(text string) bool {
	other := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.", r))
	}
	return text != "" && !strings.ContainsFunc(text, other)
}

// validateBehind refuses a tier that is written behind when no other is written
// before it.
func (c Config) validateBehind() error {
	direct := func(t Tier) bool { return !t.Behind && !t.ReadOnly }
	i := slices.IndexFunc(c.Tiers, func(t Tier) bool { return t.Behind })
	if i < 0 || slices.ContainsFunc(c.Tiers, direct) {
		return nil
	}
	return c.Tiers[i].at("behind").errorf(fieldOf(i)+".behind",
		"no other tier keeps an entry until this one has it; leave behind out here, or add a tier that is written at once")
}

// validateDirs holds the filestream tiers apart: the first is in Dir, the others
// are where their options say.
func (c Config) validateDirs() error {
	first := true
	for i, t := range c.Tiers {
		if t.Type != filestreamType {
			continue
		}
		dir, field := t.options().find("dir"), fieldOf(i)+".options.dir"
		switch {
		case first && dir.kind != absent:
			return dir.errorf(field, "the first filestream tier is in the directory that dir says, at the top of the file; write it there")
		case !first && dir.kind == absent:
			return t.at("options").errorf(field, "a second filestream tier needs a directory of its own; write dir in its options")
		}
		first = false
	}
	return nil
}

func (q Queue) validate(at node) error {
	for _, f := range []struct {
		name string
		n    int
	}{{"size", q.Size}, {"workers", q.Workers}} {
		if value := at.find(f.name); value.kind != absent && f.n <= 0 {
			return value.errorf("queue."+f.name, "%s is too little; write 1 or more, or leave it out", value)
		}
	}
	return nil
}
