// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// module is a generated Go module: the same one for the same fields.
type module struct {
	path     string // import path
	packages int    // how many packages in a web of imports
	whole    bool   // also with cgo, assembly, embed, vendor, internal, tests
	salt     []int  // of package n, what its value has in addition; may be short
}

// big is the module of the issue: 125 packages of its own, 2 vendored ones.
var big = module{path: "example.test/big", packages: 106, whole: true}

// small is for tests of something else than the input. It needs nothing of the
// standard library but the runtime.
var small = module{path: "example.test/small", packages: 15}

// write makes the module in the directory dir.
func (m module) write(dir string) error {
	for name, text := range m.files() {
		if err := writeOld(filepath.Join(dir, filepath.FromSlash(name)), strings.ReplaceAll(text, "MODULE", m.path)); err != nil {
			return err
		}
	}
	return nil
}

// writeOld writes a file that looks a day old: of what changed in the last two
// seconds the go command keeps less.
func writeOld(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		return err
	}
	yesterday := time.Now().Add(-24 * time.Hour)
	return os.Chtimes(path, yesterday, yesterday)
}

// modulus keeps the values of packages small.
const modulus = 1000003

// values returns what function Value of each package returns.
func (m module) values() []int {
	values := make([]int, m.packages)
	for i := range values {
		values[i] = i + m.salted(i)
		for _, j := range below(i) {
			values[i] += values[j]
		}
		values[i] %= modulus
	}
	return values
}

func (m module) salted(n int) int {
	if n < len(m.salt) {
		return m.salt[n]
	}
	return 0
}

// below returns the packages that package n imports: a web some fifteen deep,
// in which there is always something to compile at the same time.
func below(n int) []int {
	switch {
	case n < 7:
		return nil
	case n < 10:
		return []int{n - 7}
	}
	return []int{n - 7, n - 10}
}

// output returns what the module's cmd/app prints; a small one does that on
// standard error.
func (m module) output() string {
	sum := 0
	for _, v := range m.values() {
		sum += v
	}
	if !m.whole {
		return fmt.Sprintln(m.path, sum)
	}
	return fmt.Sprintln(m.path, sum, "one", 42, 3, 7, "dep", "sub")
}

func (m module) files() map[string]string {
	files := map[string]string{"go.mod": "module MODULE\n\ngo 1.24\n"}
	for n := range m.packages {
		files[fmt.Sprintf("p%03d/p.go", n)] = m.webPackage(n)
	}
	if !m.whole {
		files["cmd/app/main.go"] = m.mainPackage(smallMain)
		return files
	}
	maps.Copy(files, extras)
	for n := range 12 {
		files[fmt.Sprintf("internal/i%02d/i.go", n)] = fmt.Sprintf("// Package i%02[1]d is internal.\npackage i%02[1]d\n\n// Zero is zero.\nconst Zero = 0\n", n)
	}
	for n, value := range m.values() {
		if n%30 == 0 {
			files[fmt.Sprintf("p%03d/p_test.go", n)] = fmt.Sprintf(webTest, n, value)
		}
	}
	files["cmd/app/main.go"] = m.mainPackage(wholeMain)
	return files
}

// mainPackage returns the source of cmd/app, which imports all of the web.
func (m module) mainPackage(source string) string {
	var imports, sum strings.Builder
	for n := range m.packages {
		fmt.Fprintf(&imports, "\t\"MODULE/p%03d\"\n", n)
		fmt.Fprintf(&sum, " + p%03d.Value()", n)
	}
	return strings.NewReplacer("IMPORTS", imports.String(), "SUM", "0"+sum.String()).Replace(source)
}

// webPackage returns the source of package n. It is generic inside, so that its
// importers get instances of their own.
func (m module) webPackage(n int) string {
	var imports, sum strings.Builder
	for _, i := range below(n) {
		fmt.Fprintf(&imports, "import \"MODULE/p%03d\"\n", i)
		fmt.Fprintf(&sum, ", p%03d.Value()", i)
	}
	if m.whole {
		fmt.Fprintf(&imports, "import \"MODULE/internal/i%02d\"\n", n%12)
		fmt.Fprintf(&sum, ", i%02d.Zero", n%12)
	}
	return fmt.Sprintf(webSource, n, imports.String(), sum.String(), modulus, m.salted(n))
}

const webSource = `// Package p%03[1]d is one of many.
package p%03[1]d

%[2]s
// Number is what Sum takes.
type Number interface{ ~int | ~float64 }

// Pair is generic.
type Pair[K comparable, V any] struct {
	Key   K
	Value V
}

// Sum is generic too.
func Sum[T Number](numbers ...T) T {
	var sum T
	for _, n := range numbers {
		sum += n
	}
	return sum
}

// Value is made from the values of the packages below.
func Value() int {
	pair := Pair[string, int]{"p%03[1]d", Sum(%[1]d, %[5]d%[3]s)}
	return pair.Value %% %[4]d
}
`

const webTest = `package p%03[1]d

import "testing"

func TestValue(t *testing.T) {
	if got := Value(); got != %[2]d {
		t.Errorf("got %%d, want %[2]d", got)
	}
}
`

