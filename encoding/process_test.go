// SPDX-License-Identifier: Apache-2.0

package encoding_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/encoding"
)

// inChild is set in the processes that print what they encode.
const inChild = "TIERCE_TEST_ENCODING_CHILD"

// encodings returns what equal values become in this process, as text.
func encodings(t *testing.T) string {
	t.Helper()
	env, timings := map[string]string{}, map[string]float64{}
	for i := range 50 {
		env[fmt.Sprint(i)], timings[fmt.Sprint(i)] = "v", float64(i)/7
	}
	input := someParams()
	input.Env = env
	input.Any = []any{env, timings, map[string]any{"b": 1, "a": 2, "c": env}}
	bytes := canon(t, input)
	key := mustKey(t, encoding.Keyspace{Schema: 1, Namespace: "test"}, bytes)
	output, err := encoding.JSON[result]{}.Encode(result{Timings: timings, Any: map[string]any{"b": 1.5, "a": "x", "c": nil}})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s\n%s\n%s\n%x\n", bytes, key, output, encoding.Sum(key, output))
}

// TestChild prints the encodings when it is run by the test below.
func TestChild(t *testing.T) {
	if os.Getenv(inChild) != "" {
		fmt.Print(encodings(t))
	}
}

// TestEqualInEveryProcess runs this test binary several times: each process
// has its own order of maps and its own addresses.
func TestEqualInEveryProcess(t *testing.T) {
	t.Run("R2 equal values are equal bytes in every process", func(t *testing.T) {
		want := encodings(t)
		for range 5 {
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
			child.Env = append(os.Environ(), inChild+"=1", "GORACE=atexit_sleep_ms=0")
			out, err := child.CombinedOutput()
			if err != nil {
				t.Fatalf("the child failed: %v\n%s", err, out)
			}
			if got, _, _ := strings.Cut(string(out), "PASS\n"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
	})
}
