// SPDX-License-Identifier: Apache-2.0

package context

import (
	"slices"
	"strings"
)

// optionKind is what an option of a compiler is about.
type optionKind int

const (
	plain    optionKind = iota // the text says it all
	ignored                    // no effect on the result
	optimize                   // -O
	standard                   // -std
	define                     // -D, -U
	language                   // -x: about what stands behind it
	library                    // -l: external, and about what stands before it
	external                   // the value names a file or folder that is read
	sideFile                   // the effect is a file beside the output
	native                     // depends on this machine's processor
	passedOn                   // the value is for another program
)

// option is one option and its value.
type option struct {
	name  string
	value string
	kind  optionKind
	apart bool // the value is the next argument
}

// text returns the option in one form: the value behind its name.
func (o option) text() string {
	if o.name == "-g" {
		return "-g2"
	}
	return o.name + o.value
}

// form says how an option's value is written.
type form int

const (
	exact    form = iota // it has none
	joined               // behind the name, possibly nothing
	either               // behind the name, or in the next argument
	separate             // in the next argument
	assigned             // behind the name and "=", or in the next argument
)

type knownOption struct {
	name string
	form form
	kind optionKind
}

// known are the options about which more is known than their text, for gcc and
// clang. An option that is a prefix of another stands behind it.
var known = []knownOption{
	{"-o", either, ignored}, {"-pipe", exact, ignored},
	{"-O", joined, optimize}, {"-std=", joined, standard}, {"--std", assigned, standard}, {"-ansi", exact, standard},
	{"-D", either, define}, {"-U", either, define},
	{"-x", either, language}, {"-l", either, library},

	{"-idirafter", either, external}, {"-imacros", either, external}, {"-include-pch", separate, external},
	{"-include", either, external}, {"-iprefix", either, external}, {"-iquote", either, external},
	{"-isysroot", either, external}, {"-isystem-after", either, external}, {"-isystem", either, external}, {"-iwithprefixbefore", either, external},
	{"-iwithprefix", either, external}, {"-iframework", either, external}, {"-ivfsoverlay", either, external},
	{"-imultilib", either, external}, {"-I", either, external}, {"-F", either, external},
	{"-L", either, external}, {"-B", either, external}, {"-T", either, external}, {"--sysroot", assigned, external},
	{"--gcc-toolchain", assigned, external}, {"-resource-dir", assigned, external}, {"-specs", assigned, external}, {"--specs", assigned, external},
	{"--config", assigned, external}, {"-wrapper", separate, passedOn}, {"--param", assigned, plain},
	{"-target", separate, plain}, {"-arch", separate, plain}, {"-MT", either, plain}, {"-MQ", either, plain},

	{"-MF", either, sideFile}, {"-MJ", either, sideFile}, {"-MMD", exact, sideFile}, {"-MD", exact, sideFile},
	{"-save-temps", joined, sideFile}, {"--save-temps", joined, sideFile}, {"-fstack-usage", exact, sideFile},
	{"-ftest-coverage", exact, sideFile}, {"-fprofile-arcs", exact, sideFile}, {"--coverage", exact, sideFile},
	{"-coverage", exact, sideFile}, {"-fcallgraph-info", joined, sideFile}, {"-fdump-", joined, sideFile},
	{"-d", joined, sideFile}, {"-ftime-trace", joined, sideFile}, {"-fsave-optimization-record", joined, sideFile},
	{"-foptimization-record-file", joined, sideFile}, {"-gsplit-dwarf", joined, sideFile}, {"-aux-info", either, sideFile},
	{"--serialize-diagnostics", separate, sideFile}, {"-serialize-diagnostics", separate, sideFile}, {"-fopt-info", joined, sideFile},
	{"-fdiagnostics-format=sarif-file", exact, sideFile}, {"-fdiagnostics-format=json-file", exact, sideFile},
	{"-fdiagnostics-add-output=", joined, sideFile}, {"-fdiagnostics-set-output=", joined, sideFile}, {"-fdeps-file=", joined, sideFile},
	{"-fmodules", joined, sideFile}, {"-fmodule-output", joined, sideFile}, {"-fcrash-diagnostics-dir=", joined, sideFile},

	{"-march=native", exact, native}, {"-mtune=native", exact, native}, {"-mcpu=native", exact, native},
	{"-Xclang", separate, passedOn}, {"-Xpreprocessor", separate, passedOn}, {"-Xassembler", separate, passedOn},
	{"-Xlinker", separate, passedOn}, {"-Xanalyzer", separate, passedOn}, {"-mllvm", separate, passedOn},
	{"-Wp,", joined, passedOn}, {"-Wa,", joined, passedOn}, {"-Wl,", joined, passedOn},
	{"-fplugin", joined, passedOn}, {"-fprofile-use", joined, passedOn}, {"-fprofile-generate", joined, plain}, {"-fbranch-probabilities", exact, passedOn},
	{"-fauto-profile", joined, passedOn}, {"-fprofile-instr-use", joined, passedOn}, {"-fprofile-sample-use", joined, passedOn},

	{"-fdebug-prefix-map=", joined, plain}, {"-ffile-prefix-map=", joined, plain}, {"-fmacro-prefix-map=", joined, plain},
	{"-fcoverage-prefix-map=", joined, plain}, {"-fdebug-compilation-dir=", joined, plain}, {"-ffile-compilation-dir=", joined, plain},
	{"-g", exact, plain},
}

// fileWords are in the names of options whose value names a file.
var fileWords = []string{"file", "list", "dir", "path", "map", "profile", "plugin"}

// optionOf returns what the argument that begins with "-" is. What is not known
// is its text, unless it may name a file.
func optionOf(arg string) option {
	for _, k := range known {
		if o, ok := k.match(arg); ok {
			return o
		}
	}
	o := option{name: arg}
	name, _, hasValue := strings.Cut(arg, "=")
	named := func(word string) bool { return strings.Contains(name, word) }
	if strings.ContainsAny(arg, `/\`) || hasValue && slices.ContainsFunc(fileWords, named) {
		o.kind = passedOn
	}
	return o
}

// match returns the option that arg is, if it is this one.
func (k knownOption) match(arg string) (option, bool) {
	rest, ok := strings.CutPrefix(arg, k.name)
	if !ok {
		return option{}, false
	}
	o := option{name: k.name, value: rest, kind: k.kind}
	switch k.form {
	case either:
		o.apart = rest == ""
	case exact:
		return o, rest == ""
	case separate:
		o.apart = true
		return o, rest == ""
	case assigned:
		o.name += "="
		o.value, ok = strings.CutPrefix(rest, "=")
		o.apart = rest == ""
		return o, ok || o.apart
	}
	return o, true
}
