// SPDX-License-Identifier: Apache-2.0

package encoding_test

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
)

const gobLimit = 64 << 10

type sample struct {
	Name   string
	Data   []byte
	Points [][]complex128
	Part   *part
	Parts  []part
	When   time.Time
	Total  *big.Int
	Grid   [2][2]float32
	_      int
}

type part struct {
	Ratio float64
	Names []string
}

func someSample() sample {
	return sample{
		Name: "a\xff", Data: []byte{0, 255}, Points: [][]complex128{{1i, complex(math.Inf(1), 0)}, {2}},
		Part: &part{}, Parts: []part{{1.5, []string{"x"}}, {}}, When: time.Unix(1, 1).UTC(), Total: big.NewInt(1 << 60),
		Grid: [2][2]float32{{1, 2}, {3, 4}},
	}
}

func mustGob[R any](tb testing.TB) *encoding.Gob[R] {
	tb.Helper()
	codec, err := encoding.NewGob[R](gobLimit)
	if err != nil {
		tb.Fatalf("NewGob[%v]: %v", reflect.TypeFor[R](), err)
	}
	return codec
}

func TestGob(t *testing.T) {
	roundTrip(t, mustGob[sample](t), someSample())
	roundTrip(t, mustGob[sample](t), sample{})
	roundTrip(t, mustGob[[]float64](t), []float64{0, math.Inf(-1), math.MaxFloat64})
	roundTrip(t, mustGob[string](t), "")
	roundTrip(t, mustGob[int](t), 0)
	roundTrip(t, mustGob[time.Time](t), time.Unix(1, 1).UTC())
}

func TestNewGobRefuses(t *testing.T) {
	for _, limit := range []int{0, -1} {
		if codec, err := encoding.NewGob[int](limit); err == nil || codec != nil {
			t.Errorf("a limit of %d: got %v, %v; want an error", limit, codec, err)
		}
	}
	t.Run("T6 types that gob does not bound or bring back", func(t *testing.T) {
		refusesGob[map[string]int](t, "is a map")
		refusesGob[box[[]map[string]int]](t, "is a map")
		refusesGob[any](t, "what it holds")
		refusesGob[box[error]](t, "what it holds")
		refusesGob[box[func()]](t, "what it holds")
		refusesGob[chan int](t, "what it holds")
		refusesGob[secretiveResult](t, "field b of encoding_test.secretiveResult is unexported")
		refusesGob[list](t, "holds itself")
		refusesGob[box[slice]](t, "holds itself")
		refusesGob[*part](t, "may be nil")
		refusesGob[box[*int]](t, "points to a zero")
		refusesGob[box[**part]](t, "points to a zero")
		refusesGob[stamped](t, "the field it embeds")
		refusesGob[box[encodingOnly]](t, "field s")
	})
}

type encodingOnly struct{ s string }

func (encodingOnly) GobEncode() ([]byte, error) { return nil, nil }

func refusesGob[R any](t *testing.T, text string) {
	t.Helper()
	codec, err := encoding.NewGob[R](gobLimit)
	var category cacheerr.ValueEncodingError
	if !errors.As(err, &category) || codec != nil || !strings.Contains(err.Error(), text) {
		t.Errorf("NewGob[%v] = %v, %v; want a ValueEncodingError with %q", reflect.TypeFor[R](), codec, err, text)
	}
}

func TestGobLimit(t *testing.T) {
	const value = "0123456789"
	whole, err := mustGob[string](t).Encode(value)
	if err != nil {
		t.Fatal(err)
	}
	fits, err1 := encoding.NewGob[string](len(whole))
	short, err2 := encoding.NewGob[string](len(whole) - 1)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	roundTrip(t, fits, value)
	refusesValue(t, short, value, "string", "limit")
	if err := refusesData(t, short, whole); !strings.Contains(err.Error(), "limit") {
		t.Errorf("got %v, want an error that names the limit", err)
	}
}

func TestGobRefusesValues(t *testing.T) {
	type parts struct{ List []*part }
	refusesValue(t, mustGob[parts](t), parts{[]*part{nil}}, "encoding_test.parts", "nil element")
}

func TestGobRefusesData(t *testing.T) {
	codec := mustGob[sample](t)
	whole, err := codec.Encode(someSample())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("T7 truncated", func(t *testing.T) {
		for n := range whole {
			refusesData(t, codec, whole[:n])
		}
	})
	t.Run("T7 trailing data", func(t *testing.T) {
		refusesData(t, codec, append(bytes.Clone(whole), 0))
		refusesData(t, codec, append(bytes.Clone(whole), whole...))
		refusesData(t, codec, append(bytes.Clone(whole), 1, 2))
	})
	t.Run("T7 another type", func(t *testing.T) {
		refusesData(t, mustGob[int](t), whole)
		refusesData(t, mustGob[box[string]](t), whole)
	})
	t.Run("T7 a claimed length", func(t *testing.T) {
		refusesData(t, codec, []byte{0xf8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0})
		refusesData(t, codec, []byte{0xfc, 0x3f, 0xff, 0xff, 0xff, 0})
		refusesData(t, codec, []byte{0x80})
		refusesData(t, codec, []byte{0xff})
		refusesData(t, codec, []byte{0x7f, 0})
	})
}

// FuzzGobDecode checks that no bytes make a panic or take much memory.
func FuzzGobDecode(f *testing.F) {
	codec := mustGob[sample](f)
	for _, value := range []sample{{}, someSample(), {Name: strings.Repeat("x", 300)}} {
		data, err := codec.Encode(value)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{0xf8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		value, err := codec.Decode(data)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
			t.Errorf("%d bytes took %d bytes of memory", len(data), took)
		}
		var category cacheerr.ValueDecodingError
		if err != nil && !errors.As(err, &category) {
			t.Errorf("got %v, want a ValueDecodingError", err)
		}
		if err == nil {
			_, _ = codec.Encode(value)
		}
	})
}
