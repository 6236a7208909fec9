// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// Explanation is why a command is replayed or not.
type Explanation struct {
	// Hit says that there is a result to replay.
	Hit bool `json:"hit"`
	// Recordings are how many earlier ones of this program and these outputs
	// there is something known of.
	Recordings int `json:"recordings"`
	// Recorded is when the one that comes nearest was recorded, to the second;
	// zero if there is none.
	Recorded time.Time `json:"recorded,omitzero"`
	// Differences are in what this call is another than that one. There are none
	// if it is the same: without a Hit its result is then gone, or in another
	// cache.
	Differences []Difference `json:"differences,omitempty"`
}

// Difference is one part of a command's key that is another.
type Difference struct {
	Kind   Kind   `json:"kind"`
	Name   string `json:"name,omitempty"` // which: a path, a name; of an argument what may be shown of it
	Change Change `json:"change"`
	Was    string `json:"was,omitempty"` // what may be shown of an argument that changed
}

// Kind is a kind of parts of a key.
type Kind string

// The kinds. An input that is a folder stands for all that is below it.
const (
	KindArgument Kind = "argument"
	KindInput    Kind = "input"
	KindVariable Kind = "variable"
	KindTool     Kind = "tool"
	KindForm     Kind = "form"
	KindStdin    Kind = "standard input"
)

// Change is in what way a part is another.
type Change string

// The changes. Of what a command declares, it was added or removed that it
// counts; a variable was set or unset if it counted before.
const (
	Added   Change = "added"
	Removed Change = "removed"
	Changed Change = "changed"
	Set     Change = "set"
	Unset   Change = "unset"
	Moved   Change = "moved" // of arguments: their order
)

// Explain says whether there is a result of c to replay, and if not, in what c is
// another than the nearest of the last recordings that Options.Notes know of. It
// runs nothing. No value of a variable is in the answer, and of arguments no
// more than may be shown.
func (r *Recorder) Explain(ctx context.Context, c Command, stdin io.Reader) (Explanation, error) {
	j, err := r.newJob(ctx, c, stdin)
	if err != nil {
		return Explanation{}, err
	}
	defer j.close()
	var e Explanation
	if e.Hit, err = r.has(ctx, j); err != nil || r.opts.Notes == nil {
		return e, err
	}
	key, err := r.site(j.command)
	if err != nil {
		return e, err
	}
	now, err := r.traits(ctx, j)
	if err != nil {
		return e, err
	}
	recordings := r.noted(ctx, key)
	e.Recordings = len(recordings)
	for i, one := range recordings {
		if d := differ(one.traits, now); i == 0 || len(d) < len(e.Differences) {
			e.Recorded, e.Differences = one.Time, d
		}
	}
	if e.Hit && len(e.Differences) > 0 { // it is too long ago to be known of
		e.Recorded, e.Differences = time.Time{}, nil
	}
	return e, nil
}

// has reports whether a result is recorded.
func (r *Recorder) has(ctx context.Context, j *job) (bool, error) {
	result, err := j.recorded.Get(ctx, j.parts)
	result.Close()
	_, absent := errors.AsType[*cacheerr.StrictDeterministicCachingKeyNotFoundError](err)
	_, damaged := errors.AsType[cacheerr.ValueDecodingError](err)
	switch {
	case err == nil:
		return true, nil
	case absent, damaged, errors.Is(err, cacheerr.ErrMiss):
		return false, nil
	}
	return false, err
}

// differ returns in what a command is another than one that was recorded.
func differ(was, is traits) []Difference {
	all := differArgs(was.Args, is.Args)
	inputs := fold(is.Inputs, func(name string) string { return folderIn(was.Inputs, name) })
	all = append(all, differMaps(KindInput, was.Inputs, inputs)...)
	all = append(all, differMaps(KindVariable, was.Env, is.Env)...)
	all = append(all, differMaps(KindTool, was.Tools, is.Tools)...)
	all = append(all, differMaps(KindForm, was.Forms, is.Forms)...)
	if was.Stdin != is.Stdin {
		all = append(all, Difference{Kind: KindStdin, Change: changeOf(was.Stdin != "", is.Stdin != "", Added, Removed)})
	}
	return all
}

// folderIn returns the folder of inputs, above name, that stands for all below
// it; "" if there is none.
func folderIn(inputs map[string]string, name string) string {
	if _, ok := inputs[everything]; ok {
		return everything
	}
	for depth := 1; ; depth++ {
		folder := folderAt(name, depth)
		if _, ok := inputs[folder]; ok || folder == "" {
			return folder
		}
	}
}

// changeOf returns what happened to something that was, or is, there.
func changeOf(was, is bool, came, went Change) Change {
	switch {
	case !was:
		return came
	case !is:
		return went
	}
	return Changed
}

// differMaps compares digests by name.
func differMaps(kind Kind, was, is map[string]string) []Difference {
	var all []Difference
	for name, before := range was {
		switch now, ok := is[name]; {
		case !ok:
			all = append(all, Difference{Kind: kind, Name: name, Change: Removed})
		case now != before && kind == KindVariable:
			all = append(all, Difference{Kind: kind, Name: name, Change: changeOf(before != "", now != "", Set, Unset)})
		case now != before:
			all = append(all, Difference{Kind: kind, Name: name, Change: Changed})
		}
	}
	for name := range is {
		if _, ok := was[name]; !ok {
			all = append(all, Difference{Kind: kind, Name: name, Change: Added})
		}
	}
	slices.SortFunc(all, func(a, b Difference) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Change, b.Change))
	})
	return all
}

// differArgs compares arguments: what is the same at both ends is left out.
func differArgs(was, is []argument) []Difference {
	same := 0
	for same < min(len(was), len(is)) && was[same] == is[same] {
		same++
	}
	was, is = was[same:], is[same:]
	for len(was) > 0 && len(is) > 0 && was[len(was)-1] == is[len(is)-1] {
		was, is = was[:len(was)-1], is[:len(is)-1]
	}
	if len(was) == 1 && len(is) == 1 {
		return []Difference{{Kind: KindArgument, Name: is[0].Text, Change: Changed, Was: was[0].Text}}
	}
	all := countArgs(was, is)
	if all == nil && len(is) > 0 {
		all = append(all, Difference{Kind: KindArgument, Name: is[0].Text, Change: Moved})
	}
	return all
}

// countArgs returns the arguments of which there are more or less, whatever their
// order.
func countArgs(was, is []argument) []Difference {
	count := make(map[argument]int)
	for _, arg := range is {
		count[arg]++
	}
	for _, arg := range was {
		count[arg]--
	}
	var all []Difference
	for _, arg := range slices.SortedFunc(maps.Keys(count), byText) {
		switch n := count[arg]; {
		case n > 0:
			all = append(all, Difference{Kind: KindArgument, Name: arg.Text, Change: Added})
		case n < 0:
			all = append(all, Difference{Kind: KindArgument, Name: arg.Text, Change: Removed})
		}
	}
	return all
}

func byText(a, b argument) int {
	return cmp.Or(strings.Compare(a.Text, b.Text), strings.Compare(a.Digest, b.Digest))
}
