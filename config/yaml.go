// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// What a configuration never needs. Beyond it the parser takes memory and time
// that grow with the square of both (65536 open brackets: more than 5 GB).
const (
	maxTokens = 10000
	maxDepth  = 32
)

// parseYAML returns the mapping that data, the content of the file called
// source, has; an absent node if it is empty.
func parseYAML(source string, data []byte) (node, error) {
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	file := place{source: source}
	if !utf8.Valid(data) {
		return node{}, file.errorf("", "is not UTF-8 text; write it in YAML")
	}
	tokens := lexer.Tokenize(string(data))
	y := yamlFile{source: source}
	if err := y.checkTokens(tokens); err != nil {
		return node{}, err
	}
	parsed, err := parser.Parse(tokens, 0)
	if err != nil {
		return node{}, y.syntaxError(err)
	}
	return y.document(parsed.Docs)
}

// yamlFile turns the parser's tree into nodes.
type yamlFile struct{ source string }

func (y yamlFile) at(tk *token.Token) place {
	if tk == nil || tk.Position == nil {
		return place{source: y.source}
	}
	return place{source: y.source, line: tk.Position.Line, column: tk.Position.Column}
}

// checkTokens refuses what would be too much for the parser.
func (y yamlFile) checkTokens(tokens token.Tokens) error {
	if len(tokens) > maxTokens {
		return y.at(tokens[maxTokens]).errorf("", "has more than %d words and signs; a configuration needs fewer", maxTokens)
	}
	open, entries, line := 0, 0, 0
	for _, tk := range tokens {
		if tk.Position.Line != line {
			entries, line = 0, tk.Position.Line
		}
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			open++
		case token.SequenceEndType, token.MappingEndType:
			open--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			entries++
		}
		if max(open, entries) > maxDepth {
			return y.at(tk).errorf("", "is nested more than %d deep; a configuration needs less", maxDepth)
		}
	}
	return nil
}

// syntaxError returns what the parser says, without the parser's error: its
// text has an excerpt of the file, which could show a secret.
func (y yamlFile) syntaxError(err error) *Error {
	at, problem := place{source: y.source}, "cannot be read"
	if syntax, ok := err.(interface {
		GetToken() *token.Token
		GetMessage() string
	}); ok {
		at, problem = y.at(syntax.GetToken()), syntax.GetMessage()
	}
	if strings.Contains(problem, "\t") {
		problem = "a tab cannot begin anything; indent with spaces"
	}
	return at.errorf("", "is not YAML: %s", problem)
}

func (y yamlFile) document(docs []*ast.DocumentNode) (node, error) {
	var root node
	found := false
	for _, doc := range docs {
		if doc.Body == nil {
			continue
		}
		if found {
			return node{}, y.at(doc.Body.GetToken()).errorf("", "is a second document; a configuration is one")
		}
		n, err := y.convert(doc.Body)
		if err != nil {
			return node{}, err
		}
		root, found = n, true
	}
	switch root.kind {
	case absent, null:
		return node{}, nil
	case mapping:
		return root, nil
	default:
		return node{}, root.errorf("", "is %s; a configuration is a mapping, such as dir: /var/cache/tierce", root.kind)
	}
}

// convert returns the node of n.
func (y yamlFile) convert(n ast.Node) (node, error) {
	at := y.at(n.GetToken())
	switch n := n.(type) {
	case *ast.NullNode:
		return node{place: at, kind: null}, nil
	case *ast.BoolNode:
		return node{place: at, kind: boolean, text: n.Token.Value}, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return node{place: at, kind: number, text: n.GetToken().Value}, nil
	case *ast.StringNode:
		return node{place: at, kind: text, text: n.Value}, nil
	case *ast.LiteralNode:
		return node{place: at, kind: text, text: n.Value.Value}, nil
	case *ast.SequenceNode:
		return y.list(at, n)
	case *ast.MappingNode:
		return y.mapping(at, n.Values)
	case *ast.MappingValueNode:
		return y.mapping(at, []*ast.MappingValueNode{n})
	case *ast.AnchorNode, *ast.AliasNode:
		return node{}, at.errorf("", "anchors and aliases are not read here; write the value out")
	case *ast.TagNode:
		return node{}, at.errorf("", "tags (!...) are not read here; leave the tag out")
	default:
		return node{}, at.errorf("", "%s is not read here; write text, a number, true or false, a list or a mapping", n.Type())
	}
}

func (y yamlFile) list(at place, n *ast.SequenceNode) (node, error) {
	result := node{place: at, kind: list}
	for _, value := range n.Values {
		item, err := y.convert(value)
		if err != nil {
			return node{}, err
		}
		result.items = append(result.items, item)
	}
	return result, nil
}

func (y yamlFile) mapping(at place, values []*ast.MappingValueNode) (node, error) {
	result := node{place: at, kind: mapping}
	for i, value := range values {
		key, ok := value.Key.(*ast.StringNode)
		at := y.at(value.Key.GetToken())
		if i == 0 {
			result.place = at
		}
		if !ok {
			return node{}, at.errorf("", "the name of a field is text, such as dir, and not %s", cacheerr.Shorten(value.Key.GetToken().Value))
		}
		if result.find(key.Value).kind != absent {
			return node{}, at.errorf("", "field %q is there twice; leave one out", key.Value)
		}
		item, err := y.convert(value.Value)
		if err != nil {
			return node{}, err
		}
		result.fields = append(result.fields, field{name: key.Value, place: at, value: item})
	}
	return result, nil
}
