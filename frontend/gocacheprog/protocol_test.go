// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/frontend/gocacheprog"
)

// TestRefused: a request that cannot be answered is refused, and the next one
// is answered.
func TestRefused(t *testing.T) {
	body := pattern(1000)
	for name, wrong := range map[string]put{
		"an unknown command":               {request{Command: "get2", ActionID: digest(nil)}, nil},
		"an unknown command with a body":   {request{Command: "put2", BodySize: 1000}, body},
		"no command":                       {request{}, nil},
		"a get without an ActionID":        {request{Command: "get"}, nil},
		"a put without an ActionID":        {request{Command: "put", OutputID: digest(body), BodySize: 1000}, body},
		"a put without an OutputID":        {request{Command: "put", ActionID: digest(nil), BodySize: 1000}, body},
		"a put without anything":           {request{Command: "put"}, nil},
		"a put with an OutputID too short": {request{Command: "put", ActionID: digest(nil), OutputID: digest(body)[:31], BodySize: 1000}, body},
		"a put with an OutputID too long":  {request{Command: "put", ActionID: digest(nil), OutputID: make([]byte, 33), BodySize: 1000}, body},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, gocacheprog.Options{})
			if a := c.wait(c.send(wrong.request, wrong.body)); a.Err == "" || a.Miss || a.DiskPath != "" {
				t.Errorf("the answer is %s, want an Err and nothing else", a.text)
			}
			c.stored("a", body)
			wantHit(t, c.get("a"), body)
			c.close()
		})
	}
}

// TestObjectID: before Go 1.24 the OutputID had another name.
func TestObjectID(t *testing.T) {
	c := start(t, gocacheprog.Options{})
	body := pattern(1000)
	req := request{Command: "put", ActionID: digest([]byte("a")), ObjectID: digest(body), BodySize: 1000}
	if a := c.wait(c.send(req, body)); a.Err != "" {
		t.Errorf("the answer is %s, want a path", a.text)
	}
	wantHit(t, c.get("a"), body)
	req.OutputID = req.ObjectID // 1.24 while the experiment was set
	if a := c.wait(c.send(req, body)); a.Err != "" {
		t.Errorf("the answer to a put with both names is %s, want a path", a.text)
	}
	c.close()
}

// TestPipeStaysOpen: the go command waits for its answer before it writes more,
// so the closing quote, or the line feed behind it, may be the last byte for a
// long time, at any place in the reader's buffer.
func TestPipeStaysOpen(t *testing.T) {
	cache := disk(t, t.TempDir(), filestream.Options{})
	for _, size := range []int{1, 2, 3, 48<<10 - 200, 48 << 10, 64 << 10, large} {
		for _, quote := range []string{`"`, "\"\n"} {
			in, stdin, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, out, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			server := gocacheprog.New(gocacheprog.Options{Open: opened(cache), Local: true})
			go func() { served <- server.Serve(t.Context(), in, out) }()
			body := pattern(size)
			object, _ := json.Marshal(withID(1, putRequest("a", body)))
			text := fmt.Sprintf("%s\n\n\"%s%s", object, base64.StdEncoding.EncodeToString(body), quote)
			if _, err := io.WriteString(stdin, text); err != nil {
				t.Fatal(err)
			}
			answers := json.NewDecoder(stdout)
			for id := range int64(2) {
				var a answer
				if err := answers.Decode(&a); err != nil || a.ID != id || a.Err != "" {
					t.Errorf("%d bytes and %q: answer %+v (%v), want one to %d", size, quote, a, err, id)
				}
			}
			_ = stdin.Close()
			if err := <-served; err != nil {
				t.Errorf("Serve returned %v", err)
			}
			_, _, _ = in.Close(), out.Close(), stdout.Close()
		}
	}
}

// TestAnswersUnread: the go command has gone, and the helper ends.
func TestAnswersUnread(t *testing.T) {
	stdout, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	in, stdin := io.Pipe()
	served := make(chan error, 1)
	server := gocacheprog.New(gocacheprog.Options{Open: opened(disk(t, t.TempDir(), filestream.Options{})), Local: true})
	go func() { served <- server.Serve(t.Context(), in, out) }()
	if _, err := io.ReadFull(stdout, make([]byte, 10)); err != nil { // of the first message
		t.Fatal(err)
	}
	_ = stdout.Close()
	if _, err := stdin.Write(written(put{withID(1, getRequest("a")), nil})); err != nil {
		t.Fatal(err)
	}
	if err := <-served; !errors.As(err, new(*os.PathError)) { // EPIPE
		t.Errorf("Serve returned %v, want the error of writing", err)
	}
	_, _ = out.Close(), in.Close()
}

