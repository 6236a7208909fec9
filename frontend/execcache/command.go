// SPDX-License-Identifier: Apache-2.0

// Package execcache records and replays commands: what a command prints, its
// exit code and its files come from a cache when all that it is said to depend
// on is the same.
//
//	recorder, err := execcache.New(fast, execcache.Options{Files: cache})
//	outcome, err := recorder.Run(ctx, execcache.Command{
//		Args: []string{"gcc", "-c", "main.c"}, Inputs: []string{"*.[ch]"}, Outputs: []string{"main.o"},
//	}, execcache.Streams{Stdout: os.Stdout, Stderr: os.Stderr})
//
// It stands on package memo: a command is a recorded function of its [Parts],
// and returns a [Result].
package execcache

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// Command is a command, and all that it is said to depend on and to make.
type Command struct {
	// Args are the program and its arguments. The program is a tool.
	Args []string
	// Dir is the working folder; "" is that of this process. Its path is no
	// part of the key.
	Dir string
	// Inputs are patterns of files below Dir, with ** for any folders; a folder
	// is all that is in it. Outputs are never inputs.
	Inputs []string
	// Outputs are the paths, below Dir, of the regular files that the command
	// makes.
	Outputs []string
	// Env are names of variables whose values count.
	Env []string
	// Tools are programs that the command runs, by path or by name on PATH.
	Tools []string
	// Stdin says that the standard input is an input. Else it is empty.
	Stdin bool
	// Failures says that a result with another exit code than 0 is recorded
	// too.
	Failures bool
}

// Parts are all that the key of a command's result is made from, but for the
// isolation key. They hold digests (SHA-256, in hex) where the content may be
// large or secret.
type Parts struct {
	Args []string `json:"args"`
	// Inputs are digests by path below Dir, with slashes; "+x" follows that of
	// a file that may be executed. A link to a folder or to nothing is "-> "
	// and what it says.
	Inputs  map[string]string `json:"inputs,omitempty"`
	Env     map[string]string `json:"env,omitempty"`     // by name: digests of values; "" if it is not set
	Tools   map[string]string `json:"tools,omitempty"`   // as they are named, with the program: identities
	Outputs []string          `json:"outputs,omitempty"` // sorted
	Stdin   string            `json:"stdin,omitempty"`   // digest
}

// DeclarationError says what is wrong with what a [Command] says of itself. It is
// a cacheerr.UserError.
type DeclarationError struct {
	Kind string // "input", "output", "variable", "tool" or "command"
	Name string // as it was given
	Why  string // what is wrong with it
	Do   string // what would be right
	Err  error  // what the system said, if that is why
}

var _ cacheerr.UserError = (*DeclarationError)(nil)

// Error implements error.
func (e *DeclarationError) Error() string {
	return fmt.Sprintf("%s %q: %s; %s", e.Kind, e.Name, e.Why, e.Do)
}

// ErrorName implements [cacheerr.CacheError].
func (e *DeclarationError) ErrorName() string { return "DeclarationError" }

// Remedy implements [cacheerr.UserError].
func (e *DeclarationError) Remedy() string { return e.Do }

// Unwrap returns what the system said.
func (e *DeclarationError) Unwrap() error { return e.Err }

const (
	isOutside = "it leads outside the working folder, or is a link to an absolute path, where no other machine has it"
	stayIn    = "name what is below the working folder, or run the command from a folder above both; a program is named as a tool (--tool)"
)

// complete returns c with its patterns and paths in one form, or what is wrong
// with them.
func (c Command) complete() (Command, error) {
	if len(c.Args) == 0 || c.Args[0] == "" {
		return c, &DeclarationError{Kind: "command", Why: "there is none", Do: "name a program and its arguments"}
	}
	c.Inputs, c.Outputs = slices.Clone(c.Inputs), slices.Clone(c.Outputs)
	for i, pattern := range c.Inputs {
		clean, err := cleanPattern(pattern)
		if err != nil {
			return c, err
		}
		c.Inputs[i] = clean
	}
	for i, output := range c.Outputs {
		switch {
		case output == "" || strings.HasSuffix(filepath.ToSlash(output), "/"):
			return c, &DeclarationError{Kind: "output", Name: output, Why: "it is no file", Do: "name each file that the command makes"}
		case !filepath.IsLocal(output):
			return c, &DeclarationError{Kind: "output", Name: output, Why: isOutside, Do: "run the command from a folder above it"}
		}
		c.Outputs[i] = path.Clean(filepath.ToSlash(output))
	}
	slices.Sort(c.Outputs)
	c.Outputs = slices.Compact(c.Outputs)
	for _, name := range c.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return c, &DeclarationError{Kind: "variable", Name: name, Why: "no variable has such a name", Do: "give the name alone; its value is taken from the environment"}
		}
	}
	return c, nil
}

// cleanPattern returns a pattern of inputs without what says nothing.
func cleanPattern(pattern string) (string, error) {
	clean := filepath.ToSlash(pattern)
	for strings.HasPrefix(clean, "./") {
		clean = strings.TrimLeft(clean[2:], "/")
	}
	clean = strings.TrimSuffix(clean, "/")
	segments := strings.FieldsFunc(clean, func(r rune) bool { return strings.ContainsRune("/{},", r) })
	switch {
	case pattern == "":
		return "", &DeclarationError{Kind: "input", Why: "it is empty", Do: "name a file, a folder or a pattern"}
	case filepath.IsAbs(pattern), path.IsAbs(clean), slices.Contains(segments, ".."), filepath.VolumeName(pattern) != "":
		return "", &DeclarationError{Kind: "input", Name: pattern, Why: isOutside, Do: stayIn}
	case !doublestar.ValidatePattern(clean):
		return "", &DeclarationError{Kind: "input", Name: pattern, Why: "it is no pattern", Do: `close its brackets and braces, or put \ before them`}
	case clean == "":
		clean = "."
	}
	return clean, nil
}
