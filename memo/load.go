// SPDX-License-Identifier: Apache-2.0

package memo

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// DumpError says that a file is no dump that this version can read. It is a
// cacheerr.UserError.
type DumpError struct {
	Path string // of the file
	Line int    // where it stopped to be one, from 1
	Why  string // what is wrong there
}

var _ cacheerr.UserError = (*DumpError)(nil)

// Error implements error.
func (e *DumpError) Error() string {
	return fmt.Sprintf("dump %q, line %d: %s; %s", e.Path, e.Line, e.Why, e.Remedy())
}

// ErrorName implements [cacheerr.CacheError].
func (e *DumpError) ErrorName() string { return "DumpError" }

// Remedy implements [cacheerr.UserError].
func (e *DumpError) Remedy() string {
	return "give a dump that a deterministic recorder of this or an older version wrote"
}

// loader reads a dump line by line.
type loader struct {
	path string
	in   *bufio.Reader
	line int    // number of the line that was read last
	size int    // bytes read
	next string // a line that was read and put back
	back bool   // whether there is one
}

// load reads a dump. What is not one is a [*DumpError]; an entry that was
// changed, a *cacheerr.DeterministicCachingIMCDumpConflictError that names it.
func load(path string, in *bufio.Reader) (results, error) {
	l := &loader{path: path, in: in}
	if err := l.title(); err != nil {
		return nil, err
	}
	loaded := make(results)
	for {
		line, err := l.read()
		if err != nil {
			return nil, err
		}
		switch {
		case line == "":
		case line == dumpEnd:
			return loaded, l.ended()
		default:
			key, r, err := l.entry(line)
			if err != nil {
				return nil, err
			}
			if _, ok := loaded[key]; ok {
				return nil, l.wrong("the entry %s is there twice", key.Short())
			}
			loaded[key] = r
		}
	}
}

func (l *loader) wrong(format string, args ...any) error {
	return &DumpError{Path: l.path, Line: l.line, Why: fmt.Sprintf(format, args...)}
}

// title reads the first line.
func (l *loader) title() error {
	var title [len(dumpTitle)]byte
	n, err := io.ReadFull(l.in, title[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	l.line = 1
	if string(title[:n]) != dumpTitle {
		return l.wrong("it does not begin with %q", dumpMagic)
	}
	version, err := l.read()
	l.line = 1
	if err == nil && dumpTitle+version != dumpMagic {
		return l.wrong("it is of the format %q, and this version reads up to 1", cacheerr.Shorten(version))
	}
	return err
}

// read returns the next line without its end.
func (l *loader) read() (string, error) {
	l.line++
	if l.back {
		l.back = false
		return l.next, nil
	}
	line, err := l.in.ReadString('\n')
	l.size += len(line)
	switch {
	case l.size > dumpSize:
		return "", l.wrong("it is larger than %d bytes", dumpSize)
	case errors.Is(err, io.EOF):
		return "", l.wrong("it is cut off: its last line is not %q", dumpEnd)
	case err != nil:
		return "", err
	}
	return strings.TrimSuffix(line, "\n"), nil
}

// unread puts line back.
func (l *loader) unread(line string) {
	l.line--
	l.next, l.back = line, true
}

// ended returns an error if there is more.
func (l *loader) ended() error {
	if _, err := l.in.ReadByte(); err == nil {
		l.line++
		return l.wrong("there is more behind %q", dumpEnd)
	}
	return nil
}

// entry reads the entry that begins with line. One whose sum is not that of its
// lines was changed.
func (l *loader) entry(line string) (key interfaces.Key, r result, err error) {
	digits, ok := strings.CutPrefix(line, entryName)
	if !ok {
		return key, r, l.wrong("it has %q where an entry should begin", cacheerr.Shorten(line))
	}
	if key, err = interfaces.ParseKey(digits); err != nil {
		return key, r, l.wrong("%v", err)
	}
	lines, err := l.described(&r)
	if err == nil {
		r.body, err = l.field("result")
	}
	if err != nil {
		return key, r, l.changed(key, err)
	}
	lines = appendField(lines, "result", r.body)
	if line, err = l.read(); err != nil {
		return key, r, err
	}
	if line != sumName+sumOf(key, lines) {
		return key, r, &cacheerr.DeterministicCachingIMCDumpConflictError{Path: l.path, Key: key.String()}
	}
	return key, r, nil
}

// described reads what is said of a result, and returns the lines of that in
// the one form that they have.
func (l *loader) described(r *result) (lines []byte, err error) {
	for _, field := range []struct {
		name string
		text *string
	}{{"function", &r.function}, {"isolation", &r.isolation}, {"params", &r.params}} {
		if *field.text, err = l.field(field.name); err != nil {
			return nil, err
		}
		lines = appendField(lines, field.name, *field.text)
	}
	return lines, nil
}

var errField = errors.New("not the field")

// changed returns what an entry is that cannot be read: changed, if it is not
// cut off.
func (l *loader) changed(key interfaces.Key, err error) error {
	if errors.Is(err, errField) {
		return &cacheerr.DeterministicCachingIMCDumpConflictError{Path: l.path, Key: key.String()}
	}
	return err
}

// field reads one field.
func (l *loader) field(name string) (string, error) {
	line, err := l.read()
	if err != nil {
		return "", err
	}
	if encoded, ok := strings.CutPrefix(line, name+" base64: "); ok {
		text, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if err != nil {
			return "", errField
		}
		return string(text), nil
	}
	if text, ok := strings.CutPrefix(line, name+": "); ok {
		return text, nil
	}
	if line != name+":" {
		return "", errField
	}
	return l.block()
}

// block reads the lines that begin with a tab.
func (l *loader) block() (string, error) {
	var block strings.Builder
	for n := 0; ; n++ {
		line, err := l.read()
		if err != nil {
			return "", err
		}
		text, ok := strings.CutPrefix(line, "\t")
		if !ok {
			l.unread(line)
			return block.String(), nil
		}
		if n > 0 {
			block.WriteByte('\n')
		}
		block.WriteString(text)
	}
}
