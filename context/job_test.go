// SPDX-License-Identifier: Apache-2.0

package context_test

import (
	"errors"
	"strings"
	"testing"

	cachectx "github.com/tiercecache/tierce/context"
)

// job returns a job with digests of a.c, inc and lib.
func job(args string) cachectx.Job {
	return cachectx.Job{Tool: "tool", Args: strings.Fields(args), Inputs: map[string]string{"a.c": "A", "b.c": "B", "inc": "I", "lib": "L", "-": "S"}}
}

func jobKey(t testing.TB, j cachectx.Job) string {
	t.Helper()
	key, err := j.Key()
	if err != nil || len(key) != 64 {
		t.Fatalf("%q: key %q, error %v", j.Args, key, err)
	}
	return key
}

// TestJobSame is C7: options that mean the same.
func TestJobSame(t *testing.T) {
	for _, same := range [][]string{
		{"-c a.c", "a.c -c", "-c -O0 a.c", "-pipe -c a.c", "-c -o x.o a.c", "-c -oy.o a.c", "-O2 -c -O0 a.c"},
		{"-c -O a.c", "-c -O1 a.c", "-c -O3 -O1 a.c"},
		{"-c -g a.c", "-c -g2 a.c"},
		{"-c -DX a.c", "-c -D X a.c", "-c -DX=1 a.c"},
		{"-c -DX -DY=2 -UZ a.c", "-c -UZ -DY=2 -DX a.c"},
		{"-c -Iinc a.c", "-c -I inc a.c"},
		{"-c --sysroot=inc a.c", "-c --sysroot inc a.c"},
		{"-c -std=c11 a.c", "-std=c99 --std=c11 -c a.c", "-ansi -c --std c11 a.c"},
		{"-c -isystem inc a.c", "-c -isysteminc a.c"},
	} {
		want := jobKey(t, job(same[0]))
		for _, args := range same {
			if got := jobKey(t, job(args)); got != want {
				t.Errorf("C7 %q and %q have different keys", same[0], args)
			}
		}
	}
}

// TestJobDifferent is C7: where order and values count.
func TestJobDifferent(t *testing.T) {
	seen := make(map[string]string)
	for _, args := range []string{
		"-c a.c", "-S a.c", "-c b.c", "-c -O1 a.c", "-c -O2 a.c", "-c -O2 -Ofast a.c", "-c -Ofast -O2 a.c", "-c -g a.c", "-c -g3 a.c",
		"-c -DX a.c", "-c -DX=2 a.c", "-c -UX a.c", "-c -DX -UX a.c", "-c -UX -DX a.c", "-c -DX= a.c", "-c -DX(a)=a -UX a.c", "-c -UX -DX(a)=a a.c",
		"-c -Iinc -Ilib a.c", "-c -Ilib -Iinc a.c", "-c -isystem inc a.c", "-c -iquote inc a.c",
		"-c -Wall -Wno-all a.c", "-c -Wno-all -Wall a.c", "-c -mavx -mno-avx a.c", "-c -mno-avx -mavx a.c", "-c -march=x86-64-v3 a.c",
		"-c -std=c11 a.c", "-c -ansi a.c", "-c -std=c11 -ansi a.c -DQ", "a.c b.c", "b.c a.c", "-x c a.c b.c", "a.c -x c b.c", "-c -x c -",
		"a.c -l lib b.c", "a.c b.c -llib",
	} {
		key := jobKey(t, job(args))
		if other, ok := seen[key]; ok {
			t.Errorf("C7 %q and %q have one key", args, other)
		}
		seen[key] = args
	}
	t.Run("C3 the rest of the job", func(t *testing.T) {
		for name, change := range map[string]func(*cachectx.Job){
			"Tool": func(j *cachectx.Job) { j.Tool = "another" }, "Dir": func(j *cachectx.Job) { j.Dir = "dir" },
			"Inputs": func(j *cachectx.Job) { j.Inputs["a.c"] = "changed" }, "Extra": func(j *cachectx.Job) { j.Extra = "X" },
		} {
			j := job("-c a.c")
			before := jobKey(t, j)
			change(&j)
			if jobKey(t, j) == before {
				t.Errorf("%s does not count", name)
			}
		}
		j := job("-c a.c")
		before := jobKey(t, j)
		j.Inputs["not named"] = "N"
		if jobKey(t, j) != before {
			t.Error("an input that no argument names counts")
		}
	})
}

