// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"io"
	"time"

	"github.com/tiercecache/tierce/config"
)

// Execute runs the command with args and returns the exit code.
func Execute(ctx context.Context, registry config.Registry, stdout, stderr io.Writer, args ...string) int {
	a := &app{registry: registry, stdout: stdout, stderr: stderr}
	return a.execute(ctx, args)
}

// The pure parts.
var (
	Quote    = quote
	Count    = count
	Size     = size
	Duration = duration
	Sentence = sentence
	CodeOf   = codeOf

	BuildName = buildName
	Portable  = portable

	ShellWord = shellWord
	PatternOf = patternOf

	TraceLines = traceLines
)

// Environ is an environment as os/exec takes it.
type Environ = environ

// Set sets a variable.
func (e *Environ) Set(name, value string) { e.set(name, value) }

// Get returns the value of a variable.
func (e *Environ) Get(name string) string { return e.get(name) }

// AwaitHelpers waits as "tierce run" does for the helpers that report to a file.
func AwaitHelpers(ctx context.Context, report string) {
	(&runner{report: report, patience: time.Hour}).await(ctx)
}
