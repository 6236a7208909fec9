// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the scripts of testdata. Beside the usual commands they have:
//
//	generate [-small] dir the big module, or one of fifteen packages
//	sources dir           a copy of this repository
//	warm                  $TIERCE_DIR has what the standard library compiles to
//	native CMD...         a go command without Tierce: the reference
//	through CMD...        tierce run --summary json -- CMD, which must succeed
//	steps COND...         of what the last through with -x did; none is no compile step
//	summary COND...       of the summary of the last through, and of its steps
//	report COND...        of the JSON object that the last standard output is
//	same FILE FILE        equal bytes
//	exports LIST LIST     the files named in two outputs of go list are equal
//	code N CMD...         run CMD, which must end with exit code N
//	damage HOW N          harm every Nth entry of $TIERCE_DIR that can be harmed so; see damages
//	age DURATION          nobody has used the entries of $TIERCE_DIR for so long
//	strange [-closed] DIR somebody else owns DIR, and lets nobody else write
//
// A COND is name=N, name>N or name<N; N may be another name.
func TestScripts(t *testing.T) {
	testscript.Run(t, scripts("testdata"))
}

// scripts returns how the scripts of dir are run.
func scripts(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"generate": generate,
			"sources":  sources,
			"warm":     warm,
			"native":   native,
			"through":  through,
			"steps":    steps,
			"summary":  summary,
			"report":   report,
			"same":     same,
			"exports":  exports,
			"code":     code,
			"damage":   damage,
			"age":      age,
			"strange":  strange,
		},
	}
}

func setup(env *testscript.Env) error {
	for _, pair := range world.environment(env.WorkDir) {
		name, value, _ := strings.Cut(pair, "=")
		env.Setenv(name, value)
	}
	for _, dir := range []string{"home", "tmp", "gocache"} {
		if err := os.MkdirAll(filepath.Join(env.WorkDir, dir), 0o777); err != nil {
			return err
		}
	}
	env.Setenv("PATH", world.bin+string(os.PathListSeparator)+filepath.Join(world.env.GOROOT, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	env.Setenv("NATIVE", world.env.GOCACHE)
	return nil
}

// usage ends the script unless a command was called as it should be.
func usage(ts *testscript.TestScript, neg, well bool, text string) {
	if neg || !well {
		ts.Fatalf("usage: %s", text)
	}
}

func generate(ts *testscript.TestScript, neg bool, args []string) {
	m := big
	if len(args) > 1 && args[0] == "-small" {
		m, args = small, args[1:]
	}
	usage(ts, neg, len(args) == 1, "generate [-small] dir")
	ts.Check(m.write(ts.MkAbs(args[0])))
}

func sources(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "sources dir")
	ts.Check(copySources(ts.MkAbs(args[0]), world.sources))
}

func warm(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 0, "warm")
	ts.Check(copyTemplate(ts.Getenv("TIERCE_DIR")))
}

func native(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 0, "native CMD...")
	own := ts.Getenv("GOCACHE")
	ts.Setenv("GOCACHE", world.env.GOCACHE)
	err := ts.Exec(args[0], args[1:]...)
	ts.Setenv("GOCACHE", own)
	ts.Check(err)
}

// traceFile has the standard error of the last through: too long for the log of
// a script.
const traceFile = "trace.txt"

func through(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 0, "through CMD...")
	trace := ts.MkAbs(filepath.Join(ts.Getenv("WORK"), traceFile))
	err := ts.Exec("sh", append([]string{"-c", `exec tierce run --summary json -- "$@" 2>"$0"`, trace}, args...)...)
	text := ts.ReadFile(trace)
	if err != nil {
		ts.Fatalf("%v\n%s", err, withoutLists(text))
	}
	ts.Logf("%v %s", countSteps(text), lastLine(text))
}

// withoutLists leaves the lists of imports out, which are most of a trace.
func withoutLists(trace string) string {
	var rest strings.Builder
	for line := range strings.Lines(trace) {
		if !strings.HasPrefix(line, "packagefile ") {
			rest.WriteString(line)
		}
	}
	return rest.String()
}

func steps(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 0, "steps COND...")
	if args[0] == "none" {
		args[0] = "compiles=0"
	}
	check(ts, args, countSteps(ts.ReadFile(filepath.Join(ts.Getenv("WORK"), traceFile))))
}

func summary(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 0, "summary COND...")
	numbers, err := summaryOf(ts.ReadFile(filepath.Join(ts.Getenv("WORK"), traceFile)))
	ts.Check(err)
	check(ts, args, numbers)
}

// summaryOf returns the numbers of the summary that trace ends with, the sum of
// its miss_reasons as reasons, and the steps in the trace.
func summaryOf(trace string) (map[string]float64, error) {
	numbers, err := flatten([]byte(lastLine(trace)))
	if err != nil {
		return nil, fmt.Errorf("the last line of standard error is not a summary in JSON: %w: %q", err, lastLine(trace))
	}
	maps.Copy(numbers, countSteps(trace))
	for _, reason := range []string{"absent", "damaged", "expired", "ill tier"} {
		numbers["reasons"] += numbers["miss_reasons."+reason]
	}
	return numbers, nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	return lines[len(lines)-1]
}

func report(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 0, "report COND...")
	numbers, err := flatten([]byte(ts.ReadFile("stdout")))
	ts.Check(err)
	check(ts, args, numbers)
}

func check(ts *testscript.TestScript, conditions []string, numbers map[string]float64) {
	for _, condition := range conditions {
		if err := holds(condition, numbers); err != nil {
			ts.Fatalf("%v", err)
		}
	}
}

