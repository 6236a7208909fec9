// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sync/errgroup"
)

// folder is a working folder, which nothing that is read or written in it
// leaves, also by no link.
type folder struct {
	*os.Root
	path string
}

func openFolder(dir string) (folder, error) {
	if dir == "" {
		dir = "."
	}
	root, err := os.OpenRoot(dir)
	return folder{root, dir}, err
}

func (f folder) join(name string) string { return filepath.Join(f.path, filepath.FromSlash(name)) }

// refused returns err, or what it means if a path leads outside or is closed to
// this user. The root has no name for the first, but says it of "..".
func (f folder) refused(kind, name string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &DeclarationError{Kind: kind, Name: name, Why: "this user is not allowed to: " + err.Error(), Do: "change the rights, or leave it out", Err: err}
	}
	_, above := f.Lstat("..")
	if refusal, ok := errors.AsType[*fs.PathError](above); ok && errors.Is(err, refusal.Err) {
		return &DeclarationError{Kind: kind, Name: name, Why: isOutside, Do: stayIn, Err: err}
	}
	return err
}

// input is a file that a command may read.
type input struct {
	name   string // below the working folder, with slashes
	link   bool   // what counts is what the link says
	digest string
	info   fs.FileInfo // before it was read; nil of a link
	fresh  bool        // a change may not be seen in its times
}

// finder gathers inputs.
type finder struct {
	folder
	outputs []string
	seen    map[string]bool // files, and folders that were looked into
	found   map[string]bool // by name: whether it is a link that stands for itself
}

// findInputs returns the names of the files that patterns stand for, sorted, and
// whether each is a link that stands for itself.
func findInputs(dir folder, patterns, outputs []string) ([]input, error) {
	f := finder{folder: dir, outputs: outputs, seen: make(map[string]bool), found: make(map[string]bool)}
	for _, pattern := range patterns {
		some := false
		err := doublestar.GlobWalk(dir.FS(), pattern, func(name string, _ fs.DirEntry) error {
			file, err := f.match(name)
			some = some || file
			return err // never SkipDir: behind a folder that *, not **, matches it leaves out what stands beside
		}, doublestar.WithNoFollow(), doublestar.WithFailOnIOErrors())
		if err != nil {
			return nil, dir.refused("input", pattern, err)
		}
		if !some {
			return nil, &DeclarationError{
				Kind: "input", Name: pattern, Why: "there is no such file, but for outputs", Do: "check the pattern, which begins in the working folder, or leave it out",
			}
		}
	}
	inputs := make([]input, 0, len(f.found))
	for _, name := range slices.Sorted(maps.Keys(f.found)) {
		inputs = append(inputs, input{name: name, link: f.found[name]})
	}
	return inputs, nil
}

// match adds what a pattern matches, and reports whether that is any file.
func (f *finder) match(name string) (some bool, err error) {
	if f.seen[name] {
		return true, nil
	}
	info, err := f.Lstat(name)
	if err != nil {
		return false, unlessGone(err)
	}
	return f.add(name, info.Mode())
}

// add adds what is at name, and reports whether that is any file.
func (f *finder) add(name string, mode fs.FileMode) (some bool, err error) {
	switch {
	case f.seen[name]:
		return true, nil
	case slices.Contains(f.outputs, name), temporary(path.Base(name)):
		return false, nil
	}
	f.seen[name] = true
	switch {
	case mode.IsDir():
		return f.addFolder(name)
	case mode&fs.ModeSymlink != 0:
		return f.addLink(name)
	}
	f.found[name] = false
	return true, nil
}

func (f *finder) addFolder(name string) (some bool, err error) {
	entries, err := fs.ReadDir(f.FS(), name)
	err = unlessGone(err)
	for _, entry := range entries {
		if err != nil {
			break
		}
		var more bool
		more, err = f.add(path.Join(name, entry.Name()), entry.Type())
		some = some || more
	}
	return some, err
}

// addLink adds a link: as the file that it leads to; or if that is a folder, as
// what it says, with the folder; or if that is nothing, as what it says.
func (f *finder) addLink(name string) (some bool, err error) {
	info, err := f.Stat(name)
	switch {
	case err == nil && !info.IsDir():
		f.found[name] = false
	case err == nil:
		f.found[name] = true
		return true, f.addTarget(name)
	default:
		if _, real := os.Stat(f.join(name)); unlessGone(real) != nil || real == nil {
			return false, unlessGone(err)
		}
		f.found[name] = true
	}
	return true, nil
}

// addTarget adds the folder that a link leads to, under its own name.
func (f *finder) addTarget(link string) error {
	top, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return err
	}
	target, err := filepath.EvalSymlinks(f.join(link))
	if err != nil {
		return unlessGone(err)
	}
	name, err := filepath.Rel(top, target)
	if err == nil {
		_, err = f.add(filepath.ToSlash(name), fs.ModeDir)
	}
	return err
}

// unlessGone returns nil if something is not there any more: others work in the
// folder too. Of a link that went while it was followed, the root says that it has
// too many levels.
func unlessGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) {
		return nil
	}
	return err
}

// readInputs returns the inputs that are still there, with their digests, read
// many at the same time.
func readInputs(ctx context.Context, dir folder, inputs []input) ([]input, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2 * runtime.GOMAXPROCS(0))
	for i := range inputs {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return dir.refused("input", inputs[i].name, unlessGone(inputs[i].read(dir)))
		})
	}
	err := group.Wait()
	return slices.DeleteFunc(inputs, func(in input) bool { return in.digest == "" }), err
}

func (in *input) read(dir folder) (err error) {
	if in.link {
		text, err := dir.Readlink(in.name)
		if err == nil {
			in.digest = "-> " + text
		}
		return err
	}
	file, err := dir.OpenFile(in.name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // who opens a named pipe waits for its writer
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	now := time.Now()
	if in.info, err = file.Stat(); err != nil {
		return err
	}
	if !in.info.Mode().IsRegular() {
		return &DeclarationError{Kind: "input", Name: in.name, Why: "it is no regular file", Do: "name files and folders"}
	}
	in.fresh = in.info.ModTime().After(now.Add(-racy))
	if in.digest, err = digestOf(file); err == nil && executable(in.info) {
		in.digest += "+x"
	}
	return err
}

func executable(info fs.FileInfo) bool { return info.Mode()&0o111 != 0 }

// digestOf returns the SHA-256 of what is left to read, in hex.
func digestOf(in io.Reader) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// changed reports whether an input is not what it was when it was read.
func (in *input) changed(dir folder) bool {
	if !in.link && !in.fresh {
		info, err := dir.Stat(in.name)
		return err != nil || !os.SameFile(info, in.info) || info.Size() != in.info.Size() ||
			!info.ModTime().Equal(in.info.ModTime()) || executable(info) != executable(in.info)
	}
	now := input{name: in.name, link: in.link}
	return now.read(dir) != nil || now.digest != in.digest
}

// errChanged returns why a result does not count if an input changed.
func errChanged(dir folder, inputs []input) error {
	for i := range inputs {
		if inputs[i].changed(dir) {
			return fmt.Errorf("the input %s changed while the command ran", inputs[i].name)
		}
	}
	return nil
}

// Files that are being written have names of their own. They are no inputs.
const (
	temporaryPrefix = ".tierce-"
	temporarySuffix = ".tmp"
)

func temporary(base string) bool {
	return strings.HasPrefix(base, temporaryPrefix) && strings.HasSuffix(base, temporarySuffix)
}