// smallMain needs nothing of the standard library but the runtime.
const smallMain = `// Command app prints a sum that all packages take part in.
package main

import (
IMPORTS)

func main() { println("MODULE", SUM) }
`

// wholeMain needs little of the standard library, which many tests compile anew.
const wholeMain = `// Command app prints something of every kind of package.
package main

import (
	"syscall"

	"example.test/dep"
	"example.test/dep/sub"
	"MODULE/asset"
	"MODULE/assembly"
	"MODULE/cmath"
	"MODULE/ctwice"
IMPORTS)

func main() {
	line := "MODULE " + text(SUM) + " " + asset.One() + " " + text(ctwice.Twice(21)) + " " + text(cmath.Root(9)) +
		" " + text(assembly.Add(3, 4)) + " " + dep.Name() + " " + sub.Name + "\n"
	syscall.Write(syscall.Stdout, []byte(line))
}

func text(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return text(n/10) + text(n%10)
}
`

// extras are the packages that are there once.
var extras = map[string]string{
	"go.mod": "module MODULE\n\ngo 1.24\n\nrequire example.test/dep v1.2.3\n",
	"vendor/modules.txt": "# example.test/dep v1.2.3\n## explicit; go 1.24\n" +
		"example.test/dep\nexample.test/dep/sub\n",
	"vendor/example.test/dep/dep.go": "// Package dep is vendored.\npackage dep\n\nimport \"example.test/dep/sub\"\n\n" +
		"// Name is its name.\nfunc Name() string { return sub.Name[:0] + \"dep\" }\n",
	"vendor/example.test/dep/sub/sub.go": "// Package sub is vendored too.\npackage sub\n\n// Name is its name.\nconst Name = \"sub\"\n",

	"asset/asset.go": `// Package asset has files in it.
package asset

import "embed"

//go:embed data/*.txt
var files embed.FS

//go:embed data/one.txt
var one string

// One is the first file's text.
func One() string { return one[:len(one)-1] }

// Files is how many there are.
func Files() int {
	entries, _ := files.ReadDir("data")
	return len(entries)
}
`,
	"asset/data/one.txt": "one\n",
	"asset/data/two.txt": "two\n",
	"asset/asset_test.go": `package asset_test

import (
	"os"
	"testing"

	"MODULE/asset"
)

func TestOne(t *testing.T) {
	golden, err := os.ReadFile("testdata/golden.txt")
	if err != nil || asset.Files() != 2 {
		t.Fatal(err, asset.Files())
	}
	t.Log(os.Getenv("ASSET"), asset.One(), string(golden))
}
`,
	"asset/testdata/golden.txt": "golden\n",

	"ctwice/twice.go": `//go:build cgo

// Package ctwice is written in C.
package ctwice

// #include "twice.h"
import "C"

// Twice is twice n.
func Twice(n int) int { return int(C.twice(C.int(n))) }
`,
	"ctwice/twice.c": "#include \"twice.h\"\n\nint twice(int n) { return 2 * n; }\n",
	"ctwice/twice.h": "int twice(int n);\n",
	"ctwice/none.go": "//go:build !cgo\n\n// Package ctwice is written in Go where there is no C.\npackage ctwice\n\n" +
		"// Twice is twice n.\nfunc Twice(n int) int { return 2 * n }\n",
	"ctwice/twice_test.go": "package ctwice\n\nimport \"testing\"\n\nfunc TestTwice(t *testing.T) {\n\tif got := Twice(4); got != 8 {\n\t\tt.Error(got)\n\t}\n}\n",

	"cmath/root.go": `//go:build cgo

// Package cmath links with a C library.
package cmath

// #cgo LDFLAGS: -lm
// #include <math.h>
import "C"

// Root is the whole part of the root.
func Root(n int) int { return int(C.sqrt(C.double(n))) }
`,
	"cmath/none.go": `//go:build !cgo

// Package cmath does without C.
package cmath

// Root is the whole part of the root.
func Root(n int) int {
	r := 0
	for (r+1)*(r+1) <= n {
		r++
	}
	return r
}
`,

	"assembly/add.go":       "// Package assembly has some.\npackage assembly\n\n// Add adds.\nfunc Add(a, b int) int { return add(a, b) }\n",
	"assembly/add_amd64.go": "package assembly\n\n//go:noescape\nfunc add(a, b int) int\n",
	"assembly/add_amd64.s":  "#include \"textflag.h\"\n\nTEXT ·add(SB), NOSPLIT, $0-24\n\tMOVQ a+0(FP), AX\n\tADDQ b+8(FP), AX\n\tMOVQ AX, ret+16(FP)\n\tRET\n",
	"assembly/add_other.go": "//go:build !amd64\n\npackage assembly\n\nfunc add(a, b int) int { return a + b }\n",

	"cmd/tool/main.go": "// Command tool is a second program.\npackage main\n\nimport \"MODULE/p000\"\n\nfunc main() { println(p000.Value()) }\n",
}
