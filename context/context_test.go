// SPDX-License-Identifier: Apache-2.0

package context_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cachectx "github.com/tiercecache/tierce/context"
)

// fixed returns a form that answers value.
func fixed(group cachectx.Group, name string, value any) cachectx.Form {
	return cachectx.Form{Name: name, Group: group, Probe: func(context.Context) (any, error) { return value, nil }}
}

// failing returns a form whose probe fails.
func failing(err error) cachectx.Form {
	return cachectx.Form{Name: "form", Group: cachectx.Compile, Probe: func(context.Context) (any, error) { return nil, err }}
}

func newForms(t testing.TB, forms ...cachectx.Form) *cachectx.Forms {
	t.Helper()
	f, err := cachectx.New(cachectx.Options{}, forms...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func keyOf(t testing.TB, forms *cachectx.Forms, schema cachectx.Schema) string {
	t.Helper()
	key, err := forms.Key(t.Context(), schema)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func isolationOf(t testing.TB, forms *cachectx.Forms, schema cachectx.Schema) string {
	t.Helper()
	isolation, err := forms.Isolation(t.Context(), schema)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(isolation)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// answers returns four forms, two of each group.
func answers() []cachectx.Form {
	return []cachectx.Form{
		fixed(cachectx.Compile, "b", 2), fixed(cachectx.Compile, "a", "one"),
		fixed(cachectx.Runtime, "a", nil), fixed(cachectx.Runtime, "c", []int{3}),
	}
}

var (
	compileAll  = `{"a":{"value":"one"},"b":{"value":2}}`
	runtimeAll  = `{"a":{"value":null},"c":{"value":[3]}}`
	compileHalf = `{"b":{"value":2}}`
	runtimeHalf = `{"a":{"value":null}}`
)

func TestSchema(t *testing.T) {
	forms := newForms(t, answers()...)
	seen := make(map[string]string)
	for _, compile := range []struct {
		choice cachectx.Choice
		want   string
	}{{cachectx.All(), compileAll}, {cachectx.None(), "null"}, {cachectx.Only("b"), compileHalf}, {cachectx.Only("a"), `{"a":{"value":"one"}}`}} {
		for _, runtime := range []struct {
			choice cachectx.Choice
			want   string
		}{{cachectx.All(), runtimeAll}, {cachectx.None(), "null"}, {cachectx.Only("a"), runtimeHalf}} {
			schema := cachectx.Schema{Compile: compile.choice, Runtime: runtime.choice}
			name := fmt.Sprintf("compile %v, runtime %v", compile.choice, runtime.choice)
			t.Run("C1 C2 "+name, func(t *testing.T) {
				want := `{"compile":` + compile.want + `,"key_schema":1,"runtime":` + runtime.want + `}`
				if got := isolationOf(t, forms, schema); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
				key := keyOf(t, forms, schema)
				if other, ok := seen[key]; ok {
					t.Errorf("C3 the key %s is that of %s too", key, other)
				}
				seen[key] = name
			})
		}
	}
}

func TestChoices(t *testing.T) {
	forms := newForms(t, answers()...)
	t.Run("C1 the zero schema takes all", func(t *testing.T) {
		if got, want := keyOf(t, forms, cachectx.Schema{}), keyOf(t, forms, cachectx.Schema{Runtime: cachectx.Only("c", "a"), Compile: cachectx.All()}); got != want {
			t.Errorf("got %s, want that of all, %s", got, want)
		}
	})
	t.Run("C2 a group of which nothing is chosen is null", func(t *testing.T) {
		if got := isolationOf(t, forms, cachectx.Schema{Runtime: cachectx.Only(), Compile: cachectx.None()}); got != `{"compile":null,"key_schema":1,"runtime":null}` {
			t.Error(got)
		}
	})
	t.Run("C1 an unknown name is an error that lists the known", func(t *testing.T) {
		_, err := forms.Key(t.Context(), cachectx.Schema{Runtime: cachectx.Only("b")})
		if err == nil || !strings.Contains(err.Error(), `no form "b" in the group runtime; there are ["a" "c"]`) {
			t.Error(err)
		}
	})
	t.Run("C1 only what is chosen is probed", func(t *testing.T) {
		broken := cachectx.Form{Name: "no", Group: cachectx.Runtime, Probe: func(context.Context) (any, error) {
			t.Error("it was probed")
			return nil, nil
		}}
		keyOf(t, newForms(t, append(answers(), broken)...), cachectx.Schema{Runtime: cachectx.Only("a")})
	})
}

func TestKey(t *testing.T) {
	t.Run("C3 C8 the key that it had in the first release", func(t *testing.T) {
		forms := newForms(t, answers()...)
		if got, want := keyOf(t, forms, cachectx.Schema{}), "108f4efb4cabd2361b6b19156dcace2e"; got != want {
			t.Errorf("got %s, want %s: entries of other processes would be out of reach", got, want)
		}
	})
	t.Run("C3 structs, maps and their order do not count", func(t *testing.T) {
		var keys []string
		for _, value := range []any{
			struct{ B, A int }{2, 1}, struct{ A, B int }{1, 2}, map[string]int{"B": 2, "A": 1}, json.RawMessage(" {\"B\":2,\n\"A\":1}"),
		} {
			keys = append(keys, keyOf(t, newForms(t, fixed(cachectx.Compile, "x", value)), cachectx.Schema{}))
		}
		for _, key := range keys {
			if key != keys[0] || len(key) != 32 {
				t.Errorf("keys %v, want one of 32 digits", keys)
			}
		}
	})
	t.Run("C3 64 bits count", func(t *testing.T) {
		one := keyOf(t, newForms(t, fixed(cachectx.Compile, "x", uint64(math.MaxUint64))), cachectx.Schema{})
		two := keyOf(t, newForms(t, fixed(cachectx.Compile, "x", uint64(math.MaxUint64-1))), cachectx.Schema{})
		if one == two {
			t.Error("two numbers, one key")
		}
	})
	t.Run("C8 another version of the format is another key", func(t *testing.T) {
		isolation := cachectx.Isolation{}
		if isolation.Key() != isolation.KeyAt(cachectx.KeySchema) || isolation.Key() == isolation.KeyAt(cachectx.KeySchema+1) {
			t.Error("the version is not in the key")
		}
	})
	t.Run("C3 the key of another process", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOtherProcess$")
		cmd.Env = append(os.Environ(), "TIERCE_CONTEXT_TEST=1")
		out, err := cmd.Output()
		if want := keyOf(t, real(t), cachectx.Schema{}); err != nil || !strings.Contains(string(out), "key "+want) {
			t.Errorf("%s, %v; want %s", out, err, want)
		}
	})
}

// real returns forms that are the same for all processes of a test.
func real(t testing.TB) *cachectx.Forms {
	return newForms(t, cachectx.GoToolchain(), cachectx.CCompiler("gcc"), cachectx.Target(""), cachectx.OS(), cachectx.CPU(),
		cachectx.GPU(), cachectx.CUDA(), cachectx.Env("PATH"), cachectx.Files("context_test.go"))
}

// TestOtherProcess is what TestKey runs in another process.
func TestOtherProcess(t *testing.T) {
	if os.Getenv("TIERCE_CONTEXT_TEST") != "" {
		fmt.Println("key", keyOf(t, real(t), cachectx.Schema{}))
	}
}

// codeError is a type of an error.
type codeError struct{ code int }

func (e *codeError) Error() string { return fmt.Sprint("code ", e.code) }

func TestFailures(t *testing.T) {
	exit := exec.CommandContext(t.Context(), "sh", "-c", "exit 3").Run()
	killed := exec.CommandContext(t.Context(), "sh", "-c", "kill -9 $$").Run()
	for _, test := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("a: %w", &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}), "not-found"},
		{&exec.Error{Name: "x", Err: exec.ErrNotFound}, "not-found"},
		{fs.ErrPermission, "permission"},
		{os.ErrDeadlineExceeded, "timeout"},
		{errors.ErrUnsupported, "unsupported"},
		{exit, "exit 3"},
		{killed, "killed"},
		{&codeError{1}, "*context_test.codeError"},
		{fmt.Errorf("1: %w", &codeError{1}), "*context_test.codeError"},
		{errors.New("x"), "*errors.errorString"},
	} {
		t.Run("C4 "+test.want, func(t *testing.T) {
			want := `{"compile":{"form":{"failed":"` + test.want + `"}},"key_schema":1,"runtime":null}`
			if got := isolationOf(t, newForms(t, failing(test.err)), cachectx.Schema{}); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	t.Run("C4 the text does not count", func(t *testing.T) {
		one, two := newForms(t, failing(&codeError{1})), newForms(t, failing(&codeError{2}))
		if keyOf(t, one, cachectx.Schema{}) != keyOf(t, two, cachectx.Schema{}) {
			t.Error("two texts of one kind, two keys")
		}
	})
	t.Run("C4 no answer is like a failure", func(t *testing.T) {
		failed := keyOf(t, newForms(t, failing(fs.ErrNotExist)), cachectx.Schema{})
		for _, value := range []any{"not-found", map[string]string{"failed": "not-found"}, nil} {
			if keyOf(t, newForms(t, fixed(cachectx.Compile, "form", value)), cachectx.Schema{}) == failed {
				t.Errorf("the answer %v has the key of a failure", value)
			}
		}
	})
	for name, probe := range map[string]func(context.Context) (any, error){
		"panics":             func(context.Context) (any, error) { panic("boom") },
		"ends its goroutine": func(context.Context) (any, error) { runtime.Goexit(); return nil, nil },
	} {
		t.Run("C4 a probe that "+name, func(t *testing.T) {
			got := isolationOf(t, newForms(t, cachectx.Form{Name: "form", Group: cachectx.Runtime, Probe: probe}), cachectx.Schema{})
			if got != `{"compile":null,"key_schema":1,"runtime":{"form":{"failed":"panic"}}}` {
				t.Error(got)
			}
		})
	}
}

func TestNoJSON(t *testing.T) {
	for name, value := range map[string]any{
		"a function": func() {}, "NaN": math.NaN(), "not UTF-8": "\xff", "not UTF-8 behind a backslash": "\\\xff", "a channel": make(chan int),
	} {
		forms := newForms(t, fixed(cachectx.Compile, "form", value))
		for range 2 { // it is remembered
			if key, err := forms.Key(t.Context(), cachectx.Schema{}); err == nil || key != "" || !strings.Contains(err.Error(), `"form"`) {
				t.Errorf("%s: key %q, error %v; want an error that names the form", name, key, err)
			}
		}
	}
	for _, value := range []string{"\ufffd", `\ufffd`, `\\ufffd`, "<&>"} {
		keyOf(t, newForms(t, fixed(cachectx.Compile, "form", value)), cachectx.Schema{})
	}
}

func TestProbes(t *testing.T) {
	t.Run("once, at the same time, for all who ask", func(t *testing.T) { synctest.Test(t, testProbeOnce) })
	t.Run("C4 a probe that takes too long has failed, deaf or not", testProbeTooLong)
	t.Run("C4 a caller that gives up is no failure of the probe", func(t *testing.T) { synctest.Test(t, testProbeGivenUp) })
}

func testProbeOnce(t *testing.T) {
	const n = 5
	var ran atomic.Int32
	var met sync.WaitGroup
	met.Add(n)
	var forms []cachectx.Form
	for i := range n {
		forms = append(forms, cachectx.Form{Name: fmt.Sprint(i), Group: cachectx.Compile, Probe: func(context.Context) (any, error) {
			ran.Add(1)
			met.Done()
			met.Wait() // for all the others: one after the other they would wait for ever
			return i, nil
		}})
	}
	f := newForms(t, forms...)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { keyOf(t, f, cachectx.Schema{}) })
	}
	all.Wait()
	if ran.Load() != n {
		t.Errorf("%d probes ran, want %d", ran.Load(), n)
	}
}

func testProbeTooLong(t *testing.T) {
	for name, deaf := range map[string]bool{"listens": false, "deaf": true} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			defer close(release)
			forms, err := cachectx.New(cachectx.Options{Timeout: time.Minute}, cachectx.Form{Name: "slow", Group: cachectx.Runtime,
				Probe: func(ctx context.Context) (any, error) {
					if deaf {
						<-release
						return 1, nil
					}
					<-ctx.Done()
					return nil, ctx.Err()
				}})
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			got := isolationOf(t, forms, cachectx.Schema{})
			if !strings.Contains(got, `{"slow":{"failed":"timeout"}}`) || time.Since(begin) != time.Minute {
				t.Errorf("%s: %s after %v, want a timeout after 1m", name, got, time.Since(begin))
			}
		})
	}
}

