// SPDX-License-Identifier: Apache-2.0

package command

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/tiercecache/tierce/config"
	"github.com/tiercecache/tierce/internal/ledger"
	"github.com/tiercecache/tierce/internal/lock"
	"github.com/tiercecache/tierce/tiers"
)

func (a *app) runCommand() *cli.Command {
	r := runner{app: a}
	first := 1
	return &cli.Command{
		Name:  "run",
		Usage: "run a command with the compilers that it starts using the cache",
		Description: `Run a command with the environment that makes the compilers it starts use the
cache, and say in one last line on standard error what that brought. Standard
input and output are the command's own.`,
		ArgsUsage:    "-- CMD [ARG]...",
		StopOnNthArg: &first, // what follows the command is the command's
		OnUsageError: wrongFlag,
		Flags: []cli.Flag{&cli.StringFlag{
			Name: "summary", Value: "text", Usage: "what to print at the end: text, json or none", Destination: &r.summary,
		}},
		Action: func(ctx context.Context, cmd *cli.Command) error { return r.run(ctx, cmd.Args().Slice()) },
	}
}

// runPrefix begins the names of the directories of "tierce run"; a killed one
// leaves its own.
const runPrefix = "tierce-run-"

// closing is what a helper may take besides sending what is written behind.
const closing = 5 * time.Second

// runner is one "tierce run".
type runner struct {
	app     *app
	summary string
	report  string // path of the file where helpers say what they did
	// patience is how long a helper may take to send what is written behind.
	patience time.Duration
}

func (r *runner) run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return usagef("run needs a command, such as: tierce run -- go build ./...")
	}
	switch r.summary {
	case "text", "json", "none":
	default:
		return usagef("--summary is text, json or none, not %q", r.summary)
	}
	sweepTemporary(runPrefix)
	dir, err := os.MkdirTemp("", runPrefix)
	if err != nil {
		return exitError{exitOwn, fmt.Errorf("no temporary directory: %w; set TMPDIR to one that can be written to", err)}
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the system's temporary directory
	r.report = filepath.Join(dir, "report.jsonl")
	env, err := r.environment(ctx, dir, args)
	if err != nil {
		return err
	}
	code, err := r.start(ctx, args, env)
	if err != nil {
		return err
	}
	r.await(ctx)
	r.summarize(ctx)
	if code != 0 {
		return exitError{code: code}
	}
	return nil
}

// environment returns the environment of the command: ours, and what makes the
// go command use the cache as our configuration says.
func (r *runner) environment(ctx context.Context, tmp string, args []string) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, exitError{exitOwn, fmt.Errorf("finding this very program: %w", err)}
	}
	env := environ(os.Environ())
	cfg, err := r.app.load()
	if errors.Is(err, config.ErrNoDirectory) {
		r.say("nothing says where the cache may be (no TIERCE_DIR, no HOME), so this build's results are not kept")
		r.app.flags.Dir = filepath.Join(tmp, "cache")
		if env.get("GOCACHE") == "" { // the go command asks for one of its own
			env.set("GOCACHE", filepath.Join(tmp, "gocache"))
		}
		cfg, err = r.app.load()
	}
	if err == nil {
		err = cfg.Check(ctx, r.app.registry)
	}
	if err != nil {
		return nil, err
	}
	r.patience = cmp.Or(cfg.Queue.DrainTimeout, tiers.DefaultDrainTimeout) + closing
	helper, ok := quote(self)
	if !ok {
		return nil, exitError{exitOwn, fmt.Errorf("GOCACHEPROG cannot name %s: with spaces and both kinds of quotes; move the program", self)}
	}
	helper += " " + helperArgs[0]
	if other := env.get("GOCACHEPROG"); other != "" && other != helper {
		r.say(fmt.Sprintf("GOCACHEPROG is set (%s); Tierce takes its place for this command", other))
	}
	env.set("GOCACHEPROG", helper)
	env.set(reportVariable, r.report)
	if env.get(buildVariable) == "" {
		env.set(buildVariable, strings.Join(args, " "))
	}
	env.set("TIERCE_DIR", cfg.Dir)
	env.set("TIERCE_CONFIG", cmp.Or(cfg.File, "none")) // the helper has another working directory
	for name, value := range map[string]string{
		"TIERCE_MAX_BYTES": r.app.flags.MaxBytes, "TIERCE_MEMORY_MAX_BYTES": r.app.flags.MemoryMaxBytes,
	} {
		if value != "" {
			env.set(name, value)
		}
	}
	return env, nil
}

// quote quotes an absolute path as GOCACHEPROG wants it if it has spaces, and
// reports whether that is possible.
func quote(path string) (quoted string, ok bool) {
	switch {
	case !strings.ContainsAny(path, " \t\n\r"):
		return path, true
	case !strings.Contains(path, "'"):
		return "'" + path + "'", true
	}
	return `"` + path + `"`, !strings.Contains(path, `"`)
}

// environ is an environment as os/exec takes it: the last of a name counts.
type environ []string

func (e *environ) set(name, value string) { *e = append(*e, name+"="+value) }

func (e *environ) get(name string) string {
	value := ""
	for _, pair := range *e {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			value = v
		}
	}
	return value
}

// say tells the user something that is not the command's output.
func (r *runner) say(text string) { fmt.Fprintln(r.app.stderr, "tierce:", text) }

