// SPDX-License-Identifier: Apache-2.0

package errors_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

// declared is what the source of the package exports: the doc comment of each
// error type, category and sentinel, and which of them are leaves.
type declared struct {
	docs   map[string]string
	leaves []string
}

func source(t *testing.T) declared {
	t.Helper()
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	found := declared{docs: map[string]string{}}
	for _, name := range names {
		if !strings.HasSuffix(name.Name(), ".go") || strings.HasSuffix(name.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name.Name(), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			found.add(decl)
		}
	}
	return found
}

func (d *declared) add(decl ast.Decl) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Recv == nil || decl.Name.Name != "Error" {
			return
		}
		pointer, ok := decl.Recv.List[0].Type.(*ast.StarExpr)
		if !ok {
			return
		}
		if name := pointer.X.(*ast.Ident).Name; ast.IsExported(name) {
			d.leaves = append(d.leaves, name)
		}
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			d.addSpec(decl, spec)
		}
	}
}

func (d *declared) addSpec(decl *ast.GenDecl, spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if _, category := spec.Type.(*ast.InterfaceType); category || isLeafName(spec.Name.Name) {
			d.docs[spec.Name.Name] = decl.Doc.Text()
		}
	case *ast.ValueSpec:
		if name := spec.Names[0].Name; strings.HasPrefix(name, "Err") {
			d.docs[name] = spec.Doc.Text()
		}
	}
}

func isLeafName(name string) bool {
	return ast.IsExported(name) && (strings.HasSuffix(name, "Error") || name == "TierFailures")
}

func TestReturnedWhen(t *testing.T) {
	found := source(t)
	if len(found.docs) != len(found.leaves)+7+len(sentinels()) {
		t.Errorf("%d documented names, want %d leaves, 7 categories and %d sentinels",
			len(found.docs), len(found.leaves), len(sentinels()))
	}
	for name, doc := range found.docs {
		t.Run("E3 "+name, func(t *testing.T) {
			if !strings.HasPrefix(doc, name+" ") {
				t.Errorf("the comment does not begin with the name: %q", doc)
			}
			_, list, ok := strings.Cut(doc, "\nReturned when:\n")
			if !ok || !isList(list) {
				t.Errorf("the comment does not end with a list \"Returned when\":\n%s", doc)
			}
		})
	}
}

// isList reports whether text has items, and nothing else.
func isList(text string) bool {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "  - ") && !strings.HasPrefix(line, "    ") {
			return false
		}
	}
	return strings.HasPrefix(text, "  - ")
}

func TestSamplesAreComplete(t *testing.T) {
	var want []string
	for _, s := range samples() {
		want = append(want, s.err.ErrorName())
	}
	got := source(t).leaves
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the tests know other leaves than the package has:\n got %v\nwant %v", want, got)
	}
}
