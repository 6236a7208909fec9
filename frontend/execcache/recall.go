// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// toolbox tells the identities of tools. It remembers them in a directory of this
// machine, with a small file for each tool; it may be removed at any moment.
type toolbox struct {
	dir   string           // "" remembers nothing
	clock func() time.Time // nil means time.Now
}

const (
	// maxRemembered is how many files the directory may have; the oldest go.
	maxRemembered = 256
	// maxMemory is the largest such file in bytes.
	maxMemory = 64 << 10
	// racy is how long after a change a file may change again without its times
	// telling: file systems count in steps of up to two seconds.
	racy = 2 * time.Second
)

// of returns the identity of a tool: the one that is remembered, if all files
// that took part in it are what they were.
func (tools toolbox) of(ctx context.Context, t tool) (string, error) {
	if tools.dir == "" {
		return t.identify(ctx)
	}
	key := t.key()
	path := filepath.Join(tools.dir, key.String()[:32])
	if found, ok := readMemory(path, key); ok && found.holds() {
		return found.Identity, nil
	}
	before, sure := look(t.witnesses(ctx), tools.now())
	identity, err := t.identify(ctx)
	if err != nil || !sure {
		return identity, err
	}
	if fresh := (memory{identity, before}); fresh.holds() { // nothing changed meanwhile
		tools.remember(path, fresh.encode(key))
	}
	return identity, nil
}

func (tools toolbox) now() time.Time {
	if tools.clock == nil {
		return time.Now()
	}
	return tools.clock()
}

// whereToLook are the variables that say where a compiler finds its programs and
// what it makes. Elsewhere than on PATH other tools do not look.
var whereToLook = []string{
	"PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX", "GCC_ROOT", "CLANG_CONFIG_FILE_SYSTEM_DIR", "CLANG_CONFIG_FILE_USER_DIR",
	"CCC_OVERRIDE_OPTIONS", "DEVELOPER_DIR", "SDKROOT", "MACOSX_DEPLOYMENT_TARGET",
}

// key returns what the identity of a tool is remembered under: where it is, and
// for a compiler what else it may depend on that is no file.
func (t tool) key() interfaces.Key {
	parts := []string{"1", t.path, t.file} // the version of the format
	if t.compiler() {
		for _, name := range whereToLook {
			parts = append(parts, os.Getenv(name))
		}
	}
	text, _ := json.Marshal(parts) // texts have a JSON form
	return encoding.RawKey(text)
}

// memory is an identity, and the stamps of all that took part in it.
type memory struct {
	Identity  string    `json:"identity"`
	Witnesses []witness `json:"witnesses"`
}

// witness is a file or folder as it was; the zero Stamp says that there was
// none.
type witness struct {
	Name string `json:"name"` // absolute path, or name on PATH
	vfs.Stamp
}

// look returns the witnesses as they are now, and whether their stamps are worth
// remembering: that they will tell every change.
func look(names []string, now time.Time) (witnesses []witness, sure bool) {
	sure = len(names) > 0
	for _, name := range names {
		stamp, err := stampOf(name)
		if err != nil || stamp.Changed == 0 && stamp != (vfs.Stamp{}) {
			return nil, false
		}
		sure = sure && time.Unix(0, max(stamp.Modified, stamp.Changed)).Add(racy).Before(now)
		witnesses = append(witnesses, witness{name, stamp})
	}
	return witnesses, sure
}

// stampOf returns the stamp of what is at a path, or of the program of a name
// on PATH; the zero one if there is none.
func stampOf(name string) (vfs.Stamp, error) {
	path, err := name, error(nil)
	if !filepath.IsAbs(name) {
		path, err = exec.LookPath(name)
	}
	var stamp vfs.Stamp
	if err == nil {
		stamp, err = vfs.StampOf(path)
	}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return vfs.Stamp{}, nil
	}
	return stamp, err
}

// holds reports whether all witnesses are what they were.
func (m memory) holds() bool {
	for _, w := range m.Witnesses {
		if stamp, err := stampOf(w.Name); err != nil || stamp != w.Stamp {
			return false
		}
	}
	return len(m.Witnesses) > 0
}

// encode returns the memory as a file has it: a line with a checksum, and JSON.
func (m memory) encode(key interfaces.Key) []byte {
	text, _ := json.Marshal(m) // numbers and texts have a JSON form
	sum := encoding.Sum(key, text)
	return append(append(hex.AppendEncode(nil, sum[:]), '\n'), text...)
}

// decodeMemory returns what was encoded, or false if the bytes are damaged or
// another tool's.
func decodeMemory(data []byte, key interfaces.Key) (m memory, ok bool) {
	written, text, _ := bytes.Cut(data, []byte("\n"))
	sum := encoding.Sum(key, text)
	if string(written) != hex.EncodeToString(sum[:]) {
		return memory{}, false
	}
	err := json.Unmarshal(text, &m)
	return m, err == nil
}

// readMemory returns what the file at path remembers, if it is whole.
func readMemory(path string, key interfaces.Key) (memory, bool) {
	if info, err := os.Stat(path); err != nil || info.Size() > maxMemory || !info.Mode().IsRegular() {
		return memory{}, false
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return memory{}, false
	}
	return decodeMemory(data, key)
}

// remember puts a file in place, as a whole. What fails is only not remembered.
func (tools toolbox) remember(path string, content []byte) {
	if len(content) > maxMemory || os.MkdirAll(tools.dir, 0o700) != nil {
		return
	}
	file, err := os.CreateTemp(tools.dir, "*.tmp")
	if err != nil {
		return
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // if it stays, it is the oldest one day
	}
	tools.trim()
}

// trim removes the oldest files above the limit, also those that a killed
// process left half written.
func (tools toolbox) trim() {
	names, err := os.ReadDir(tools.dir)
	if err != nil || len(names) <= maxRemembered {
		return
	}
	var files []fs.FileInfo
	for _, name := range names {
		if info, err := name.Info(); err == nil {
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return cmp.Compare(a.ModTime().UnixNano(), b.ModTime().UnixNano()) })
	for _, old := range files[:max(0, len(files)-maxRemembered)] {
		_ = os.Remove(filepath.Join(tools.dir, old.Name())) // another may have removed it
	}
}