// wantRefused fails the test unless a job has no key, with the option that is to blame.
func wantRefused(t *testing.T, j cachectx.Job) {
	t.Helper()
	key, err := j.Key()
	var refused *cachectx.RefusedError
	if !errors.As(err, &refused) || refused.Option == "" || refused.Why == "" || key != "" || !strings.Contains(err.Error(), refused.Option) {
		t.Errorf("%q: key %q, error %v; want a refusal that names the option", j.Args, key, err)
	}
}

// TestJobRefuses is C6.
func TestJobRefuses(t *testing.T) {
	for _, args := range []string{
		"-I/usr/x", "-I other", "-isystem other", "-include x.h", "-imacros x.h", "--sysroot=/r", "-isysroot /r", "-L other", "-lm", "-B other",
		"-T script", "-specs=x", "-include-pch x.pch", "other.c", "-march=native", "-mtune=native",
	} {
		t.Run("C6 an input, "+args, func(t *testing.T) {
			j := job("-c a.c " + args)
			wantRefused(t, j)
			j.KeepsSideFiles = true
			wantRefused(t, j)
			j.Extra = "digest"
			j.KeepsSideFiles = false
			before := jobKey(t, j)
			j.Extra = "another"
			if jobKey(t, j) == before {
				t.Error("the extra digest does not count")
			}
		})
	}
	for _, args := range []string{
		"-MD", "-MMD", "-MF x.d", "-MFx.d", "-save-temps", "-save-temps=obj", "-ftest-coverage", "--coverage", "-fstack-usage", "-gsplit-dwarf",
		"-fdump-tree-all", "-ftime-trace", "-fsave-optimization-record", "-aux-info x", "-fopt-info-vec=x", "-MJ x.json", "-dM",
	} {
		t.Run("C6 a side file, "+args, func(t *testing.T) {
			j := job("-c a.c " + args)
			wantRefused(t, j)
			j.Extra = "digest" // brings back no file
			wantRefused(t, j)
			j.KeepsSideFiles = true
			named := jobKey(t, j)
			j.Args = append(j.Args, "-o", "x.o")
			if jobKey(t, j) == named {
				t.Error("-o does not count, and names of side files are made of it")
			}
		})
	}
	for _, args := range []string{
		"-Wp,-MD,x", "-Wa,-al=x", "-Wl,-Map,x", "-Xclang -load", "-Xlinker x", "-fplugin=x.so", "-fprofile-use=x", "-unknown=/a/path", "-fx-list=x",
	} {
		t.Run("C6 who knows, "+args, func(t *testing.T) {
			j := job("-c a.c " + args)
			wantRefused(t, j)
			j.Extra = "digest"
			wantRefused(t, j)
			j.KeepsSideFiles = true
			jobKey(t, j)
		})
	}
	t.Run("C6 whatever is given", func(t *testing.T) {
		for _, args := range []string{"@more", "-I", "-c a.c -D"} {
			j := job(args)
			j.Extra, j.KeepsSideFiles = "digest", true
			wantRefused(t, j)
		}
	})
	t.Run("no tool, no text", testNoTool)
}

func testNoTool(t *testing.T) {
	j := job("-c a.c")
	j.Tool = ""
	if _, err := j.Key(); err == nil {
		t.Error("a key without a tool")
	}
	if _, err := (cachectx.Job{Tool: "t", Args: []string{"-D\xff"}}).Key(); err == nil {
		t.Error("a key of what is not UTF-8")
	}
}

// FuzzJob holds that no arguments make the key builder panic, and that it never
// forgets one of them: of two lists with different keys one is not taken for
// the other.
func FuzzJob(f *testing.F) {
	for _, args := range []string{"-c a.c", "-I", "-D X -UX", "--sysroot", "-x c - -O", "@x", "-Xclang -O2", "-=/"} {
		f.Add(args, "-DMORE")
	}
	f.Fuzz(func(t *testing.T, args, more string) {
		j := cachectx.Job{Tool: "t", Args: strings.Fields(args), Extra: "x", KeepsSideFiles: true}
		one, err := j.Key()
		if again, _ := j.Key(); again != one {
			t.Errorf("%q has two keys", j.Args)
		}
		j.Args = append(j.Args, "-f"+strings.Join(strings.Fields(more), ""))
		if two, err2 := j.Key(); err == nil && err2 == nil && one == two {
			t.Errorf("%q: the last argument does not count", j.Args)
		}
	})
}
