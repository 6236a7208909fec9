// SPDX-License-Identifier: Apache-2.0

package context

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Env is the form "env", of the group [Compile]: the environment variables of
// these names. Their values are digests, since some are secrets; one that is not
// set is told from one that is empty.
func Env(names ...string) Form {
	return Form{Name: "env", Group: Compile, Probe: func(context.Context) (any, error) {
		values := make(map[string]any, len(names))
		for _, name := range names {
			values[name] = nil
			if value, ok := os.LookupEnv(name); ok {
				values[name] = digestOf([]byte(value))
			}
		}
		return values, nil
	}}
}

// Files is the form "files", of the group [Compile]: what is in the files and
// folders at paths, by content, in their order. Of a path only the last part is
// in it, so that machines agree which have them in different places; of a folder
// also the names within, and symbolic links as what they say. Something that is
// neither makes it fail. They are read once: it is for what does not change
// while a process runs, such as a tool's own files.
func Files(paths ...string) Form {
	type file struct{ Name, SHA256 string }
	return Form{Name: "files", Group: Compile, Probe: func(ctx context.Context) (any, error) {
		files := make([]file, len(paths))
		for i, path := range paths {
			digest, err := digestPath(ctx, path)
			if err != nil {
				return nil, err
			}
			files[i] = file{filepath.Base(path), digest}
		}
		return files, nil
	}}
}

// digestPath returns the SHA-256 of a file's content, or of what a folder
// holds.
func digestPath(ctx context.Context, path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return digestFile(path)
	}
	root, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return addEntry(sum, filepath.ToSlash(name), path, entry)
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// addEntry adds one name within a folder and what is there.
func addEntry(sum hash.Hash, name, path string, entry fs.DirEntry) error {
	what, content, err := "file", "", error(nil)
	switch {
	case entry.IsDir():
		what = "folder"
	case entry.Type()&fs.ModeSymlink != 0:
		what = "link"
		content, err = os.Readlink(path)
	default:
		content, err = digestFile(path)
	}
	_, _ = fmt.Fprintf(sum, "%s %q %q\n", what, name, content) // a hash takes everything
	return err
}

// digestFile returns the SHA-256 of the content of a regular file; anything else
// is [errors.ErrUnsupported], and is not opened, since who opens a named pipe
// waits.
func digestFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", &fs.PathError{Op: "read", Path: path, Err: errors.ErrUnsupported}
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // only read
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
