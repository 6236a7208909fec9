// SPDX-License-Identifier: Apache-2.0

package encoding_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

func TestRawKey(t *testing.T) {
	t.Run("F2 SHA-256 of the bytes as they are", func(t *testing.T) {
		const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // of "abc", FIPS 180-2
		if got := encoding.RawKey([]byte("abc")).String(); got != want {
			t.Errorf("RawKey(abc) = %s, want %s", got, want)
		}
	})
	t.Run("keys of any length and content", func(t *testing.T) {
		for _, b := range [][]byte{nil, {0}, bytes.Repeat([]byte{0xff, '/', 0}, 100_000)} {
			if got, want := encoding.RawKey(b), interfaces.Key(sha256.Sum256(b)); got != want {
				t.Errorf("RawKey of %d bytes = %v, want %v", len(b), got, want)
			}
		}
	})
}

// TestKeyGolden holds the format: a change here makes every stored entry
// unreachable.
func TestKeyGolden(t *testing.T) {
	tests := []struct {
		space encoding.Keyspace
		parts []string
		want  string
	}{
		{encoding.Keyspace{Schema: 1, Namespace: "go"}, nil,
			"c7209e241b71b08a76a1d59f4a956b238d6bf1e2f1c16db279b7173f6cebaa5f"},
		{encoding.Keyspace{Schema: 1, Namespace: "go"}, []string{"action"},
			"4fbb6235f19d84c9ff1bfbc185f43be83b714cc95006c006d5dd6e6b7b992885"},
		{encoding.Keyspace{Schema: 0xfffffffe, Namespace: "example.com/tool"}, []string{"f", "", `{"A":1}`, "\x00\xff"},
			"155f6f999d6df501f2b882c333510d83e18cd2116a6dab7c2fcef11c60602f6c"},
	}
	for _, test := range tests {
		if got := mustKey(t, test.space, test.parts...).String(); got != test.want {
			t.Errorf("%+v.Key(%q) = %s, want %s", test.space, test.parts, got, test.want)
		}
	}
}

func TestKeysDiffer(t *testing.T) {
	space := encoding.Keyspace{Schema: 1, Namespace: "ns"}
	newer := encoding.Keyspace{Schema: 2, Namespace: "ns"}
	t.Run("T8 another schema gives other keys, going back the old ones", func(t *testing.T) {
		old := mustKey(t, space, "x")
		if mustKey(t, newer, "x") == old {
			t.Error("schemas 1 and 2 give one key")
		}
		if mustKey(t, space, "x") != old {
			t.Error("schema 1 gives another key the second time")
		}
	})
	t.Run("R2 each part, its place and its borders count", func(t *testing.T) {
		seen := map[interfaces.Key][]string{}
		for _, parts := range [][]string{
			nil, {""}, {"", ""}, {"ab"}, {"a", "b"}, {"b", "a"}, {"", "ab"}, {"ab", ""}, {"f", "ab"}, {"f", "a", "b"},
		} {
			key := mustKey(t, space, parts...)
			if other, ok := seen[key]; ok {
				t.Errorf("%q and %q give one key", parts, other)
			}
			seen[key] = parts
		}
	})
	t.Run("a namespace is not a part", func(t *testing.T) {
		if mustKey(t, encoding.Keyspace{Namespace: "a"}, "b") == mustKey(t, encoding.Keyspace{Namespace: "ab"}) {
			t.Error("a/b and ab give one key")
		}
	})
	t.Run("a frame is no raw key by accident", func(t *testing.T) {
		if mustKey(t, space, "x") == encoding.RawKey([]byte("x")) {
			t.Error("a framed key is the raw key of its part")
		}
	})
}

func TestEmptyNamespace(t *testing.T) {
	for _, name := range []string{"T5 a key that cannot be encoded", "T10 an empty namespace"} {
		t.Run(name, func(t *testing.T) {
			key, err := encoding.Keyspace{Schema: 3}.Key([]byte("x"))
			var wrong cacheerr.KeyEncodingError
			if !errors.As(err, &wrong) || key != (interfaces.Key{}) {
				t.Errorf("got key %v, error %v; want no key and a KeyEncodingError", key, err)
			}
		})
	}
}

