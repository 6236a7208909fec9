// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Path is a file or directory in an Options struct. What [Raw.Decode] sets is
// absolute: "~/" at its beginning is the user's home directory, and a relative
// path starts from the configuration file's directory, or from the working
// directory if a variable or flag has it.
type Path string

// resolvePath returns the absolute path that written stands for, if relative
// paths start from base ("" for the working directory).
func resolvePath(written, base string) (Path, error) {
	switch {
	case written == "":
		return "", errors.New("is empty; write a path")
	case strings.ContainsRune(written, 0):
		return "", errors.New("has a zero byte; write a path")
	case strings.Contains(written, "${"):
		return "", errors.New("names a variable, which only secrets may; write the path out")
	}
	if rest, home := strings.CutPrefix(written, "~"); home {
		if rest != "" && !os.IsPathSeparator(rest[0]) {
			return "", errors.New(`begins with "~" and a name; write ~/ for your own home directory, or the path out`)
		}
		dir, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		return Path(filepath.Join(dir, rest)), nil
	}
	if !filepath.IsAbs(written) {
		written = filepath.Join(base, written)
	}
	path, err := filepath.Abs(written)
	return Path(path), err
}
