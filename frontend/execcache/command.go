// SPDX-License-Identifier: Apache-2.0

// Package execcache records and replays commands: what a command prints, its
// exit code and its files come from a cache when all that it is said to depend
// on is the same.
package execcache

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
	Args    []string          `json:"args"`
	Inputs  map[string]string `json:"inputs,omitempty"`  // by path below Dir, with slashes: digests
	Env     map[string]string `json:"env,omitempty"`     // by name: digests of values; "" if it is not set
	Tools   map[string]string `json:"tools,omitempty"`   // as they are named, with the program: identities
	Outputs []string          `json:"outputs,omitempty"` // sorted
	Stdin   string            `json:"stdin,omitempty"`   // digest
}
