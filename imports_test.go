// SPDX-License-Identifier: Apache-2.0

package tierce_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tiercecache/tierce"

// listed is what go list says of a package.
type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		packages = append(packages, p)
	}
}

// ours returns the name of a package of this module within it.
func ours(path string) (name string, ok bool) {
	return strings.CutPrefix(path, module+"/")
}

// foreign reports whether a package is neither ours nor the standard library's.
func foreign(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".") && !strings.HasPrefix(path, module)
}

// allowed says which packages of ours a package may import; "internal" stands
// for all below it. What is not named here may import anything.
var allowed = map[string][]string{
	"interfaces":           {},
	"errors":               {},
	"context":              {},
	"encoding":             {"interfaces", "errors"},
	"encoding/gobcodec":    {"encoding", "errors"},
	"memory":               {"interfaces", "errors", "encoding", "internal"},
	"filestream":           {"interfaces", "errors", "encoding", "internal", "boltindex"},
	"boltindex":            {"interfaces", "errors", "encoding", "internal"},
	"encoding/frame":       {"interfaces", "errors", "encoding"},
	"redis":                {"interfaces", "errors", "encoding", "encoding/frame"},
	"tiers":                {"interfaces", "errors", "encoding"},
	"tiers/guard":          {"interfaces", "errors", "tiers"},
	"memo":                 {"interfaces", "errors", "context", "encoding", "tiers", "internal"},
	"cachetest":            {"interfaces", "errors", "encoding"},
	"frontend/gocacheprog": {"interfaces", "errors", "encoding", "tiers"},
	"frontend/execcache":   {"interfaces", "errors", "context", "encoding", "tiers", "memo", "internal"},
	"config":               {"interfaces", "errors", "encoding", "tiers", "memory", "filestream", "redis", "internal"},
	"internal/vfs":         {},
	"internal/vfs/faultfs": {"internal/vfs"},
	"internal/vfs/syncfs":  {"internal/vfs"},
	"internal/lock":        {"errors", "internal/pause"},
	"internal/pause":       {},
	"internal/progress":    {},
	"internal/strace":      {},
	"internal/ledger":      {"internal/lock", "internal/vfs", "tiers"},
	"internal/redistest":   {},
	"internal/faultproxy":  {},
	"internal/faultsys":    {},
}

// TestImports holds the directions in which packages import each other: DESIGN,
// section 3.
func TestImports(t *testing.T) {
	for _, p := range list(t) {
		name, _ := ours(p.ImportPath)
		may, ruled := allowed[name]
		if !ruled {
			continue
		}
		for _, path := range p.Imports {
			imported, ok := ours(path)
			first, _, _ := strings.Cut(imported, "/")
			if ok && !slices.Contains(may, imported) && !slices.Contains(may, first) {
				t.Errorf("%s imports %s; it may import %v", name, imported, may)
			}
		}
	}
}

// importers says which packages may import a module that is not ours: one
// each, so that replacing it is one package's work. Test helpers are free.
var importers = map[string][]string{
	"github.com/hashicorp/golang-lru/v2": {"memory"},
	"github.com/redis/go-redis/v9":       {"redis", "internal/redistest"},
	"github.com/klauspost/compress":      {"encoding/frame"},
	"github.com/zeebo/xxh3":              {"encoding"},
	"github.com/gofrs/flock":             {"internal/lock"},
	"go.etcd.io/bbolt":                   {"boltindex"},
	"github.com/goccy/go-yaml":           {"config"},
	"github.com/dustin/go-humanize":      {"config"},
	"github.com/urfave/cli/v3":           {"cmd/tierce/command"},
	"golang.org/x/sys":                   {"internal/vfs", "internal/faultsys", "cmd/tierce/command"},
	"golang.org/x/term":                  {"internal/progress"},
	"github.com/sony/gobreaker/v2":       {"tiers/guard"},
	"golang.org/x/sync":                  {"tiers/guard", "frontend/execcache"},
	"github.com/bmatcuk/doublestar/v4":   {"frontend/execcache"},
	"golang.org/x/mod":                   {"cmd/tierce/command"},
}

// TestForeignImports holds that each dependency has one package that imports
// it.
func TestForeignImports(t *testing.T) {
	for _, p := range list(t) {
		name, _ := ours(p.ImportPath)
		for _, path := range p.Imports {
			if !foreign(path) {
				continue
			}
			known := false
			for dependency, by := range importers {
				if path == dependency || strings.HasPrefix(path, dependency+"/") {
					known = true
					if !slices.Contains(by, name) {
						t.Errorf("%s imports %s, which is for %v", name, path, by)
					}
				}
			}
			if !known {
				t.Errorf("%s imports %s, which has no line in importers and docs/design", name, path)
			}
		}
	}
}

// TestLibraryIsLight holds that whoever imports the library does not get the
// command's dependencies.
func TestLibraryIsLight(t *testing.T) {
	heavy := []string{"github.com/urfave", "github.com/goccy", "github.com/dustin", "github.com/redis", "net", "net/http", "text/template", "testing"}
	library := []string{"interfaces", "errors", "context", "encoding", "memory", "filestream", "boltindex", "tiers", "memo"}
	for _, p := range list(t) {
		name, _ := ours(p.ImportPath)
		if !slices.Contains(library, name) {
			continue
		}
		for _, dep := range p.Deps {
			for _, h := range heavy {
				if dep == h || strings.HasPrefix(dep, h+"/") {
					t.Errorf("%s depends on %s", name, dep)
				}
			}
		}
	}
}

// TestHelperStartsFast holds what the start of the GOCACHEPROG helper must not
// need. Package net came with the redis tier (docs/design/008).
func TestHelperStartsFast(t *testing.T) {
	for _, p := range list(t) {
		if name, _ := ours(p.ImportPath); name != "cmd/tierce" {
			continue
		}
		for _, slow := range []string{"net/http", "os/user", "encoding/gob"} {
			if slices.Contains(p.Deps, slow) {
				t.Errorf("cmd/tierce depends on %s", slow)
			}
		}
	}
}