func testProbeGivenUp(t *testing.T) {
	release := make(chan struct{})
	forms := newForms(t, cachectx.Form{Name: "x", Group: cachectx.Runtime, Probe: func(ctx context.Context) (any, error) {
		<-release
		return "answer", ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		synctest.Wait()
		cancel()
	}()
	if _, err := forms.Key(ctx, cachectx.Schema{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	close(release)
	if got := isolationOf(t, forms, cachectx.Schema{}); !strings.Contains(got, `{"x":{"value":"answer"}}`) {
		t.Errorf("who asks later is told %s", got)
	}
}

func TestNew(t *testing.T) {
	probe := fixed(cachectx.Compile, "x", 1).Probe
	for name, test := range map[string]struct {
		opts  cachectx.Options
		forms []cachectx.Form
		want  string
	}{
		"no name":         {forms: []cachectx.Form{{Group: cachectx.Compile, Probe: probe}}, want: "no name"},
		"no group":        {forms: []cachectx.Form{{Name: "x", Probe: probe}}, want: `use "compile" or "runtime"`},
		"no probe":        {forms: []cachectx.Form{{Name: "x", Group: cachectx.Compile}}, want: "no probe"},
		"twice":           {forms: []cachectx.Form{fixed(cachectx.Compile, "x", 1), fixed(cachectx.Compile, "x", 2)}, want: "another of the group compile"},
		"no time at all":  {opts: cachectx.Options{Timeout: -1}, want: "below zero"},
		"in other groups": {forms: []cachectx.Form{fixed(cachectx.Compile, "x", 1), fixed(cachectx.Runtime, "x", 2)}},
	} {
		_, err := cachectx.New(test.opts, test.forms...)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
	t.Run("T10 nil", func(t *testing.T) {
		var forms *cachectx.Forms
		if _, err := forms.Key(t.Context(), cachectx.Schema{}); err == nil || !strings.Contains(err.Error(), "nil") {
			t.Error(err)
		}
	})
}

func Example() {
	ctx := context.Background()
	forms, err := cachectx.New(cachectx.Options{},
		cachectx.Target("riscv64-linux-gnu"),
		cachectx.CPU(),
		// Anybody can add a form.
		cachectx.Form{Name: "optimizer", Group: cachectx.Compile, Probe: func(context.Context) (any, error) { return "v7", nil }},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	isolation, err := forms.Isolation(ctx, cachectx.Schema{Runtime: cachectx.None()})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := json.Marshal(isolation)
	fmt.Println(string(text), err)
	fmt.Println(isolation.Key())
	// Output:
	// {"compile":{"optimizer":{"value":"v7"},"target":{"value":"riscv64-linux-gnu"}},"key_schema":1,"runtime":null} <nil>
	// a6acd57f3c025835fda55162ec8f657a
}
