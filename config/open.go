// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// Check returns what is wrong with the tiers' types and options, as an
// [*Error], or nil. It opens nothing.
func (c Config) Check(ctx context.Context, registry Registry) error {
	_, err := c.resolve(ctx, registry)
	return err
}

// Open checks the configuration, opens its tiers and returns the stack of them.
// The caller closes it. opts says what the configuration does not, such as the
// observer; where both say something, the configuration wins. A tier that
// cannot be opened is an error with the tier's name, and those that were open
// already are closed.
func (c Config) Open(ctx context.Context, registry Registry, opts tiers.Options) (*tiers.Stack, error) {
	resolved, err := c.resolve(ctx, registry)
	if err != nil {
		return nil, err
	}
	layers := make([]tiers.Layer, 0, len(c.Tiers))
	for i, t := range c.Tiers {
		tier, err := registry[t.Type](ctx, c.raw(i, false))
		if err == nil && isNil(tier) {
			err = errors.New("its factory returned neither a cache nor an error")
		}
		if err != nil {
			return nil, closeAll(layers, fmt.Errorf("cannot open the tier %s: %w", t.Name, err))
		}
		layers = append(layers, tiers.Layer{
			Name: t.Name, Tier: resolved[i].guard.around(tier, t.Name, opts.Observer), ReadOnly: t.ReadOnly,
			Behind: resolved[i].behind, Remote: resolved[i].remote, MaxBody: resolved[i].maxBody,
		})
	}
	stack, err := tiers.New(c.Queue.apply(opts), layers...)
	if err != nil {
		return nil, closeAll(layers, err)
	}
	return stack, nil
}

// apply returns opts with what the configuration says of the queue.
func (q Queue) apply(opts tiers.Options) tiers.Options {
	if q.Size != 0 {
		opts.QueueSize = q.Size
	}
	if q.Workers != 0 {
		opts.Workers = q.Workers
	}
	if q.DrainTimeout != 0 {
		opts.DrainTimeout = q.DrainTimeout
	}
	opts.QueueWait = opts.QueueWait || q.Wait
	return opts
}

// closeAll closes what was opened and returns why, with what failed meanwhile.
func closeAll(layers []tiers.Layer, why error) error {
	for _, l := range slices.Backward(layers) {
		why = errors.Join(why, interfaces.Close(l.Tier))
	}
	return why
}

func isNil(tier interfaces.Cache) bool {
	v := reflect.ValueOf(tier)
	return tier == nil || v.Kind() == reflect.Pointer && v.IsNil()
}

// resolved is what a tier's factory makes of its options.
type resolved struct {
	options  reflect.Value // a struct; not valid if the factory decoded none
	standard reflect.Value // its defaults
	maxBody  int64         // of the layer
	remote   bool          // whether the tier waits for another machine, or may
	behind   bool          // whether the layer is written behind
	guard    *Guard        // nil if there is none
}

// resolve lets each factory decode its options.
func (c Config) resolve(ctx context.Context, registry Registry) ([]resolved, error) {
	all := make([]resolved, len(c.Tiers))
	for i, t := range c.Tiers {
		factory := registry[t.Type]
		if factory == nil {
			return nil, t.at("type").errorf(fieldOf(i)+".type", "unknown tier type %q; %s",
				t.Type, suggest(t.Type, slices.Sorted(maps.Keys(registry))))
		}
		raw := c.raw(i, true)
		if err := decodeOnly(ctx, factory, raw); err != nil {
			return nil, err
		}
		maxBody, err := t.fit(fieldOf(i), raw.call.options)
		if err != nil {
			return nil, err
		}
		remote := raw.call.remote
		guard := c.guardOf(i, remote)
		all[i] = resolved{
			options: raw.call.options, standard: raw.call.standard, maxBody: maxBody,
			remote: remote || guard != nil, behind: c.behind(i, remote), guard: guard,
		}
	}
	if _, err := c.sync(func(i int) bool { return all[i].remote }); err != nil {
		return nil, err
	}
	if err := c.checkOrder(all); err != nil {
		return nil, err
	}
	return all, c.checkDirs(all)
}

// checkOrder refuses a directory behind a remote tier: what comes from another
// machine is verified on its way to the tiers before it, and asked for when those
// have nothing.
func (c Config) checkOrder(all []resolved) error {
	remote := slices.IndexFunc(all, func(r resolved) bool { return r.remote })
	for i, t := range c.Tiers {
		if remote >= 0 && i > remote && t.Type == "filestream" {
			return t.at("type").errorf(fieldOf(i), "the directory stands behind %s, which is farther away; put it before that", fieldOf(remote))
		}
	}
	return nil
}

// raw returns what the factory of tier i gets.
func (c Config) raw(i int, checking bool) Raw {
	t := c.Tiers[i]
	return Raw{Dir: c.Dir, Name: t.Name, call: &attempt{
		decoder: decoder{lookup: c.lookup}, field: fieldOf(i) + ".options", node: t.options(), checking: checking,
	}}
}

// decodeOnly calls a factory that is to stop after decoding. One that decodes
// nothing has opened a tier by then, which is closed again.
func decodeOnly(ctx context.Context, factory Factory, raw Raw) error {
	tier, err := factory(ctx, raw)
	if err == nil && !isNil(tier) {
		err = interfaces.Close(tier)
	}
	if err != nil && !errors.Is(err, errChecked) {
		return err
	}
	if call := raw.call; !call.options.IsValid() && len(call.node.fields) > 0 {
		return call.node.errorf(call.field, "this type of tier takes no options; leave them out")
	}
	return nil
}

// fit returns the largest body for the layer, which is no larger than the cap in
// the tier's options. That it was asked to be is an error.
func (t Tier) fit(name string, options reflect.Value) (int64, error) {
	limit := capOf(options)
	if limit <= 0 || t.MaxBody <= limit {
		return t.MaxBody, nil
	}
	if n := t.node().find("max_body"); n.kind != absent {
		return 0, n.errorf(name+".max_body", "%s is more than the tier keeps at all (max_bytes is %s); write less, or raise max_bytes",
			formatSize(t.MaxBody), formatSize(limit))
	}
	return limit, nil
}

// capOf returns the field MaxBytes of options, 0 if there is none.
func capOf(options reflect.Value) int64 {
	if !options.IsValid() {
		return 0
	}
	if limit := options.FieldByName("MaxBytes"); limit.IsValid() && limit.Kind() == reflect.Int64 {
		return limit.Int()
	}
	return 0
}

// checkDirs refuses two tiers of one type in one directory.
func (c Config) checkDirs(all []resolved) error {
	type home struct{ tierType, dir string }
	seen := make(map[home]int)
	for i, r := range all {
		if !r.options.IsValid() {
			continue
		}
		dir := r.options.FieldByName("Dir")
		if !dir.IsValid() || dir.Type() != pathType || dir.String() == "" {
			continue
		}
		t := c.Tiers[i]
		at := home{t.Type, dir.String()}
		if first, ok := seen[at]; ok {
			return t.options().find("dir").errorf(fieldOf(i)+".options.dir", "%s is in %s already; give each a directory of its own",
				fieldOf(first), at.dir)
		}
		seen[at] = i
	}
	return nil
}
