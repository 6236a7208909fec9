// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// A note says what the last results of a command were recorded for, so that
// [Recorder.Explain] can say in what a call differs. It is an entry under the key
// of the command's site: the name of its program and of its outputs. It is made
// when something is recorded, and what goes wrong with it is nobody's error.
//
// It is JSON. Digests are shortened, since they only tell whether two are the
// same; of arguments it has what may be shown.
type note struct {
	Format     int         `json:"note"`
	Recordings []recording `json:"recordings"` // the newest first
}

// recording is what one result was recorded for.
type recording struct {
	Time time.Time `json:"time"`
	traits
}

// traits are [Parts] and the forms of isolation, with short digests.
type traits struct {
	Args []argument `json:"args"`
	// Inputs are digests by path. That of a folder, whose path ends with a
	// slash, stands for all that is below it.
	Inputs map[string]string `json:"inputs,omitempty"`
	Env    map[string]string `json:"env,omitempty"` // "" if the variable is not set
	Tools  map[string]string `json:"tools,omitempty"`
	Forms  map[string]string `json:"forms,omitempty"` // by group and name
	Stdin  string            `json:"stdin,omitempty"`
}

const (
	noteFormat = 1
	// maxRecordings is how many recordings a note has.
	maxRecordings = 8
	// maxRecording is how many bytes one may take: with more inputs, folders
	// stand for what is in them.
	maxRecording = 32 << 10
	// maxNote is how large a note may be that is read.
	maxNote = 2 * maxRecordings * maxRecording
	// shortDigits are the hex digits of a short digest.
	shortDigits = 16
)

// shortOf returns the short digest of a text.
func shortOf(text string) string { return digestText([]byte(text))[:shortDigits] }

// shorts returns short digests for those of a map; "" stays.
func shorts(digests map[string]string) map[string]string {
	short := make(map[string]string, len(digests))
	for name, digest := range digests {
		if short[name] = ""; digest != "" {
			short[name] = shortOf(digest)
		}
	}
	return short
}

// traits returns what is compared of a command.
func (r *Recorder) traits(ctx context.Context, j *job) (traits, error) {
	t := traits{
		Args: shownArgs(j.parts.Args), Inputs: shorts(j.parts.Inputs), Env: shorts(j.parts.Env), Tools: shorts(j.parts.Tools),
		Forms: make(map[string]string),
	}
	if j.parts.Stdin != "" {
		t.Stdin = shortOf(j.parts.Stdin)
	}
	isolation, err := j.recorded.Isolation(ctx)
	if err != nil {
		return t, err
	}
	for name, answer := range isolation.Compile {
		t.Forms["compile "+name] = shortOf(string(answer.Value) + answer.Failed)
	}
	for name, answer := range isolation.Runtime {
		t.Forms["runtime "+name] = shortOf(string(answer.Value) + answer.Failed)
	}
	return t, nil
}

// site returns the key of the note of a command.
func (r *Recorder) site(c Command) (interfaces.Key, error) {
	namespace := "exec/note"
	if r.opts.Files == nil {
		namespace += "/deterministic" // their results are others
	}
	parts := [][]byte{[]byte(programName(c.Args[0]))}
	for _, output := range c.Outputs {
		parts = append(parts, []byte(output))
	}
	return encoding.Keyspace{Schema: noteFormat, Namespace: namespace}.Key(parts...)
}

func programName(program string) string {
	return strings.TrimSuffix(path.Base(filepath.ToSlash(program)), ".exe")
}

// note adds a command, which has just been recorded, to the note of its site.
func (r *Recorder) note(ctx context.Context, j *job) {
	if r.opts.Notes == nil {
		return
	}
	key, err := r.site(j.command)
	if err != nil {
		return
	}
	t, err := r.traits(ctx, j)
	if err != nil {
		return
	}
	fresh, ok := recording{r.opts.Clock().UTC().Truncate(time.Second), t}.folded()
	if !ok {
		return
	}
	text, err := json.Marshal(note{noteFormat, newest(append([]recording{fresh}, r.noted(ctx, key)...))})
	if err == nil {
		_ = r.opts.Notes.Put(ctx, key, interfaces.Bytes(text))
	}
}

// noted returns the recordings that notes under key have: that of each layer of a
// stack, since who recorded elsewhere wrote to the far ones only.
func (r *Recorder) noted(ctx context.Context, key interfaces.Key) []recording {
	caches := []interfaces.Cache{r.opts.Notes}
	if stack, ok := r.opts.Notes.(*tiers.Stack); ok {
		caches = caches[:0]
		for _, layer := range stack.Layers() {
			caches = append(caches, layer.Tier)
		}
	}
	var all []recording
	for _, cache := range caches {
		entry, err := cache.Get(ctx, key)
		if err != nil {
			continue
		}
		if entry.Size <= maxNote {
			if text, err := entry.Bytes(); err == nil {
				all = append(all, decodeNote(text)...)
			}
		}
		_ = entry.Close() // only read
	}
	return newest(all)
}

// decodeNote returns the recordings of a note, none if it is damaged or of
// another format.
func decodeNote(text []byte) []recording {
	var n note
	if len(text) > maxNote || json.Unmarshal(text, &n) != nil || n.Format != noteFormat {
		return nil
	}
	return n.Recordings
}

// newest returns the last recordings, each once, the newest first.
func newest(all []recording) []recording {
	slices.SortStableFunc(all, func(a, b recording) int { return cmp.Compare(b.Time.Unix(), a.Time.Unix()) })
	var kept []recording
	var texts [][]byte
	for _, one := range all {
		text, err := json.Marshal(one.traits)
		same := func(other []byte) bool { return bytes.Equal(text, other) }
		if err != nil || slices.ContainsFunc(texts, same) || len(kept) == maxRecordings {
			continue
		}
		kept, texts = append(kept, one), append(texts, text)
	}
	return kept
}

// folded returns the recording with as many folders in place of their files as
// it takes, from the deepest on, and whether it is then small enough.
func (one recording) folded() (recording, bool) {
	all := one.Inputs
	for depth := deepest(all) + 1; depth >= 0; depth-- {
		one.Inputs = fold(all, func(name string) string { return folderAt(name, depth) })
		if text, err := json.Marshal(one); err != nil || len(text) <= maxRecording {
			return one, err == nil
		}
	}
	return one, false
}

// fold puts one digest in place of those of all names for which folderOf returns
// a folder.
func fold(inputs map[string]string, folderOf func(name string) string) map[string]string {
	folded, below := make(map[string]string, len(inputs)), make(map[string][]string)
	for name, digest := range inputs {
		if folder := folderOf(name); folder != "" {
			below[folder] = append(below[folder], name+"\x00"+digest)
		} else {
			folded[name] = digest
		}
	}
	for folder, lines := range below {
		slices.Sort(lines)
		folded[folder] = shortOf(strings.Join(lines, "\n"))
	}
	return folded
}

// deepest returns how many folders are above the deepest of names.
func deepest(inputs map[string]string) int {
	most := 0
	for name := range inputs {
		most = max(most, strings.Count(name, "/"))
	}
	return most
}

// everything is the folder above all inputs.
const everything = "./"

// folderAt returns the folder of name that is depth folders deep, with a slash at
// its end; "" if name is not as deep.
func folderAt(name string, depth int) string {
	if depth == 0 {
		return everything
	}
	for at := range len(name) {
		if name[at] == '/' {
			if depth--; depth == 0 {
				return name[:at+1]
			}
		}
	}
	return ""
}