// TestBadStream: what is not the protocol ends Serve with an error that says
// so, after what came before is answered.
func TestBadStream(t *testing.T) {
	valid := string(written(put{withID(1, getRequest("a")), nil}))
	cut := string(written(put{withID(2, putRequest("a", pattern(30))), pattern(30)}))
	putOf := func(size int) string {
		object, _ := json.Marshal(request{ID: 2, Command: "put", ActionID: digest(nil), OutputID: digest(nil), BodySize: int64(size)})
		return string(object) + "\n\n"
	}
	for name, test := range map[string]struct{ in, want string }{
		"text":                       {"hello", `begins with 'h'`},
		"a string":                   {`"body without a put"`, `begins with '"'`},
		"an object cut off":          {`{"ID":2,`, "ends within a request"},
		"a string cut off":           {`{"ID":2,"Command":"ge`, "ends within a request"},
		"no object":                  {`{ID:2}` + strings.Repeat(" ", 1<<17), "object key"},
		"the wrong type":             {`{"ID":"2","Command":"get"}`, "ID"},
		"an ID that is too large":    {`{"ID":9223372036854775808,"Command":"get"}`, "9223372036854775808"},
		"an ActionID not in base64":  {`{"ID":2,"Command":"get","ActionID":"A"}`, "base64"},
		"a request that is too long": {`{"ID":2,"Command":"` + strings.Repeat("x", 5000) + `"}`, "longer than 4096"},
		"a negative BodySize":        {`{"ID":2,"Command":"put","BodySize":-1}`, "-1 bytes"},
		"a request without end":      {`{"ID":2,"Command":"` + strings.Repeat("x", 1<<20), "longer than"},
		"a body cut off":             {cut[:len(cut)-10], "ends within a body"},
		"no body":                    {putOf(3), "ends before a body"},
		"an object in place of one":  {putOf(3) + valid, `body begins with '{'`},
		"a body that is too short":   {putOf(4) + `"QUJD"`, "1 bytes shorter"},
		"a body that is too long":    {putOf(2) + `"QUJD"`, "longer"},
		"a body far too long":        {putOf(2) + `"` + strings.Repeat("QUJD", 100_000) + `"`, "longer"},
		"a huge claim":               {putOf(1<<62) + `"QUJD"`, "shorter"},
		"a body not in base64":       {putOf(3) + `"QU*D"`, "base64"},
		"a body without its padding": {putOf(1) + `"QQ"` + valid, "base64"},
		"padding within a body":      {putOf(4) + `"QQ==QUJD"`, "base64"},
		"a line feed within a body":  {putOf(6) + "\"QUJD\nQUJD\"", "base64"},
		"an escape within a body":    {putOf(3) + `"QUJ\u0044"`, "base64"},
	} {
		for reading, read := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
		} {
			t.Run(name+"/"+reading, func(t *testing.T) {
				t.Setenv("TMPDIR", t.TempDir())
				var out bytes.Buffer
				server := gocacheprog.New(gocacheprog.Options{Open: opened(disk(t, t.TempDir(), filestream.Options{})), Local: true})
				err := server.Serve(t.Context(), read(strings.NewReader(valid+test.in)), &out)
				if !errors.Is(err, gocacheprog.ErrProtocol) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("Serve returned %v, want ErrProtocol with %q", err, test.want)
				}
				if n := strings.Count(out.String(), "\n"); n != 2 {
					t.Errorf("wrote %q, want the first message and the answer to the request before", out.String())
				}
				if n := filesBelow(t, os.TempDir()); n != 0 {
					t.Errorf("%d temporary files are left", n)
				}
			})
		}
	}
}

// TestUnusual: what a Go client other than the go command may write, and the
// protocol allows.
func TestUnusual(t *testing.T) {
	id := base64.StdEncoding.EncodeToString(digest([]byte("a")))
	for name, in := range map[string]string{
		"fields in another order":   `{"ActionID":"` + id + `","Command":"get","ID":1}`,
		"white space":               "\n\t {\r\n \"ID\" : 1 , \"Command\" : \"get\", \"ActionID\" : \"" + id + "\" } \n",
		"fields that are not known": `{"ID":1,"Command":"get","ActionID":"` + id + `","New":{"a":[1,"}"]},"Text":"}{"}`,
		"escapes":                   `{"ID":1,"Command":"\u0067et","ActionID":"` + strings.ReplaceAll(id, "/", `\/`) + `"}`,
		"nulls":                     `{"ID":1,"Command":"get","ActionID":"` + id + `","OutputID":null}`,
		"lower case":                `{"id":1,"command":"get","actionid":"` + id + `"}`,
		"no line feed":              `{"ID":1,"Command":"get","ActionID":"` + id + `"}{"ID":2,"Command":"close"}`,
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			server := gocacheprog.New(gocacheprog.Options{Open: opened(disk(t, t.TempDir(), filestream.Options{})), Local: true})
			if err := server.Serve(t.Context(), strings.NewReader(in), &out); err != nil {
				t.Errorf("Serve returned %v", err)
			}
			if _, answers, _ := strings.Cut(out.String(), "\n"); !strings.HasPrefix(answers, `{"ID":1,"Miss":true}`+"\n") {
				t.Errorf("answered %q, want a miss for 1", answers)
			}
		})
	}
}

// TestPathText: whatever a directory is called, its paths arrive.
func TestPathText(t *testing.T) {
	for _, name := range []string{"with space", `quote"s`, `back\slash`, "ünïcode 日本", "<&>", "tab\tand\nline"} {
		dir := t.TempDir() + "/" + name
		c := start(t, gocacheprog.Options{Open: opened(disk(t, dir, filestream.Options{})), Local: true})
		c.stored("a", pattern(10))
		wantHit(t, c.get("a"), pattern(10))
		c.close()
	}
}

// TestPathWithoutText: a path that JSON cannot carry is no answer: the private
// cache's is.
func TestPathWithoutText(t *testing.T) {
	var told warnings
	c := start(t, gocacheprog.Options{
		Open: opened(disk(t, t.TempDir()+"/latin\xe9", filestream.Options{})), Local: true,
		Private: opened(disk(t, t.TempDir(), filestream.Options{})), Warn: told.warn,
	})
	c.stored("a", pattern(10))
	wantHit(t, c.get("a"), pattern(10))
	c.close()
	if len(told.all()) != 1 {
		t.Errorf("the user was told %q, want one text", told.all())
	}
}