func TestKeyAllocations(t *testing.T) {
	space := encoding.Keyspace{Schema: 1, Namespace: "go"}
	for _, test := range []struct {
		size int
		want float64
	}{{32, 0}, {400, 0}, {4096, 1}, {1 << 20, 1}} {
		part, name := make([]byte, test.size), []byte("function")
		got := testing.AllocsPerRun(100, func() {
			if _, err := space.Key(name, part); err != nil {
				t.Fatal(err)
			}
		})
		if got != test.want {
			t.Errorf("a key with a part of %d bytes: %v allocations, want %v", test.size, got, test.want)
		}
	}
}

// FuzzKeyFrame proves that frames are injective: all that went in can be read
// out again.
func FuzzKeyFrame(f *testing.F) {
	f.Add(uint32(1), "go", []byte("action"), byte(1))
	f.Add(uint32(0), "n", []byte{}, byte(0))
	f.Add(uint32(1<<31), "a/b\x00", bytes.Repeat([]byte{1, 0, 0, 0, 0, 0, 0, 0}, 5), byte(3))
	f.Fuzz(func(t *testing.T, schema uint32, namespace string, data []byte, step byte) {
		parts := split(data, int(step))
		space := encoding.Keyspace{Schema: schema, Namespace: namespace}
		frame := space.Frame(parts...)
		gotSpace, gotParts := readFrame(t, frame)
		if gotSpace != space {
			t.Errorf("read %+v, want %+v", gotSpace, space)
		}
		if !slices.EqualFunc(gotParts, parts, bytes.Equal) {
			t.Errorf("read parts %q, want %q", gotParts, parts)
		}
		if namespace == "" {
			return
		}
		key, err := space.Key(parts...)
		if want := interfaces.Key(sha256.Sum256(frame)); err != nil || key != want {
			t.Errorf("Key = %v, %v; want %v", key, err, want)
		}
	})
}

// split cuts data into parts of growing length, the first of them step long.
func split(data []byte, step int) [][]byte {
	var parts [][]byte
	for ; len(data) > 0; step++ {
		n := min(step, len(data))
		parts, data = append(parts, data[:n]), data[n:]
	}
	return parts
}

func readFrame(t *testing.T, frame []byte) (encoding.Keyspace, [][]byte) {
	t.Helper()
	number := func() int {
		if len(frame) < 8 {
			t.Fatalf("the frame ends within a number: %q", frame)
		}
		n := binary.LittleEndian.Uint64(frame)
		frame = frame[8:]
		return int(n)
	}
	text := func() []byte {
		n := number()
		if n > len(frame) {
			t.Fatalf("the frame ends before %d bytes", n)
		}
		b := frame[:n]
		frame = frame[n:]
		return b
	}
	var magic bool
	if frame, magic = bytes.CutPrefix(frame, []byte("tierce key 1\n")); !magic {
		t.Fatal("the frame has no magic")
	}
	space := encoding.Keyspace{Schema: uint32(number())}
	parts := make([][]byte, number())
	space.Namespace = string(text())
	for i := range parts {
		parts[i] = text()
	}
	if len(frame) > 0 {
		t.Errorf("%d bytes behind the frame", len(frame))
	}
	return space, parts
}

func mustKey(t *testing.T, space encoding.Keyspace, parts ...string) interfaces.Key {
	t.Helper()
	raw := make([][]byte, len(parts))
	for i, part := range parts {
		raw[i] = []byte(part)
	}
	key, err := space.Key(raw...)
	if err != nil {
		t.Fatalf("%+v.Key(%q): %v", space, parts, err)
	}
	return key
}

func BenchmarkKey(b *testing.B) {
	space := encoding.Keyspace{Schema: 1, Namespace: "example.com/tool"}
	function, params, isolation := []byte("example.com/tool.Compile"), make([]byte, 100), make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := space.Key(function, params, isolation); err != nil {
			b.Fatal(err)
		}
	}
}
