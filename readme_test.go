// SPDX-License-Identifier: Apache-2.0

package tierce_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memory"
	"github.com/tiercecache/tierce/tiers"
)

func Example() {
	ctx := context.Background()
	near, err := memory.New(memory.Options{MaxBytes: 64 << 20})
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "tierce-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	disk, err := filestream.Open(ctx, dir, filestream.Options{MaxBytes: 20 << 30})
	if err != nil {
		log.Fatal(err)
	}
	cache, err := tiers.New(tiers.Options{},
		tiers.Layer{Name: "memory", Tier: near, MaxBody: 64 << 10},
		tiers.Layer{Name: "disk", Tier: disk},
	)
	if err != nil {
		log.Fatal(err)
	}
	defer cache.Close()

	key := encoding.RawKey([]byte("what the result depends on"))
	if err := cache.Put(ctx, key, interfaces.Text("the result")); err != nil {
		log.Fatal(err)
	}
	entry, err := cache.Get(ctx, key)
	if err != nil {
		log.Fatal(err) // errors.Is(err, cacheerr.ErrMiss) when it is not there
	}
	defer entry.Close()
	body, err := entry.Bytes()
	fmt.Println(string(body), err)
	// Output: the result <nil>
}

// TestReadmeExample holds that README shows the code above.
func TestReadmeExample(t *testing.T) {
	readme, source := read(t, "README.md"), read(t, "readme_test.go")
	_, shown, ok := strings.Cut(readme, "```go\n")
	shown, _, closed := strings.Cut(shown, "```\n")
	if !ok || !closed {
		t.Fatal("README.md has no Go code")
	}
	if !strings.Contains(source, shown) {
		t.Errorf("README.md shows code that is not in readme_test.go:\n%s", shown)
	}
}

// TestReadmeCommands holds that README names the two commands that do
// everything, and that CI calls the second.
func TestReadmeCommands(t *testing.T) {
	readme := read(t, "README.md")
	for _, command := range []string{"\n    go run ./cmd/tierce run -- go build ./...\n", "\n    make test\n"} {
		if !strings.Contains(readme, command) {
			t.Errorf("README.md does not name %q", strings.TrimSpace(command))
		}
	}
	if !strings.Contains(read(t, ".ci/run"), "\nmake test\n") {
		t.Error(".ci/run does not call make test")
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
