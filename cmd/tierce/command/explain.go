// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/tiercecache/tierce/frontend/execcache"
)

func (a *app) explainCommand() *cli.Command {
	e := execer{app: a}
	first := 1
	return a.withJSON(&cli.Command{
		Name:  "explain",
		Usage: "say why a command would be replayed by exec, or not",
		Description: `Say whether "tierce exec" with the same flags would replay a command, and if not,
what of all that it depends on is another than when it was recorded. Nothing is
run. Values of variables are not told, nor are arguments that look secret.

  tierce explain --in 'src/**/*.[ch]' --out app.o -- gcc -c -Isrc src/app.c -o app.o`,
		ArgsUsage:                 "-- CMD [ARG]...",
		StopOnNthArg:              &first, // what follows the command is the command's
		DisableSliceFlagSeparator: true,
		OnUsageError:              wrongFlag,
		Flags:                     append(e.declarations(), a.recordFlags()...),
		Action:                    func(ctx context.Context, cmd *cli.Command) error { return e.explain(ctx, cmd.Args().Slice()) },
	})
}

func (e *execer) explain(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return usagef("explain needs the flags and the command of an exec, such as: tierce explain --in in.txt --out out.txt -- sort in.txt -o out.txt")
	}
	recording, err := e.app.openRecording(ctx, e.forms)
	if err != nil {
		return err
	}
	defer recording.closeStack() // nothing was recorded that a dump could have
	e.command.Args = args
	explanation, err := recording.recorder.Explain(ctx, e.command, os.Stdin)
	if err != nil {
		return recordingError(ctx, err)
	}
	if e.app.json {
		return json.NewEncoder(e.app.stdout).Encode(explanation)
	}
	return printExplanation(e.app.stdout, explanation)
}

// mostTold is how many differences are told to people.
const mostTold = 30

func printExplanation(out io.Writer, e execcache.Explanation) error {
	var b strings.Builder
	when := e.Recorded.Local().Format(time.DateTime)
	switch {
	case e.Hit && e.Recorded.IsZero():
		b.WriteString("hit: it is recorded\n")
	case e.Hit:
		fmt.Fprintf(&b, "hit: it was recorded at %s\n", when)
	case e.Recordings == 0:
		b.WriteString("miss: nothing is known of an earlier recording of this program with these outputs\n")
	case len(e.Differences) == 0:
		fmt.Fprintf(&b, "miss: it was recorded at %s, and its result is gone: it was evicted or removed, or is in another cache\n", when)
	default:
		fmt.Fprintf(&b, "miss: %s than when it was recorded at %s\n", count(int64(len(e.Differences)), "part is another", "parts are others"), when)
	}
	for i, d := range e.Differences {
		if i == mostTold {
			fmt.Fprintf(&b, "  and %d more\n", len(e.Differences)-i)
			break
		}
		fmt.Fprintf(&b, "  %s\n", differenceText(d))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// differenceText says a difference in a line: what notes of other machines say is
// quoted, as it may be anything.
func differenceText(d execcache.Difference) string {
	text := string(d.Kind)
	if d.Name != "" {
		text += " " + strconv.Quote(d.Name)
	}
	if d.Was != "" && d.Was != d.Name {
		return fmt.Sprintf("%s: it was %q", text, d.Was)
	}
	return text + ": " + string(d.Change)
}
