// SPDX-License-Identifier: Apache-2.0

package gobcodec_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/encoding/gobcodec"
	cacheerr "github.com/tiercecache/tierce/errors"
)

const limit = 64 << 10

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

func mustNew[R any](tb testing.TB) *gobcodec.Codec[R] {
	tb.Helper()
	codec, err := gobcodec.New[R](limit)
	if err != nil {
		tb.Fatalf("New[%v]: %v", reflect.TypeFor[R](), err)
	}
	return codec
}

func roundTrip[R any](t *testing.T, codec *gobcodec.Codec[R], want R) {
	t.Helper()
	data, err := codec.Encode(want)
	if err != nil {
		t.Fatalf("Encode(%#v): %v", want, err)
	}
	if got, err := codec.Decode(data); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q comes back as %#v, %v; want %#v", data, got, err, want)
	}
}

// refusesValue checks for T6.
func refusesValue[R any](t *testing.T, codec *gobcodec.Codec[R], value R, text string) {
	t.Helper()
	data, err := codec.Encode(value)
	var leaf *cacheerr.ValuePicklingError
	if !errors.As(err, &leaf) || data != nil || !strings.Contains(err.Error(), text) {
		t.Errorf("Encode(%T) = %q, %v; want a ValuePicklingError with %q", value, data, err, text)
	}
}

// refusesData checks for T7.
func refusesData[R any](t *testing.T, codec *gobcodec.Codec[R], data []byte) error {
	t.Helper()
	var none R
	got, err := codec.Decode(data)
	var leaf *cacheerr.ValueUnPicklingError
	if !errors.As(err, &leaf) || !reflect.DeepEqual(got, none) {
		t.Fatalf("Decode(%.40q) = %#v, %v; want a ValueUnPicklingError", data, got, err)
	}
	if leaf.Size != int64(len(data)) || leaf.Type != reflect.TypeFor[R]().String() || !bytes.HasPrefix(data, leaf.First) {
		t.Errorf("the error has %d bytes, first %q, type %s", leaf.Size, leaf.First, leaf.Type)
	}
	return err
}

func TestRoundTrip(t *testing.T) {
	roundTrip(t, mustNew[sample](t), someSample())
	roundTrip(t, mustNew[sample](t), sample{})
	roundTrip(t, mustNew[[]float64](t), []float64{0, math.Inf(-1), math.MaxFloat64})
	roundTrip(t, mustNew[string](t), "")
	roundTrip(t, mustNew[int](t), 0)
	roundTrip(t, mustNew[time.Time](t), time.Unix(1, 1).UTC())
	roundTrip(t, mustNew[date](t), date{time.Unix(1, 1).UTC()})
}

func TestNewRefuses(t *testing.T) {
	for _, none := range []int{0, -1} {
		if codec, err := gobcodec.New[int](none); err == nil || codec != nil {
			t.Errorf("a limit of %d: got %v, %v; want an error", none, codec, err)
		}
	}
	t.Run("T6 types that gob does not bound or bring back", func(t *testing.T) {
		refusesType[map[string]int](t, "is a map")
		refusesType[box[[]map[string]int]](t, "is a map")
		refusesType[any](t, "what it holds")
		refusesType[box[error]](t, "what it holds")
		refusesType[box[func()]](t, "what it holds")
		refusesType[chan int](t, "what it holds")
		refusesType[secretive](t, "field b of gobcodec_test.secretive is unexported")
		refusesType[list](t, "holds itself")
		refusesType[box[slice]](t, "holds itself")
		refusesType[*part](t, "may be nil")
		refusesType[box[*int]](t, "points to a zero")
		refusesType[box[**part]](t, "points to a zero")
		refusesType[stamped](t, "its field Time")
		refusesType[box[encodingOnly]](t, "field s")
	})
}

type secretive struct{ A, b int }

type list struct{ Next *list }

type slice []slice

type box[T any] struct{ V T }

// stamped has GobEncode from time.Time, which knows nothing of N.
type stamped struct {
	time.Time
	N int
}

// date has GobEncode from time.Time, which is all of it.
type date struct{ time.Time }

type encodingOnly struct{ s string }

func (encodingOnly) GobEncode() ([]byte, error) { return nil, nil }

func refusesType[R any](t *testing.T, text string) {
	t.Helper()
	codec, err := gobcodec.New[R](limit)
	var category cacheerr.ValueEncodingError
	if !errors.As(err, &category) || codec != nil || !strings.Contains(err.Error(), text) {
		t.Errorf("New[%v] = %v, %v; want a ValueEncodingError with %q", reflect.TypeFor[R](), codec, err, text)
	}
}

func TestLimit(t *testing.T) {
	const value = "0123456789"
	whole, err := mustNew[string](t).Encode(value)
	if err != nil {
		t.Fatal(err)
	}
	fits, err1 := gobcodec.New[string](len(whole))
	short, err2 := gobcodec.New[string](len(whole) - 1)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	roundTrip(t, fits, value)
	refusesValue(t, short, value, "limit")
	if err := refusesData(t, short, whole); !strings.Contains(err.Error(), "limit") {
		t.Errorf("got %v, want an error that names the limit", err)
	}
}

func TestRefusesValues(t *testing.T) {
	type parts struct{ List []*part }
	refusesValue(t, mustNew[parts](t), parts{[]*part{nil}}, "nil element")
}

func TestRefusesData(t *testing.T) {
	codec := mustNew[sample](t)
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
		refusesData(t, mustNew[int](t), whole)
		refusesData(t, mustNew[box[string]](t), whole)
	})
	t.Run("T7 a claimed length", func(t *testing.T) {
		refusesData(t, codec, []byte{0xf8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0})
		refusesData(t, codec, []byte{0xfc, 0x3f, 0xff, 0xff, 0xff, 0})
		refusesData(t, codec, []byte{0x80})
		refusesData(t, codec, []byte{0xff})
		refusesData(t, codec, []byte{0x7f, 0})
	})
}

// TestClaimTakesNoMemory decodes a message that claims 8 MiB and has none.
func TestClaimTakesNoMemory(t *testing.T) {
	data := []byte{0xfd, 0x80, 0x00, 0x00, 0}
	if took := allocated(func() { refusesData(t, mustNew[sample](t), data) }); took > 1<<20 {
		t.Errorf("a claim of 8 MiB took %d bytes of memory", took)
	}
}

func TestErrorDoesNotKeepData(t *testing.T) {
	data := []byte("damaged")
	err := refusesData(t, mustNew[int](t), data)
	clear(data)
	var leaf *cacheerr.ValueUnPicklingError
	if errors.As(err, &leaf); string(leaf.First) != "damaged" {
		t.Errorf("First is %q after the data changed, want it as it was", leaf.First)
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzDecode checks that no bytes make a panic or take much memory.
func FuzzDecode(f *testing.F) {
	codec := mustNew[sample](f)
	for _, value := range []sample{{}, someSample(), {Name: strings.Repeat("x", 300)}} {
		data, err := codec.Encode(value)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{0xf8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var value sample
		var err error
		if took := allocated(func() { value, err = codec.Decode(data) }); took > 64<<20 {
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

func Example() {
	codec, err := gobcodec.New[[]complex128](1 << 20)
	if err != nil {
		fmt.Println(err)
		return
	}
	data, _ := codec.Encode([]complex128{1i, 2})
	roots, _ := codec.Decode(data)
	fmt.Println(roots)
	// Output: [(0+1i) (2+0i)]
}
