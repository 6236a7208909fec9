// SPDX-License-Identifier: Apache-2.0

package config

import (
	"reflect"
	"slices"
)

// Load returns the configuration that the sources give. It reads one file at
// most, makes nothing, and parses no YAML if there is no file. The error is an
// [*Error]; errors.Is(err, [ErrNoDirectory]) holds if only a directory is
// missing.
func Load(sources Sources) (Config, error) {
	sources = sources.complete()
	given, err := sources.settings()
	if err != nil {
		return Config{}, err
	}
	path, err := sources.file(given[settingConfig])
	if err != nil {
		return Config{}, err
	}
	var root node
	if path != "" {
		if root, err = readFile(path); err != nil {
			return Config{}, namedBy(given[settingConfig], err)
		}
	}
	c, err := build(sources, root, given)
	if err != nil {
		return Config{}, err
	}
	c.File = path
	return c, nil
}

// document is what a file may have.
type document struct {
	Dir    Path
	Tiers  []tierDocument
	Queue  Queue
	Record node
}

type tierDocument struct {
	Type     string
	Name     string
	ReadOnly bool
	Behind   bool
	MaxBody  int64
	Guard    node
	Options  node
}

// build returns the configuration of a file's content and the settings.
func build(sources Sources, root node, given [settings]node) (Config, error) {
	d := decoder{lookup: lookup(sources.Environ)}
	doc := document{Tiers: []tierDocument{{Type: memoryType}, {Type: filestreamType}}}
	if root.kind != absent {
		if err := d.value("", root, reflect.ValueOf(&doc).Elem()); err != nil {
			return Config{}, err
		}
	}
	if dir := given[settingDir]; dir.kind != absent {
		if err := d.path("", dir, reflect.ValueOf(&doc.Dir).Elem()); err != nil {
			return Config{}, err
		}
	}
	dir, err := sources.dir(doc.Dir)
	if err != nil {
		return Config{}, err
	}
	c := Config{Dir: dir, Tiers: makeTiers(doc.Tiers, root.find("tiers").items), Queue: doc.Queue, lookup: d.lookup}
	for i := range c.Tiers {
		if c.Tiers[i].Guard, err = d.decodeGuard(fieldOf(i)+".guard", doc.Tiers[i].Guard); err != nil {
			return Config{}, err
		}
	}
	if err := c.override(filestreamType, given[settingMaxBytes]); err != nil {
		return Config{}, err
	}
	if err := c.override(memoryType, given[settingMemoryMaxBytes]); err != nil {
		return Config{}, err
	}
	c.share(given[settingRedisURL])
	var written node
	if c.Record, written, err = d.decodeRecord(doc.Record, given); err != nil {
		return Config{}, err
	}
	if written.kind != absent {
		c.record = &written
	}
	return c, c.validate(root)
}

// makeTiers returns the tiers of docs; nodes are where these were written, if
// they were.
func makeTiers(docs []tierDocument, nodes []node) []Tier {
	tiers := make([]Tier, len(docs))
	for i, doc := range docs {
		t := Tier{
			Type: doc.Type, Name: doc.Name, ReadOnly: doc.ReadOnly, Behind: doc.Behind, MaxBody: doc.MaxBody,
			written: &written{options: doc.Options},
		}
		if len(nodes) > 0 {
			t.written.tier = nodes[i]
		}
		if t.Name == "" {
			t.Name = t.Type
		}
		if t.Type == memoryType && t.node().find("max_body").kind == absent {
			t.MaxBody = memoryMaxBody
		}
		tiers[i] = t
	}
	return tiers
}

// share gives the first redis tier the address that a variable has. If there is
// none, one is added behind all others, and written in the background.
func (c *Config) share(address node) {
	if address.kind == absent {
		return
	}
	isRedis := func(t Tier) bool { return t.Type == redisType }
	i := slices.IndexFunc(c.Tiers, isRedis)
	if i < 0 {
		i = len(c.Tiers)
		c.Tiers = append(c.Tiers, Tier{Type: redisType, Name: redisType, Behind: true, written: &written{
			tier: node{place: address.place}, options: node{place: address.place},
		}})
	}
	t := &c.Tiers[i]
	t.written.options = t.options().with("url", address)
}

// override sets the cap of the first tier of a type to what a variable or flag
// says.
func (c *Config) override(tierType string, limit node) error {
	if limit.kind == absent {
		return nil
	}
	if limit.text != unlimited {
		size, err := parseSigned(limit.text)
		if err != nil {
			return limit.errorf("", "%s %v", limit, err)
		}
		if size <= 0 {
			return limit.errorf("", "a cap of %s keeps nothing; write none for no cap, or leave it out", limit.text)
		}
	}
	for i := range c.Tiers {
		if t := &c.Tiers[i]; t.Type == tierType {
			t.written.options = t.options().with("max_bytes", limit)
			return nil
		}
	}
	return limit.errorf("", "caps the %s tier, and there is none; add one, or leave the cap out", tierType)
}