// start runs the command and returns its exit code. An error means that it was
// not run.
func (r *runner) start(ctx context.Context, args, env []string) (int, error) {
	cmd := exec.Command(args[0], args[1:]...) //nolint:noctx,gosec // it ends by itself or by a signal passed on; running it is the job
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return toItsEnd(ctx, cmd)
}

// toItsEnd runs a command to its end, passing signals on, and returns its exit
// code. An error means that it was not run.
func toItsEnd(ctx context.Context, cmd *exec.Cmd) (int, error) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, passedOn...)
	defer signal.Stop(signals)
	if err := ctx.Err(); err != nil { // a signal came before it could be passed on
		return 0, exitError{exitSignal + int(syscall.SIGINT), context.Cause(ctx)}
	}
	if err := cmd.Start(); err != nil {
		return 0, notStarted(cmd.Args[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case sig := <-signals:
			if !fromKeyboard(sig) {
				_ = cmd.Process.Signal(sig) // it may be gone
			}
		case err := <-ended:
			return codeOf(err)
		}
	}
}

// notStarted returns the error for a command that the system did not start, or
// that is not there.
func notStarted(name string, err error) error {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return exitError{exitNotFound, fmt.Errorf("there is no command %q; check its name and PATH", name)}
	}
	return exitError{exitNoExec, fmt.Errorf("%q cannot be executed: %w", name, err)}
}

// codeOf returns the exit code that a command's end stands for.
func codeOf(err error) (int, error) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case !errors.As(err, &exit):
		return 0, exitError{exitOwn, err}
	case endedBy(exit) != 0:
		return exitSignal + endedBy(exit), nil
	}
	return exit.ExitCode(), nil
}

// await waits until the helpers have sent what nobody waited for, or are not
// given more time. A Ctrl-C, now or while the command ran, does not wait.
func (r *runner) await(ctx context.Context) {
	path := r.report + busySuffix
	if _, err := os.Stat(path); err != nil {
		return // nothing is written behind
	}
	if release, err := lock.Files(path).Acquire(ctx, lock.For(r.patience)); err == nil {
		release()
	}
}

// summarize prints what the cache brought, as the last line on standard error,
// and tells the "tierce run" within which this one runs, if there is one.
func (r *runner) summarize(ctx context.Context) {
	// A Ctrl-C has ended the command, not the wish to know.
	ctx = context.WithoutCancel(ctx)
	sum, err := ledger.Sum(ctx, r.report)
	if err != nil {
		r.say(fmt.Sprintf("no statistics of this run: %v", err))
	}
	if outer := os.Getenv(reportVariable); outer != "" && sum.Gets+sum.Puts > 0 {
		_ = ledger.Append(ctx, outer, sum) // statistics are not worth an error
	}
	switch r.summary {
	case "text":
		r.say(sentence(sum))
	case "json":
		text, _ := json.Marshal(sum) // numbers and texts have a JSON form
		fmt.Fprintf(r.app.stderr, "%s\n", text)
	}
}

// sentence says in one line what a line of the ledger says in numbers.
func sentence(sum ledger.Line) string {
	if sum.Gets+sum.Puts == 0 {
		return "no compiler asked the cache for anything"
	}
	text := fmt.Sprintf("%s, %s; %s from the cache, %s into it; %s of compiling saved",
		count(sum.Hits, "hit", "hits"), count(sum.Misses, "miss", "misses"),
		size(sum.HitBytes), size(sum.PutBytes), duration(time.Duration(sum.SecondsSaved*float64(time.Second))))
	if n := sum.Unstored; n > 0 {
		text += "; " + count(n, "result", "results") + " could not be stored"
	}
	if sum.Hits > 0 && sum.PutBytes+sum.Unstored == 0 { // of what it links the go command stores at most that there was no output
		text += "; nothing had to be compiled"
	}
	if n := sum.MissReasons.Damaged; n > 0 {
		text += "; " + count(n, "damaged entry was", "damaged entries were") + " not used"
	}
	if n := sum.MissReasons.Expired; n > 0 {
		text += "; " + count(n, "entry had", "entries had") + " expired"
	}
	n := sum.Errors
	for _, t := range sum.Tiers {
		if t.Remote != nil {
			text += "; " + remote(t)
			n -= t.Errors
		}
	}
	if n > 0 {
		text += "; " + count(n, "operation of a tier", "operations of tiers") + " failed"
	}
	return text
}

// remote says in a clause what a layer that waits for another machine brought,
// what it cost, and what was ill.
func remote(t tiers.TierSnapshot) string {
	r := t.Remote
	text := fmt.Sprintf("%s: %s, %s, %s sent, %s waited", t.Name, count(t.Hits, "hit", "hits"), size(r.HitBytes),
		count(t.Puts, "entry", "entries"), duration(time.Duration(r.WaitedSeconds*float64(time.Second))))
	if r.Left > 0 {
		text += fmt.Sprintf(", %d left to the next build", r.Left)
	}
	reasons := slices.SortedFunc(maps.Keys(r.Ill), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Ill[b], r.Ill[a]), cmp.Compare(a, b))
	})
	for i, reason := range reasons {
		reasons[i] = fmt.Sprintf("%s (%d)", reason, r.Ill[reason])
	}
	if len(reasons) > 0 {
		text += ", ill: " + strings.Join(reasons, ", ")
	}
	return text
}
