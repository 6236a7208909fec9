// SPDX-License-Identifier: Apache-2.0

package context

import (
	"fmt"
	"slices"
)

// Schema says which forms of each group isolate. The zero Schema takes all.
type Schema struct {
	Runtime Choice
	Compile Choice
}

// Choice chooses forms of one group. The zero Choice is [All].
type Choice struct {
	some  bool     // only those named
	names []string // sorted, each once
}

// All chooses every form of the group.
func All() Choice { return Choice{} }

// None chooses no form of the group.
func None() Choice { return Choice{some: true} }

// Only chooses the forms of these names, in any order.
func Only(names ...string) Choice {
	names = slices.Clone(names)
	slices.Sort(names)
	return Choice{some: true, names: slices.Compact(names)}
}

// String returns the choice for people: "all", "none" or the names.
func (c Choice) String() string {
	switch {
	case !c.some:
		return "all"
	case len(c.names) == 0:
		return "none"
	default:
		return fmt.Sprint(c.names)
	}
}

// chosen returns the probes that a schema takes. A name that no form has is an
// error that lists those there are.
func (f *Forms) chosen(schema Schema) ([]*probe, error) {
	var chosen []*probe
	for _, by := range []struct {
		group  Group
		choice Choice
	}{{Compile, schema.Compile}, {Runtime, schema.Runtime}} {
		for _, name := range by.choice.names {
			if f.find(by.group, name) == nil {
				return nil, fmt.Errorf("context: no form %q in the group %s; there are %q", name, by.group, f.names(by.group))
			}
		}
		for _, p := range f.probes {
			if p.form.Group == by.group && (!by.choice.some || slices.Contains(by.choice.names, p.form.Name)) {
				chosen = append(chosen, p)
			}
		}
	}
	return chosen, nil
}

func (f *Forms) names(group Group) []string {
	var names []string
	for _, p := range f.probes {
		if p.form.Group == group {
			names = append(names, p.form.Name)
		}
	}
	slices.Sort(names)
	return names
}
