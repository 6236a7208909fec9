// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
)

// Print writes the configuration to w as a tierce.yaml that loads to the same
// one, with the defaults filled in. Secrets are redacted; those that came from
// a variable are ${NAME}. It fails as [Config.Check] does.
func (c Config) Print(ctx context.Context, w io.Writer, registry Registry) error {
	n, err := c.encode(ctx, registry)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	writeYAML(&b, n, 0)
	_, err = b.WriteTo(w)
	return err
}

// PrintJSON is [Config.Print] in JSON, which loads as well.
func (c Config) PrintJSON(ctx context.Context, w io.Writer, registry Registry) error {
	n, err := c.encode(ctx, registry)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(n)
}

// encode returns the file that has all of c.
func (c Config) encode(ctx context.Context, registry Registry) (node, error) {
	all, err := c.resolve(ctx, registry)
	if err != nil {
		return node{}, err
	}
	list := node{kind: list}
	for i, t := range c.Tiers {
		n, err := t.encode(all[i])
		if err != nil {
			return node{}, fmt.Errorf("%s: %w", fieldOf(i), err)
		}
		list.items = append(list.items, n)
	}
	root := node{kind: mapping}
	root = root.with("dir", textNode(c.Dir)).with("tiers", list)
	queue, err := encodeStruct(reflect.ValueOf(&c.Queue).Elem(), reflect.ValueOf(Queue{}))
	if err != nil {
		return node{}, err
	}
	if len(queue.fields) > 0 {
		root = root.with("queue", queue)
	}
	record, err := c.encodeRecord(all)
	return root.with("record", record), err
}

// encodeRecord returns the node that c.Record is decoded from, with the tier
// that synchronizes.
func (c Config) encodeRecord(all []resolved) (node, error) {
	i, err := c.sync(func(i int) bool { return all[i].remote })
	if err != nil {
		return node{}, err
	}
	r := c.Record
	if i >= 0 {
		r.Tier = c.Tiers[i].Name
	}
	return encodeStruct(reflect.ValueOf(&r).Elem(), reflect.ValueOf(Record{}))
}

func (t Tier) encode(r resolved) (node, error) {
	doc := tierDocument{Type: t.Type, Name: t.Name, ReadOnly: t.ReadOnly, Behind: r.behind, MaxBody: r.maxBody}
	n, err := encodeStruct(reflect.ValueOf(&doc).Elem(), reflect.ValueOf(tierDocument{Behind: r.remote}))
	if g := cmp.Or(t.Guard, r.guard); err == nil && g != nil {
		var guard node
		guard, err = g.encode()
		n = n.with("guard", guard)
	}
	if err != nil || !r.options.IsValid() {
		return n, err
	}
	options, err := encodeStruct(r.options, r.standard)
	if err != nil {
		return node{}, fmt.Errorf("options: %w", err)
	}
	if len(options.fields) > 0 {
		n = n.with("options", options)
	}
	return n, nil
}
