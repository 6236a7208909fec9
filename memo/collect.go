// SPDX-License-Identifier: Apache-2.0

package memo

import (
	"bufio"
	"context"
	"strings"

	"github.com/tiercecache/tierce/interfaces"
)

// A result that a deterministic recorder inserts has, as the tag of its entry,
// what a dump says of it:
//
//	tierce recording 1
//	function: autotuner.choose
//	isolation: 6d1f… (32 hex digits)
//	params: {"Rows":4096,"Columns":64}
//
// in the form of a dump's fields, with an empty line at the end. Parameters are
// left out if the tag would be longer than a tag may be.
const tagMagic = "tierce recording 1\n"

// tagOf returns the tag of the result of a call, "" if the name of its function
// is too long for one.
func tagOf(c *call) string {
	for _, params := range []string{string(c.params), leftOut} {
		tag := appendField([]byte(tagMagic), "function", c.function)
		tag = appendField(tag, "isolation", c.isolation)
		tag = appendField(tag, "params", params)
		if len(tag) < interfaces.MaxTag {
			return string(tag) + "\n"
		}
	}
	return ""
}

// parseTag returns what a tag says of a result, and whether it is one of ours.
func parseTag(tag string) (r result, ok bool) {
	fields, ok := strings.CutPrefix(tag, tagMagic)
	if !ok || len(tag) > interfaces.MaxTag {
		return r, false
	}
	l := &loader{in: bufio.NewReader(strings.NewReader(fields))}
	lines, err := l.described(&r)
	if err != nil || r.function == "" || string(lines)+"\n" != fields {
		return result{}, false
	}
	return r, true
}

// Collect adds to the dump at path what deterministic recorders, of this and of
// other programs, have recorded in tier, as [Recorder.Dump] does for one. It
// returns how many results there are, and how many of them the dump had not.
// Progress, which may be nil, is told how many entries it has looked at, whoever
// they are of.
//
// A tier that cannot list its entries is [errors.ErrUnsupported].
func Collect(ctx context.Context, tier interfaces.Cache, path string, progress func(done int)) (found, added int, err error) {
	all, size, done := make(results), 0, 0
	for key, err := range interfaces.List(ctx, tier) {
		if err != nil {
			return 0, 0, err
		}
		r, ok, err := recordingAt(ctx, tier, key)
		if err != nil {
			return 0, 0, err
		}
		if ok {
			all[key] = r
			size += len(r.body)
		}
		if size > dumpSize {
			return 0, 0, tooLarge(path)
		}
		if done++; progress != nil {
			progress(done)
		}
	}
	found = len(all)
	added, err = all.addTo(ctx, path)
	return found, added, err
}

// recordingAt returns the result that a recorder left at key, if that is what
// the entry is.
func recordingAt(ctx context.Context, tier interfaces.Cache, key interfaces.Key) (r result, ok bool, err error) {
	head, err := interfaces.Stat(ctx, tier, key)
	if err == nil {
		if r, ok = parseTag(head.Tag); !ok {
			return r, false, nil
		}
		r.body, err = read(tier.Get(ctx, key))
	}
	if missed(err) { // it went meanwhile
		return result{}, false, nil
	}
	return r, err == nil, err
}
