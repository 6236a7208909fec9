// SPDX-License-Identifier: Apache-2.0

package execcache_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/frontend/execcache"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memo"
)

const digits = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// hostile are bodies that are no results of a command that makes the file out.
var hostile = map[string]string{
	"nothing":                     ``,
	"no JSON":                     `{"code":0,`,
	"more behind it":              `{"code":0,"files":[{"path":"out","mode":"0644","text":""}]} {}`,
	"an unknown field":            `{"code":0,"run":"rm","files":[{"path":"out","mode":"0644","text":""}]}`,
	"no file":                     `{"code":0}`,
	"a file more":                 `{"code":0,"files":[{"path":"out","mode":"0644","text":""},{"path":"out2","mode":"0644","text":""}]}`,
	"a file elsewhere":            `{"code":0,"files":[{"path":"/etc/passwd","mode":"0644","text":"root"}]}`,
	"a file above":                `{"code":0,"files":[{"path":"../out","mode":"0644","text":"x"}]}`,
	"a file that is an input":     `{"code":0,"files":[{"path":"in","mode":"0644","text":"x"}]}`,
	"a path written otherwise":    `{"code":0,"files":[{"path":"./out","mode":"0644","text":"x"}]}`,
	"a mode with set-uid":         `{"code":0,"files":[{"path":"out","mode":"04755","text":"x"}]}`,
	"a mode that is none":         `{"code":0,"files":[{"path":"out","mode":"rwx","text":"x"}]}`,
	"no content":                  `{"code":0,"files":[{"path":"out","mode":"0644"}]}`,
	"two contents":                `{"code":0,"files":[{"path":"out","mode":"0644","text":"x","base64":"eA=="}]}`,
	"two contents, one elsewhere": `{"code":0,"files":[{"path":"out","mode":"0644","text":"x","sha256":"` + digits + `"}]}`,
	"no base64":                   `{"code":0,"files":[{"path":"out","mode":"0644","base64":"?"}]}`,
	"a digest that is a path":     `{"code":0,"files":[{"path":"out","mode":"0644","sha256":"../../x","size":1}]}`,
	"a digest in capitals":        `{"code":0,"files":[{"path":"out","mode":"0644","sha256":"` + strings.ToUpper(digits) + `"}]}`,
	"a body that is not there":    `{"code":0,"files":[{"path":"out","mode":"0644","sha256":"` + digits + `","size":1}]}`,
	"a stream that is not there":  `{"code":0,"stdout":{"sha256":"` + digits + `"},"files":[{"path":"out","mode":"0644","text":""}]}`,
	"a code that is none":         `{"code":"0","files":[{"path":"out","mode":"0644","text":""}]}`,
}

// TestHostileResult: whatever stands in the cache under a command's key, no file
// but its outputs is written, and the command runs.
func TestHostileResult(t *testing.T) {
	for name, body := range hostile {
		t.Run(name, func(t *testing.T) {
			cache := directory(t)
			recorder, err := memo.NewFast(cache, memo.Options{})
			check(t, err)
			p := placeWith(t, recorder, cache)
			p.write("in", "1")
			c := p.shell("echo made >out")
			c.Inputs, c.Outputs = []string{"in"}, []string{"out"}
			parts, err := p.recorder.Parts(t.Context(), c, nil)
			check(t, err)
			raw := func(text string) ([]byte, error) { return []byte(text), nil }
			planted, err := memo.New(recorder, execcache.Function, memo.Settings[execcache.Parts, string]{
				Version: 1, Encode: raw, Decode: func(b []byte) (string, error) { return string(b), nil },
			})
			check(t, err)
			if ok, err := planted.Insert(t.Context(), parts, body); !ok || err != nil {
				t.Fatalf("planting: %t and %v", ok, err)
			}
			outcome, _ := p.run(c)
			if outcome.Replayed || p.read("out") != "made\n" || p.read("in") != "1" {
				t.Errorf("%+v, out %q, want that the command ran", outcome, p.read("out"))
			}
			if _, err := os.Stat(filepath.Join(p.dir, "../out")); err == nil {
				t.Error("there is a file outside")
			}
			p.replays(c) // what was there is not in the way
		})
	}
}

// FuzzResult: what decodes has the command's outputs and no others, and goes
// round.
func FuzzResult(f *testing.F) {
	for _, body := range hostile {
		f.Add([]byte(body))
	}
	f.Add([]byte(`{"code":0,"stdout":{"text":"a\nb"},"stderr":{"base64":"/w=="},"files":[{"path":"out","mode":"0755","text":"é"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := execcache.Decode(t.Context(), nil, []string{"out"}, data)
		if err != nil {
			return
		}
		defer r.Close()
		if len(r.Files) != 1 || r.Files[0].Path != "out" || r.Files[0].Mode.Perm() != r.Files[0].Mode {
			t.Fatalf("%+v, want the file out", r)
		}
		text, err := execcache.Encode(t.Context(), nil, r)
		check(t, err)
		again, err := execcache.Decode(t.Context(), nil, []string{"out"}, text)
		check(t, err)
		defer again.Close()
		if same, err := execcache.Encode(t.Context(), nil, again); err != nil || !bytes.Equal(same, text) {
			t.Errorf("%q became %q (%v)", text, same, err)
		}
	})
}

// TestInlineResult is the format of a result in a deterministic mode, as a dump
// has it.
func TestInlineResult(t *testing.T) {
	large := bytes.Repeat([]byte{'x'}, 100<<10)
	text, err := execcache.Encode(t.Context(), nil, execcache.Result{
		Code: 3, Stdout: interfaces.Text("a\n<b>"), Stderr: interfaces.Text("\xff"),
		Files: []execcache.File{{Path: "out", Mode: 0o644, Body: interfaces.Bytes(large)}},
	})
	check(t, err)
	const want = `{"code":3,"stdout":{"text":"a\n<b>"},"stderr":{"base64":"/w=="},"files":[{"path":"out","mode":"0644","text":"%s"}]}`
	if string(text) != fmt.Sprintf(want, large) {
		t.Errorf("%.200s, want %.100s", text, want)
	}
}
