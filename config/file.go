// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	fileName = "tierce.yaml"
	maxFile  = 1 << 20 // bytes

	searchUpwards = "auto" // in place of a file's path
	noFile        = "none"
)

// file returns the path of the configuration file, "" for none. choice is what
// a variable or flag says.
func (s Sources) file(choice node) (string, error) {
	switch choice.text {
	case noFile:
		return "", nil
	case searchUpwards:
		if path, err := findUpwards(); path != "" || err != nil {
			return path, err
		}
	case "":
	default:
		path, err := resolvePath(choice.text, "")
		if err != nil {
			return "", choice.errorf("", "%s %v", choice, err)
		}
		return string(path), nil
	}
	dir, err := s.UserConfigDir()
	if err != nil {
		return "", nil //nolint:nilerr // a user without a directory has no file in it
	}
	if path := filepath.Join(dir, "tierce", fileName); exists(path) {
		return path, nil
	}
	return "", nil
}

// findUpwards returns the path of tierce.yaml in the working directory or the
// nearest directory above, "" if there is none.
func findUpwards() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", &Error{Problem: "the working directory cannot be told: " + err.Error() + "; name the file", Err: err}
	}
	for {
		if path := filepath.Join(dir, fileName); exists(path) {
			return path, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", nil
		}
		dir = parent
	}
}

// exists reports whether there is something at path that this user may know
// of.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readFile returns the mapping in the file at path.
func readFile(path string) (node, error) {
	file := place{source: path}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return node{}, unreadable(file, err)
	case info.IsDir():
		return node{}, file.errorf("", "is a directory; name the file, such as %s", filepath.Join(path, fileName))
	case !info.Mode().IsRegular():
		return node{}, file.errorf("", "is not a regular file; every process reads it again, so it must stay")
	}
	data, err := readLimited(path)
	if err != nil {
		return node{}, unreadable(file, err)
	}
	if len(data) > maxFile {
		return node{}, file.errorf("", "has more than %s; a configuration needs less", formatSize(maxFile))
	}
	return parseYAML(path, data)
}

// namedBy adds to an error about a whole file what named the file, if something
// did.
func namedBy(choice node, err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Line == 0 && choice.kind != absent && choice.text != searchUpwards {
		e.Problem += " (" + choice.source + " names it)"
	}
	return err
}

// readLimited returns at most one byte more than a file may have.
func readLimited(path string) (data []byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return io.ReadAll(io.LimitReader(file, maxFile+1))
}

func unreadable(file place, err error) error {
	reason := err
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		reason = pathError.Err // the path is said already
	}
	e := file.errorf("", "cannot be read: %v; name a file that you may read, or none", reason)
	e.Err = err
	return e
}
