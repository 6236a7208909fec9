// SPDX-License-Identifier: Apache-2.0

package context

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// jobSchema is the version of how a [Job] becomes a key. Raise it when that
// changes.
const jobSchema = 1

// Job is one call of a compiler that takes options as gcc and clang do. Its key
// stands for what the compiler makes of it: options that mean the same give the
// same key, and what the key cannot see is refused.
type Job struct {
	// Tool is the identity of the compiler: an isolation key with
	// [CCompiler] in it, or a digest. It is not empty.
	Tool string
	// Args are the arguments after the compiler's name.
	Args []string
	// Inputs are digests of the content of files and folders, by the text with
	// which Args name them: of the sources, and of whatever options name.
	// "-" is the standard input.
	Inputs map[string]string
	// Dir is the working directory, if it is to count: with debug information
	// it is in what the compiler makes.
	Dir string
	// Extra is a digest over everything that Args name and Inputs have not,
	// with what these include in turn: the preprocessed source, or all headers.
	// It lifts the refusal of inputs that the key cannot see.
	Extra string
	// KeepsSideFiles says that the caller stores the files that the compiler
	// writes beside its output, and brings them back: it lifts the refusal of
	// options that make some. No digest could.
	KeepsSideFiles bool
}

// RefusedError says that an option has to do with something that a job's key
// cannot see.
type RefusedError struct {
	Option string // as it is written, with its value if that is an argument of its own
	Why    string // what the key cannot see, and what lifts the refusal
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("option %q cannot be part of a key: %s", e.Option, e.Why)
}

const (
	whyExternal = "it names a file or folder of which there is no digest; give one in Inputs, or one over everything in Extra"
	whyMachine  = "it means the processor of this machine; name that, or put the key of the form cpu in Extra"
	whySideFile = "its effect is a file beside the output; leave it out, or store that file too and set KeepsSideFiles"
	whyUnknown  = "nothing is known about what its value reads and writes; give a digest over all in Extra and set KeepsSideFiles"
)

// Key returns the key of the job: 64 hex digits. These are the same:
//
//   - an option and its value in one argument or in two;
//   - -O and -O1, -g and -g2, -DX and -DX=1, no -O and -O0; of several -O or
//     -std the last counts;
//   - -D and -U of different names in another order;
//   - options before or behind sources; -pipe or not; -o, whatever it names.
//
// All else keeps its order, since with -I, -W, -f and -m it counts. Variables
// that compilers read, such as CPATH and SOURCE_DATE_EPOCH, are no part of it:
// let the form [Env] into Tool.
//
// An option with an effect or an input that the key cannot see is a
// *[RefusedError], as is a source without a digest.
func (j Job) Key() (string, error) {
	if j.Tool == "" {
		return "", errors.New("context: the job has no Tool; give the identity of the compiler")
	}
	call := call{job: &j}
	if err := call.read(j.Args); err != nil {
		return "", err
	}
	slices.SortStableFunc(call.macros, func(a, b macro) int { return strings.Compare(a.name, b.name) })
	text, err := encode(struct {
		Schema   int
		Tool     string
		Dir      string
		Extra    string
		Optimize string
		Standard string
		Macros   []string
		Options  []string
		Sources  []string
		Inputs   map[string]string
	}{jobSchema, j.Tool, cleanDir(j.Dir), j.Extra, call.optimize, call.standard, call.macroTexts(), call.options, call.sources, call.used})
	if err != nil {
		return "", err
	}
	if replaced(text) {
		return "", errors.New("context: the job has text that is not UTF-8")
	}
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:]), nil
}

func cleanDir(dir string) string {
	if dir == "" {
		return ""
	}
	return filepath.ToSlash(filepath.Clean(dir))
}

// call is what was read of a job's arguments.
type call struct {
	job      *Job
	optimize string            // "" is -O0
	standard string            // "" is the compiler's own
	macros   []macro           // -D and -U
	options  []string          // all others, an option and its value in one
	sources  []string          // and the options whose place among them counts
	used     map[string]string // of Inputs, what the arguments name
}

type macro struct{ name, text string }

func (c *call) macroTexts() []string {
	var texts []string
	for _, m := range c.macros {
		texts = append(texts, m.text)
	}
	return texts
}

// read reads arguments one by one.
func (c *call) read(args []string) error {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "-" || !strings.HasPrefix(arg, "-") {
			if err := c.source(arg); err != nil {
				return err
			}
			continue
		}
		o := optionOf(arg)
		if o.apart {
			if i++; i == len(args) {
				return &RefusedError{Option: arg, Why: "its value is missing"}
			}
			o.value = args[i]
		}
		if err := c.option(o); err != nil {
			return err
		}
	}
	return nil
}

// source takes an argument that is no option.
func (c *call) source(name string) error {
	if strings.HasPrefix(name, "@") {
		return &RefusedError{Option: name, Why: "more arguments are in that file; give them in Args"}
	}
	if !c.sees(name) {
		return &RefusedError{Option: name, Why: whyExternal}
	}
	c.sources = append(c.sources, name)
	return nil
}

// sees reports whether there is a digest for what an argument names.
func (c *call) sees(name string) bool {
	if digest, ok := c.job.Inputs[name]; ok && digest != "" {
		if c.used == nil {
			c.used = make(map[string]string)
		}
		c.used[name] = digest
		return true
	}
	return c.job.Extra != ""
}

// option takes an option with its value.
func (c *call) option(o option) error {
	if why := c.refuses(o); why != "" {
		return &RefusedError{Option: o.text(), Why: why}
	}
	switch o.kind {
	case ignored:
		if o.name == "-o" && c.job.KeepsSideFiles { // their names are made of it
			c.options = append(c.options, o.text())
		}
	case optimize:
		c.level(o.value)
	case standard:
		c.standard = cmp.Or(o.value, o.name) // -ansi has no value
	case define:
		c.macros = append(c.macros, macroOf(o))
	case language, library, passedOn:
		c.sources = append(c.sources, o.text())
	default:
		c.options = append(c.options, o.text())
	}
	return nil
}

// level takes an -O. The place of -Ofast counts: it stands for others, too.
func (c *call) level(value string) {
	switch value {
	case "":
		value = "1"
	case "0":
		value = ""
	case "fast":
		c.options = append(c.options, "-Ofast")
	}
	c.optimize = value
}

// macroOf returns what a -D or -U is about.
func macroOf(o option) macro {
	signature, value, ok := strings.Cut(o.value, "=")
	if !ok && o.name == "-D" {
		value = "1"
	}
	name, _, _ := strings.Cut(signature, "(")
	return macro{name, o.name + signature + "=" + value}
}

// refuses returns why the key cannot see what an option is about, or "".
func (c *call) refuses(o option) string {
	switch {
	case o.kind == sideFile && !c.job.KeepsSideFiles:
		return whySideFile
	case (o.kind == external || o.kind == library) && !c.sees(o.value):
		return whyExternal
	case o.kind == native && c.job.Extra == "":
		return whyMachine
	case o.kind == passedOn && (c.job.Extra == "" || !c.job.KeepsSideFiles):
		return whyUnknown
	}
	return ""
}
