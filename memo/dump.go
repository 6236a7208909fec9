// SPDX-License-Identifier: Apache-2.0

package memo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/lock"
)

// A dump is text, to be read, compared and committed:
//
//	tierce dump 1
//
//	entry 0a1b… (64 hex digits: the key)
//	function: autotuner.choose
//	isolation: 6d1f… (32 hex digits)
//	params: {"Rows":4096,"Columns":64}
//	result: {"Tile":32}
//	sum: 77c0… (32 hex digits)
//
//	end
//
// Entries are sorted by key. A text of several lines stands on lines of its own
// below its name, each behind a tab, and an empty one on none; what is not text
// is "result base64: …". Parameters that are long are left out: "params: …". The
// sum is the checksum of the key and of the lines between. The last line shows
// that nothing is cut off.
const (
	dumpTitle = "tierce dump "
	dumpMagic = dumpTitle + "1"
	dumpEnd   = "end"

	// longParams is how many bytes of parameters a dump has room for: they are
	// for people.
	longParams = 1000
	leftOut    = "…"
)

// dumpSize is the largest dump that is read, in bytes.
const dumpSize = 1 << 30

func tooLarge(path string) error {
	return fmt.Errorf("memo: the dump %q would be larger than %d bytes; make several", path, dumpSize)
}

// results are what is in a dump.
type results map[interfaces.Key]result

// Dump writes what the recorder has in memory to the file at path, merged with
// the dump that is there: the same key with the same bytes is the same entry,
// with other bytes a *cacheerr.DeterministicCachingIMCDumpConflictError. A file
// that is no dump is a [*DumpError]. The file is replaced as a whole, or stays as
// it is when there is an error or nothing new. Processes that dump to one file
// wait for each other, by the lock file path + ".lock".
//
// A fast recorder has nothing to dump: [errors.ErrUnsupported].
func (r *Recorder) Dump(ctx context.Context, path string) error {
	if r == nil {
		return errNil
	}
	if k, ok := r.keeper.(*deterministic); ok {
		return k.dumpTo(ctx, path)
	}
	return errors.ErrUnsupported
}

func (k *deterministic) dumpTo(ctx context.Context, path string) error {
	k.mu.RLock()
	all := results(maps.Clone(k.results))
	k.mu.RUnlock()
	_, err := all.addTo(ctx, path)
	return err
}

// addTo merges the results, which it may change, into the dump at path, and
// returns how many that had not.
func (r results) addTo(ctx context.Context, path string) (added int, err error) {
	if len(r) == 0 {
		return 0, nil
	}
	err = lock.Files(path+".lock").With(ctx, 0, func() error {
		there, err := loadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := r.merge(there, path); err != nil {
			return err
		}
		if added = len(r) - len(there); added == 0 {
			return nil
		}
		return replaceFile(path, r.appendTo(nil))
	})
	return added, err
}

// prepopulate takes the entries of a dump.
func (k *deterministic) prepopulate(_ context.Context, path string) error {
	there, err := loadFile(path)
	if err != nil {
		return err
	}
	return results(k.results).merge(there, path)
}

// merge adds the entries of the dump at path, unless two have one key and other
// bytes.
func (r results) merge(there results, path string) error {
	for _, key := range there.keys() {
		if mine, ok := r[key]; ok && mine.body != there[key].body {
			return &cacheerr.DeterministicCachingIMCDumpConflictError{Path: path, Key: key.String()}
		}
	}
	maps.Copy(r, there)
	return nil
}

func (r results) keys() []interfaces.Key {
	return slices.SortedFunc(maps.Keys(r), func(a, b interfaces.Key) int { return bytes.Compare(a[:], b[:]) })
}

// appendTo appends the dump of the results.
func (r results) appendTo(dst []byte) []byte {
	dst = append(dst, dumpMagic+"\n\n"...)
	for _, key := range r.keys() {
		dst = r[key].appendTo(dst, key)
	}
	return append(dst, dumpEnd+"\n"...)
}

func (r result) appendTo(dst []byte, key interfaces.Key) []byte {
	dst = append(dst, entryName+key.String()+"\n"...)
	start := len(dst)
	dst = appendField(dst, "function", r.function)
	dst = appendField(dst, "isolation", r.isolation)
	params := r.params
	if len(params) > longParams {
		params = leftOut
	}
	dst = appendField(dst, "params", params)
	dst = appendField(dst, "result", r.body)
	return append(dst, sumName+sumOf(key, dst[start:])+"\n\n"...)
}

const (
	entryName = "entry "
	sumName   = "sum: "
)

func sumOf(key interfaces.Key, lines []byte) string {
	sum := encoding.Sum(key, lines)
	return hex.EncodeToString(sum[:])
}

// appendField appends a text under its name, in the one form that it has.
func appendField(dst []byte, name, text string) []byte {
	dst = append(dst, name...)
	switch {
	case !readable(text):
		dst = append(dst, " base64: "...)
		dst = base64.StdEncoding.AppendEncode(dst, []byte(text))
	case text == "":
		dst = append(dst, ':')
	case !strings.Contains(text, "\n"):
		dst = append(dst, ": "+text...)
	default:
		dst = append(dst, ":\n\t"+strings.ReplaceAll(text, "\n", "\n\t")...)
	}
	return append(dst, '\n')
}

// readable reports whether text may stand in a dump as it is.
func readable(text string) bool {
	control := func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }
	return utf8.ValidString(text) && !strings.ContainsFunc(text, control)
}

// Recording is an entry of a dump: a result, and what a person wants to know of
// it.
type Recording struct {
	Key       interfaces.Key
	Function  string // its name
	Isolation string // its isolation key
	Params    string // encoded; "…" if they were too long
	Result    string // encoded
}

// ReadDump returns what is in the dump at path, by key. It fails as
// [OpenDeterministic] does of one that it is to start from.
func ReadDump(path string) ([]Recording, error) {
	loaded, err := loadFile(path)
	if err != nil {
		return nil, err
	}
	recordings := make([]Recording, 0, len(loaded))
	for _, key := range loaded.keys() {
		r := loaded[key]
		recordings = append(recordings, Recording{Key: key, Function: r.function, Isolation: r.isolation, Params: r.params, Result: r.body})
	}
	return recordings, nil
}

// loadFile reads the dump at path.
func loadFile(path string) (results, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	loaded, err := load(path, bufio.NewReader(io.LimitReader(file, dumpSize+1)))
	if err != nil {
		return nil, err
	}
	return loaded, nil
}

// replaceFile puts a file in place as a whole.
func replaceFile(path string, content []byte) (err error) {
	if len(content) > dumpSize {
		return tooLarge(path)
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name()) // what failed says more
		}
	}()
	_, err = file.Write(content)
	if err == nil {
		err = file.Chmod(0o644)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("memo: cannot write the dump: %w", err)
	}
	return os.Rename(file.Name(), path)
}
