// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var key = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, sha256.Size))

func get(id int) string {
	return fmt.Sprintf(`{"ID":%d,"Command":"get","ActionID":%q}`+"\n\n", id, key)
}

// put is a put of body which claims to be size bytes long.
func put(id int, body string, size int64) string {
	sum := sha256.Sum256([]byte(body))
	return fmt.Sprintf(`{"ID":%d,"Command":"put","ActionID":%q,"OutputID":%q,"BodySize":%d}`+"\n\n%q\n",
		id, key, base64.StdEncoding.EncodeToString(sum[:]), size, base64.StdEncoding.EncodeToString([]byte(body)))
}

const closing = `{"ID":99,"Command":"close"}` + "\n\n"

// streams are what a helper may be sent. A hostile one ends it with a message and
// exit code 1, and in time.
var streams = []struct {
	name    string
	in      string
	answers string // IDs of the answers, sorted, those refused with "!", misses with "?"
	wrong   string // what the message says; "" if nothing is wrong
}{
	{"nothing", "", "", ""},
	{"blank lines", "\n\n \n", "", ""},
	{"end of file without close", get(1), "1?", ""},
	{"close", get(1) + closing, "1? 99", ""},
	{"put, close", put(1, "hello", 5) + closing, "1 99", ""},
	{"requests after close", closing + get(1), "99", ""},
	{"unknown command", `{"ID":1,"Command":"steal"}` + "\n" + get(2) + closing, "1! 2? 99", ""},
	{"unknown field", `{"ID":1,"Command":"get","ActionID":"` + key + `","Extra":{"a":["}"]}}` + closing, "1? 99", ""},
	{"get without ActionID", `{"ID":1,"Command":"get"}` + closing, "1! 99", ""},
	{"put of another body", strings.Replace(put(1, "hello", 5), "aGVsbG8=", "SEVMTE8=", 1) + get(2) + closing, "1! 2? 99", ""},
	{"put without OutputID", `{"ID":1,"Command":"put","ActionID":"` + key + `","BodySize":2}` + "\n\"aGk=\"\n" + get(2) + closing, "1! 2? 99", ""},

	{"no JSON", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "", `begins with 'G'`},
	{"binary", "\x00\xff\x7fELF", "", `begins with '\\x00'`},
	{"an array", "[1,2]", "", `begins with '\['`},
	{"half a request", `{"ID":1,"Comm`, "", `ends within a request`},
	{"ID of the wrong type", `{"ID":"one","Command":"get"}`, "", `cannot unmarshal string`},
	{"base64 that is none", `{"ID":1,"Command":"get","ActionID":"****"}`, "", `base64`},
	{"an endless request", `{"ID":1,"Command":"` + strings.Repeat("x", 10<<20), "", `longer than [0-9]+ bytes`},
	{"endless nesting", strings.Repeat(`{"a":`, 1<<20), "", `longer than [0-9]+ bytes`},
	{"a negative BodySize", put(1, "hello", -5), "", `body of -5 bytes`},
	{"a body longer than its BodySize", put(1, "hello", 4) + get(2), "", `longer than its BodySize`},
	{"a body shorter than its BodySize", put(1, "hello", 6) + get(2), "", `1 bytes shorter than its BodySize`},
	{"a body much shorter than its BodySize", put(1, "hello", 1<<60) + get(2), "", `shorter than its BodySize`},
	{"a body that ends early", put(1, "hello", 5)[:len(put(1, "hello", 5))-5], "", `ends within a body`},
	{"a large body that ends early", put(1, strings.Repeat("x", 6<<20), 6<<20)[:5<<20], "", `ends within a body`},
	{"a body that is no base64", strings.Replace(put(1, "hello", 5), "aGVsbG8=", "aGVs!!!=", 1), "", `not base64`},
	{"a body that is no string", strings.Replace(put(1, "hello", 5), `"aGVsbG8="`, "17", 1), "", `body begins with '1'`},
	{"no body", strings.SplitAfter(put(1, "hello", 5), "\n")[0], "", `ends before a body`},
	{"a request after a good one", put(1, "hello", 5) + "and now for something else", "1", `begins with 'a'`},
}

// TestHostileStream: issue 2, "a damaged or hostile protocol stream has a message
// that says what is wrong and what would be right, and a documented exit code". On
// standard output there is never anything but the protocol, and nothing that was
// cut is kept.
func TestHostileStream(t *testing.T) {
	t.Parallel()
	for _, stream := range streams {
		t.Run(stream.name, func(t *testing.T) {
			p := newPlace(t)
			cmd := p.command(".", []string{"tierce", "go"})
			cmd.Stdin = strings.NewReader(stream.in)
			end := p.end(cmd)
			if got := answersIn(t, end.stdout); got != stream.answers {
				t.Errorf("answers %q, want %q\n%s", got, stream.answers, end.stdout)
			}
			p.complaint(end, stream.wrong)
			p.nothingCut()
		})
	}
}

// complaint fails the test unless end says what is wrong, and what would be
// right, in one line.
func (p *place) complaint(end outcome, wrong string) {
	p.t.Helper()
	const right = "tierce: standard input is not the GOCACHEPROG protocol; tierce go is started by the go command: "
	switch {
	case wrong == "":
		if end.code != 0 || end.stderr != "" {
			p.t.Errorf("exit code %d and message %q, want 0 and none", end.code, end.stderr)
		}
	case end.code != 1:
		p.t.Errorf("exit code %d, want 1", end.code)
	case !strings.HasPrefix(end.stderr, right) || strings.Count(end.stderr, "\n") != 1 || !regexp.MustCompile(wrong).MatchString(end.stderr):
		p.t.Errorf("message %q, want %q and %q", end.stderr, right, wrong)
	}
}

// nothingCut fails the test if a cut body was kept, or left a file.
func (p *place) nothingCut() {
	p.t.Helper()
	for _, pattern := range []string{p.path("cache", "tmp", "*"), p.path("tmp", "*")} {
		if left, _ := filepath.Glob(pattern); len(left) > 0 {
			p.t.Errorf("these files are left: %v", left)
		}
	}
	if exists(p.path("cache")) {
		p.verify()
	}
}

// answersIn returns the answers on standard output in short, and fails the test
// if there is anything else.
func answersIn(t *testing.T, stdout string) string {
	t.Helper()
	lines := strings.SplitAfter(stdout, "\n")
	if lines[0] != `{"ID":0,"KnownCommands":["get","put","close"]}`+"\n" || lines[len(lines)-1] != "" {
		t.Fatalf("standard output begins or ends wrong: %q", stdout)
	}
	var ids []string
	for _, line := range lines[1 : len(lines)-1] {
		var answer struct {
			ID                            int
			Err, DiskPath, OutputID, Time string
			Miss                          bool
			Size                          int64
		}
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&answer); err != nil {
			t.Errorf("%q is no answer: %v", line, err)
		}
		mark := ""
		switch {
		case answer.Err != "":
			mark = "!"
		case answer.Miss:
			mark = "?"
		case answer.DiskPath != "" && !exists(answer.DiskPath):
			t.Errorf("there is no file %s", answer.DiskPath)
		}
		ids = append(ids, fmt.Sprint(answer.ID, mark))
	}
	slices.Sort(ids) // they come in any order
	return strings.Join(ids, " ")
}
