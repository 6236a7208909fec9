// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tiercecache/tierce/internal/strace"
)

// readTrace returns what a trace tells of a command in the folder root, which
// declared these files.
func readTrace(trace io.Reader, root string, declared []string) (*Trace, error) {
	w := watcher{
		root: root, declared: map[string]bool{}, dirs: map[int]*string{},
		made: map[string]bool{}, read: map[string]bool{}, executed: map[string]bool{}, absent: map[string]bool{}, listed: map[string]bool{},
	}
	for _, path := range declared {
		w.declared[real(path)] = true
	}
	var calls []strace.Call
	parents := map[int]int{}
	for call, err := range strace.Calls(trace) {
		if err != nil {
			return nil, err
		}
		if child := call.Child(); child != 0 {
			parents[child] = call.PID
		}
		calls = append(calls, call)
	}
	if len(calls) == 0 {
		return nil, errUntraced
	}
	for _, call := range calls {
		if w.dirs[call.PID] == nil { // its parent has not returned from starting it
			w.start(parents[call.PID], call.PID, false)
		}
		w.see(call)
	}
	return w.sum(), nil
}

// watcher follows the calls of a trace.
type watcher struct {
	root     string
	declared map[string]bool
	dirs     map[int]*string // working folders by thread, which may share one
	made     map[string]bool // by the command, from nothing
	read     map[string]bool
	executed map[string]bool
	absent   map[string]bool
	listed   map[string]bool
}

// start gives a thread the working folder of its parent.
func (w *watcher) start(parent, child int, shared bool) {
	dir := w.dirs[parent]
	if dir == nil {
		dir = &w.root
	}
	if !shared {
		own := *dir
		dir = &own
	}
	w.dirs[child] = dir
}

func (w *watcher) see(c strace.Call) {
	if child := c.Child(); child != 0 {
		if w.dirs[child] == nil {
			w.start(c.PID, child, c.SharesFolder())
		}
		return
	}
	paths := c.Paths()
	for i, p := range paths {
		if p.Current {
			*w.dirs[c.PID] = p.Dir
		}
		if paths[i].Dir == "" {
			paths[i].Dir = *w.dirs[c.PID]
		}
	}
	switch {
	case len(paths) == 0:
	case c.Failed() == "ENOENT":
		w.absent[named(paths[0].Join())] = true
	case c.Failed() != "":
	default:
		w.done(c, paths)
	}
}

// done takes a call that did what it was to do.
func (w *watcher) done(c strace.Call, paths []strace.Path) {
	path := paths[0].Join()
	switch c.Name {
	case "chdir", "fchdir":
		*w.dirs[c.PID] = path
	case "execve", "execveat":
		if path = real(path); !w.made[path] {
			w.executed[path] = true
		}
	case "mkdir", "mkdirat", "symlink", "symlinkat":
		w.made[named(path)] = true
	case "rename", "renameat", "renameat2":
		w.move(named(path), named(paths[1].Join()))
	case "link", "linkat":
		if path = named(path); !w.made[path] {
			w.read[path] = true
		}
		w.made[named(paths[1].Join())] = true
	default:
		if file, ok := c.Result.File(); ok && filepath.IsAbs(file) {
			w.open(c, file)
		}
	}
}

// open takes an opened file.
func (w *watcher) open(c strace.Call, file string) {
	switch how := c.Opened(); {
	case how == strace.Listed:
		w.listed[file] = true
	case how == strace.Made, (how == strace.Created || how == strace.Updated) && w.absent[file]:
		w.made[file] = true
	case (how == strace.Read || how == strace.Updated) && !w.made[file]:
		w.read[file] = true
	}
}

// move takes a file, or a folder with what is in it, that has another name now.
func (w *watcher) move(from, to string) {
	if !w.made[from] {
		w.read[from] = true
	}
	for path := range maps.Clone(w.made) {
		if below, ok := strings.CutPrefix(path, from+"/"); ok {
			delete(w.made, path)
			w.made[to+"/"+below] = true
		}
	}
	delete(w.made, from)
	w.made[to] = true
}

// sum returns what was seen.
func (w *watcher) sum() *Trace {
	var t Trace
	for path := range w.executed {
		if _, inside := w.inside(path); inside {
			w.read[path] = true
		} else if !w.declared[path] {
			t.Programs = append(t.Programs, path)
		}
	}
	for path := range w.read {
		name, inside := w.inside(path)
		switch {
		case w.declared[path], w.executed[path] && !inside:
		case isFolder(path):
			w.listed[path] = true
		case inside:
			t.Undeclared = append(t.Undeclared, name)
		case ofSystem(path):
			t.System = append(t.System, path)
		default:
			t.Elsewhere = append(t.Elsewhere, path)
		}
	}
	t.Absent, t.Folders = w.below(w.absent), w.below(w.listed)
	for _, list := range []*[]string{&t.Undeclared, &t.Programs, &t.Elsewhere, &t.System, &t.Absent, &t.Folders} {
		*list = append([]string{}, slices.Sorted(slices.Values(*list))...) // in JSON a list, also if there is nothing in it
	}
	return &t
}

// below returns the names of those paths that are below the working folder, or
// the folder itself, and were not made by the command.
func (w *watcher) below(paths map[string]bool) []string {
	var names []string
	for path := range paths {
		if name, inside := w.inside(path); inside && !w.made[path] && !w.declared[path] {
			names = append(names, name)
		}
	}
	return names
}

// inside returns the name of a path as it is seen from the working folder, if it
// is below it.
func (w *watcher) inside(path string) (name string, ok bool) {
	name, err := filepath.Rel(w.root, path)
	return filepath.ToSlash(name), err == nil && filepath.IsLocal(name)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// ofSystem reports whether a file belongs to the operating system.
func ofSystem(path string) bool {
	for _, folder := range []string{
		"/usr/", "/lib/", "/lib32/", "/lib64/", "/libx32/", "/bin/", "/sbin/", "/proc/", "/dev/", "/sys/",
		"/etc/ld.so.", "/etc/locale.alias", "/etc/alternatives/",
	} {
		if strings.HasPrefix(path, folder) {
			return true
		}
	}
	return false
}

// real returns path without links, as far as it is still there.
func real(path string) string {
	if whole, err := filepath.EvalSymlinks(path); err == nil {
		return whole
	}
	if dir := filepath.Dir(path); dir != path {
		return filepath.Join(real(dir), filepath.Base(path))
	}
	return path
}

// named returns path without links but one that it may itself be.
func named(path string) string { return filepath.Join(real(filepath.Dir(path)), filepath.Base(path)) }