var conditionForm = regexp.MustCompile(`^([a-z_.]+)([=<>])([a-z_.0-9]+)$`)

// holds returns an error unless a condition about numbers holds.
func holds(condition string, numbers map[string]float64) error {
	parts := conditionForm.FindStringSubmatch(condition)
	if parts == nil {
		return fmt.Errorf("%q is no condition", condition)
	}
	got, ok := numbers[parts[1]]
	want, named := numbers[parts[3]]
	if number, err := strconv.ParseFloat(parts[3], 64); err == nil {
		want, named = number, true
	}
	if !ok || !named {
		return fmt.Errorf("%q: there is no such number in %v", condition, numbers)
	}
	if parts[2] == "=" && got != want || parts[2] == "<" && got >= want || parts[2] == ">" && got <= want {
		return fmt.Errorf("%s does not hold: %v", condition, numbers)
	}
	return nil
}

// stepForm finds what a go command with -x prints when it starts a tool.
var stepForm = regexp.MustCompile(`(?m)^(?:[A-Z_]+=(?:'[^']*'|"[^"]*"|\S*) )*(?:"?[^\s"]*/pkg/tool/\w+/(\w+)|(gcc))"? `)

// countSteps counts the tools in the output of a go command with -x: each by its
// name, links, and compiles, which is all that a cache is there to avoid.
func countSteps(log string) map[string]float64 {
	counts := map[string]float64{"compiles": 0, "links": 0}
	for _, name := range []string{"compile", "asm", "cgo", "vet", "cover", "gcc"} {
		counts[name] = 0
	}
	for _, step := range stepForm.FindAllStringSubmatch(log, -1) {
		switch name := step[1] + step[2]; name {
		case "link":
			counts["links"]++
		case "buildid": // writes an executable's id after a link
		default:
			counts[name]++
			counts["compiles"]++
		}
	}
	return counts
}

// flatten returns the numbers of a JSON object by their names, those of an
// object within as outer.inner, and the lengths of its lists.
func flatten(text []byte) (map[string]float64, error) {
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, err
	}
	numbers := make(map[string]float64)
	for name, value := range object {
		switch value := value.(type) {
		case float64:
			numbers[name] = value
		case []any:
			numbers[name] = float64(len(value))
		case map[string]any:
			for inner, value := range value {
				if number, ok := value.(float64); ok {
					numbers[name+"."+inner] = number
				}
			}
		}
	}
	return numbers, nil
}

func same(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "same FILE FILE")
	if err := sameFiles(ts.MkAbs(args[0]), ts.MkAbs(args[1])); err != nil {
		ts.Fatalf("%v", err)
	}
}

func sameFiles(a, b string) error {
	left, err := os.ReadFile(a)
	if err != nil {
		return err
	}
	right, err := os.ReadFile(b)
	if err != nil {
		return err
	}
	if !bytes.Equal(left, right) {
		return fmt.Errorf("%s (%d bytes) and %s (%d bytes) differ", a, len(left), b, len(right))
	}
	return nil
}

// exports compares two outputs of go list -export -f "{{.ImportPath}} {{.Export}}".
func exports(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "exports LIST LIST")
	want, got := exportFiles(ts.ReadFile(args[0])), exportFiles(ts.ReadFile(args[1]))
	if len(got) < 100 || len(want) != len(got) {
		ts.Fatalf("%d packages with an export file, want %d", len(got), len(want))
	}
	for name, path := range got {
		if err := sameFiles(want[name], path); err != nil {
			ts.Fatalf("export file of %s: %v", name, err)
		}
	}
}

func exportFiles(list string) map[string]string {
	files := make(map[string]string)
	for line := range strings.Lines(list) {
		if name, path, _ := strings.Cut(strings.TrimSpace(line), " "); path != "" {
			files[name] = path
		}
	}
	return files
}

func code(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 1, "code N CMD...")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// age sets the times of the last use of all entries back, and those of writing,
// before which nothing can have been used.
func age(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "age DURATION")
	by, err := time.ParseDuration(args[0])
	ts.Check(err)
	then := time.Now().Add(-by)
	dir := ts.Getenv("TIERCE_DIR")
	ts.Check(eachEntry(dir, func(path string, _ os.FileInfo) error {
		return os.Chtimes(path, then, then)
	}))
	for _, hint := range []string{"index", "changes"} { // they know better
		ts.Check(os.RemoveAll(filepath.Join(dir, "state", hint)))
	}
}

// eachEntry calls do for the file of every entry, in the order of their names.
func eachEntry(dir string, do func(path string, info os.FileInfo) error) error {
	return filepath.Walk(filepath.Join(dir, "entries"), func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		return do(path, info)
	})
}

// nobody is a user who is not the one who runs the tests.
const nobody = 65534

// strange gives a directory to somebody else, which only root can do. A user's
// own directory that the user may not write to refuses the same operations with
// the same error.
func strange(ts *testscript.TestScript, neg bool, args []string) {
	closed := len(args) == 2 && args[0] == "-closed"
	usage(ts, neg, len(args) == 1 || closed, "strange [-closed] DIR")
	if runtime.GOOS == "windows" {
		ts.Fatalf("strange is for systems with owners of files")
	}
	allowed := os.FileMode(0o555)
	if closed {
		allowed = 0
	}
	var paths []string
	ts.Check(filepath.Walk(ts.MkAbs(args[len(args)-1]), func(path string, _ os.FileInfo, err error) error {
		paths = append(paths, path)
		return err
	}))
	for _, path := range slices.Backward(paths) {
		ts.Check(os.Chmod(path, allowed))
		if os.Getuid() == 0 {
			ts.Check(os.Lchown(path, nobody, nobody))
		}
	}
}
