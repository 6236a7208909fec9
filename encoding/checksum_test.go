// SPDX-License-Identifier: Apache-2.0

package encoding_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
)

var (
	_ io.Writer       = (*encoding.Hasher)(nil)
	_ io.StringWriter = (*encoding.Hasher)(nil)
)

// body returns n bytes that are the same in every run.
func body(n int) []byte {
	b := make([]byte, n)
	random := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// TestSumGolden holds the format: a change here makes every stored entry look
// damaged.
func TestSumGolden(t *testing.T) {
	long := make([]byte, 5000)
	for i := range long {
		long[i] = byte(i % 251)
	}
	tests := []struct {
		key  interfaces.Key
		body string
		want string
	}{
		{interfaces.Key{}, "", "fa37a9da749dd9892148ff78085f835b"},
		{encoding.RawKey([]byte("k")), "", "1d4f668424c8380cf59b6d32f861d6c3"},
		{encoding.RawKey([]byte("k")), "body", "95d65766481a19c61515f249043910a4"},
		{encoding.RawKey([]byte("k")), string(long), "806cdf06ed9557f698d2d0102eb19d69"},
	}
	for _, test := range tests {
		sum := encoding.SumString(test.key, test.body)
		if got := hex.EncodeToString(sum[:]); got != test.want {
			t.Errorf("SumString(%s, %d bytes) = %s, want %s", test.key.Short(), len(test.body), got, test.want)
		}
	}
}

// TestSumForms checks that one-shot and stream agree, at the sizes where XXH3
// changes its ways (16, 128, 240, 1024 and 1088 bytes) and across pieces.
func TestSumForms(t *testing.T) {
	key := encoding.RawKey([]byte("key"))
	hasher := encoding.NewHasher(interfaces.Key{})
	for _, size := range []int{0, 1, 3, 4, 8, 9, 16, 17, 128, 129, 240, 241, 1023, 1024, 1025, 1088, 1089, 4096, 70_001} {
		data := body(size)
		want := encoding.Sum(key, data)
		if got := encoding.SumString(key, string(data)); got != want {
			t.Errorf("%d bytes: SumString = %x, Sum = %x", size, got, want)
		}
		for _, piece := range []int{1, 7, 64, 1024, 1088, 1089, 32 << 10} {
			hasher.Reset(key)
			for i := 0; i < size; i += piece {
				part := data[i:min(i+piece, size)]
				if i%2 == 0 {
					_, _ = hasher.Write(part)
				} else {
					_, _ = hasher.WriteString(string(part))
				}
			}
			if got := hasher.Sum(); got != want {
				t.Errorf("%d bytes in pieces of %d: Hasher = %x, Sum = %x", size, piece, got, want)
			}
		}
	}
}

func TestHasherGoesOnAfterSum(t *testing.T) {
	key := encoding.RawKey([]byte("key"))
	hasher := encoding.NewHasher(key)
	for _, written := range []string{"", "a", "ab"} {
		if got, want := hasher.Sum(), encoding.SumString(key, written); got != want {
			t.Errorf("after %q: %x, want %x", written, got, want)
		}
		_, _ = io.WriteString(hasher, "ab"[min(len(written), 1):min(len(written)+1, 2)])
	}
}

func TestSumCoversKeyAndBody(t *testing.T) {
	key, data := encoding.RawKey([]byte("key")), body(300)
	want := encoding.Sum(key, data)
	for bit := range 8 * len(key) {
		flipped := key
		flipped[bit/8] ^= 1 << (bit % 8)
		if encoding.Sum(flipped, data) == want {
			t.Errorf("bit %d of the key does not count", bit)
		}
	}
	for bit := range 8 * len(data) {
		data[bit/8] ^= 1 << (bit % 8)
		if encoding.Sum(key, data) == want {
			t.Errorf("bit %d of the body does not count", bit)
		}
		data[bit/8] ^= 1 << (bit % 8)
	}
	for n := range data {
		if encoding.Sum(key, data[:n]) == want {
			t.Errorf("the body truncated to %d bytes has the sum of the whole", n)
		}
	}
}

func TestSumAllocations(t *testing.T) {
	key, data := encoding.RawKey(nil), body(4096)
	text := string(data)
	hasher := encoding.NewHasher(key)
	for name, sum := range map[string]func(){
		"Sum":       func() { encoding.Sum(key, data) },
		"SumString": func() { encoding.SumString(key, text) },
		"Hasher":    func() { hasher.Reset(key); _, _ = hasher.Write(data); hasher.Sum() },
	} {
		if got := testing.AllocsPerRun(100, sum); got != 0 {
			t.Errorf("%s: %v allocations, want 0", name, got)
		}
	}
}

func BenchmarkSum(b *testing.B) {
	key := encoding.RawKey(nil)
	hasher := encoding.NewHasher(key)
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20} {
		data := body(size)
		for _, bench := range []struct {
			name string
			sum  func()
		}{
			{"Sum", func() { encoding.Sum(key, data) }},
			{"Hasher", func() { hasher.Reset(key); _, _ = hasher.Write(data); hasher.Sum() }},
			{"sha256", func() { sha256.Sum256(data) }},
		} {
			b.Run(fmt.Sprintf("%s/%dKiB", bench.name, size>>10), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					bench.sum()
				}
			})
		}
	}
}
