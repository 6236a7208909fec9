// SPDX-License-Identifier: Apache-2.0

package strace

import (
	"path/filepath"
	"strconv"
	"strings"
)

// Path is a path that a call was given.
type Path struct {
	// Dir is the folder from which the path starts; "" if the call does not
	// tell, and it is the working folder of the thread.
	Dir string
	// Current says that Dir is the working folder of the thread.
	Current bool
	// Name is the path as it was given.
	Name string
}

// Join returns the path from the root.
func (p Path) Join() string {
	if filepath.IsAbs(p.Name) {
		return filepath.Clean(p.Name)
	}
	return filepath.Join(p.Dir, p.Name)
}

// Paths returns the paths that a call was given, of a link or a move where it is
// from and where it is to; of a symbolic link only where that is. It is empty for
// calls that take none, or where strace tells only a part of one.
func (c Call) Paths() []Path {
	places := map[string][]int{ // of the paths among the arguments
		"open": {0}, "creat": {0}, "execve": {0}, "mkdir": {0}, "chdir": {0}, "rename": {0, 1}, "link": {0, 1}, "symlink": {1},
		"openat": {1}, "openat2": {1}, "mkdirat": {1}, "execveat": {1}, "renameat": {1, 3}, "renameat2": {1, 3}, "linkat": {1, 3}, "symlinkat": {2},
	}
	if c.Name == "fchdir" && len(c.Args) > 0 {
		dir, _ := c.Args[0].File()
		return []Path{{Dir: dir}}
	}
	paths := []Path{}
	for _, at := range places[c.Name] {
		if at >= len(c.Args) {
			return nil
		}
		name, ok := c.Args[at].Text()
		if !ok {
			return nil
		}
		path := Path{Name: name}
		if strings.Contains(c.Name, "at") && c.Name != "creat" { // from the folder before it
			path.Dir, _ = c.Args[at-1].File()
			path.Current = strings.HasPrefix(string(c.Args[at-1]), "AT_FDCWD<")
		}
		paths = append(paths, path)
	}
	return paths
}

// Child returns the thread or process that the call started, or 0.
func (c Call) Child() int {
	switch c.Name {
	case "fork", "vfork", "clone", "clone3":
		number, _, _ := strings.Cut(string(c.Result), " ")
		child, err := strconv.Atoi(number)
		if err == nil && child > 0 {
			return child
		}
	}
	return 0
}

// SharesFolder reports whether what the call started has one working folder with
// its parent for ever, as threads have.
func (c Call) SharesFolder() bool {
	for _, arg := range c.Args {
		if arg.Has("CLONE_FS") {
			return true
		}
	}
	return false
}

// Opening is what a file was opened for.
type Opening int

// What a file was opened for.
const (
	Read    Opening = iota // its content, perhaps besides writing
	Made                   // to be made from nothing
	Created                // to be written, and made if it is missing
	Updated                // to be read and written, and made if it is missing
	Written                // to be written, in part
	Listed                 // it is a folder
	Named                  // nothing but its name
)

// Opened returns what a call that opens a file opens it for.
func (c Call) Opened() Opening {
	if c.Name == "creat" {
		return Made
	}
	var flags Arg
	if at := map[string]int{"open": 1, "openat": 2, "openat2": 2}[c.Name]; at < len(c.Args) {
		flags = c.Args[at]
	}
	creates := flags.Has("O_CREAT")
	switch {
	case flags.Has("O_TRUNC"), flags.Has("O_TMPFILE"), creates && flags.Has("O_EXCL"):
		return Made
	case flags.Has("O_PATH"):
		return Named
	case flags.Has("O_DIRECTORY"):
		return Listed
	case creates && flags.Has("O_WRONLY"):
		return Created
	case creates:
		return Updated
	case flags.Has("O_WRONLY"):
		return Written
	}
	return Read
}
