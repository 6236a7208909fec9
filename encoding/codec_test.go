// SPDX-License-Identifier: Apache-2.0

package encoding_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
)

type result struct {
	Object  []byte
	Log     string `json:"log"`
	Timings map[string]float64
	Next    *result
	Any     any
	Hidden  func() `json:"-"`
	When    time.Time
}

func roundTrip[R any](t *testing.T, codec encoding.Codec[R], want R) {
	t.Helper()
	data, err := codec.Encode(want)
	if err != nil {
		t.Fatalf("Encode(%#v): %v", want, err)
	}
	again, err := codec.Encode(want)
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("%#v is %q and then %q, %v", want, data, again, err)
	}
	if got, err := codec.Decode(data); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q comes back as %#v, %v; want %#v", data, got, err, want)
	}
}

// refusesValue checks for T6.
func refusesValue[R any](t *testing.T, codec encoding.Codec[R], value R, typ, text string) {
	t.Helper()
	data, err := codec.Encode(value)
	var leaf *cacheerr.ValuePicklingError
	var category cacheerr.ValueEncodingError
	if !errors.As(err, &leaf) || !errors.As(err, &category) || data != nil {
		t.Fatalf("Encode(%T) = %q, %v; want a ValuePicklingError", value, data, err)
	}
	if leaf.Type != typ || !strings.Contains(err.Error(), text) {
		t.Errorf("type %s: %v\nwant type %s and %q", leaf.Type, err, typ, text)
	}
}

// refusesData checks for T7.
func refusesData[R any](t *testing.T, codec encoding.Codec[R], data []byte) error {
	t.Helper()
	var none R
	got, err := codec.Decode(data)
	var leaf *cacheerr.ValueUnPicklingError
	var category cacheerr.ValueDecodingError
	if !errors.As(err, &leaf) || !errors.As(err, &category) || !reflect.DeepEqual(got, none) {
		t.Fatalf("Decode(%.40q) = %#v, %v; want a ValueUnPicklingError", data, got, err)
	}
	wanted := reflect.TypeFor[R]().String()
	if leaf.Size != int64(len(data)) || leaf.Type != wanted || len(leaf.First) > 32 || !bytes.HasPrefix(data, leaf.First) {
		t.Errorf("the error has %d bytes, first %q, type %s; want %d of %.40q, type %s",
			leaf.Size, leaf.First, leaf.Type, len(data), data, wanted)
	}
	return err
}

func TestRaw(t *testing.T) {
	t.Run("T1 empty is a value", func(t *testing.T) {
		roundTrip(t, encoding.Raw[string]{}, "")
		roundTrip(t, encoding.Raw[[]byte]{}, []byte{})
		if got, err := (encoding.Raw[[]byte]{}).Decode(nil); got == nil || err != nil {
			t.Errorf("Decode(nil) = %v, %v; want an empty slice", got, err)
		}
	})
	roundTrip(t, encoding.Raw[string]{}, "\x00\xff")
	roundTrip(t, encoding.Raw[[]byte]{}, []byte{0, 255})
	roundTrip(t, encoding.Raw[json.RawMessage]{}, json.RawMessage(`{}`))
	large := body(1 << 20)
	if got := testing.AllocsPerRun(10, func() { _, _ = (encoding.Raw[[]byte]{}).Encode(large) }); got != 0 {
		t.Errorf("encoding bytes allocates %v times, want 0", got)
	}
}

func TestJSON(t *testing.T) {
	value := result{
		Object: []byte{0, 255}, Log: "a<b>&\"\n", Timings: map[string]float64{"b": 1e300, "a": -0.5},
		Next: &result{}, Any: []any{nil, true, 1.5, "x", map[string]any{"y": []any{}}},
		When: time.Date(2026, 3, 1, 0, 0, 0, 1, time.UTC),
	}
	roundTrip(t, encoding.JSON[result]{}, value)
	roundTrip(t, encoding.JSON[*result]{}, nil)
	roundTrip(t, encoding.JSON[[]string]{}, nil)
	roundTrip(t, encoding.JSON[[]string]{}, []string{})
	roundTrip(t, encoding.JSON[any]{}, nil)
	roundTrip(t, encoding.JSON[derived]{}, derived{base{1}, 0, "b"})
	roundTrip(t, encoding.JSON[struct{ time.Time }]{}, struct{ time.Time }{time.Unix(1, 1).UTC()})
	roundTrip(t, encoding.JSON[map[string]*big.Int]{}, map[string]*big.Int{"x": big.NewInt(7)})
	roundTrip(t, encoding.JSON[[]big.Int]{}, []big.Int{*big.NewInt(7)})
	roundTrip(t, encoding.JSON[uint64]{}, math.MaxUint64)
	t.Run("the bytes", func(t *testing.T) {
		const want = `{"Object":"AP8=","log":"a<b>&\"\n","Timings":{"a":-0.5,"b":1e+300},` +
			`"Next":{"Object":null,"log":"","Timings":null,"Next":null,"Any":null,"When":"0001-01-01T00:00:00Z"},` +
			`"Any":[null,true,1.5,"x",{"y":[]}],"When":"2026-03-01T00:00:00.000000001Z"}`
		if got, err := (encoding.JSON[result]{}).Encode(value); string(got) != want || err != nil {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	})
	t.Run("the author's tag leaves a field out", func(t *testing.T) {
		data, err := encoding.JSON[result]{}.Encode(result{Hidden: func() {}})
		if err != nil || bytes.Contains(data, []byte("Hidden")) {
			t.Errorf("got %s, %v", data, err)
		}
	})
}

func TestJSONRefusesValues(t *testing.T) {
	ring := &list{}
	ring.Next = ring
	var nothing []int
	t.Run("T6 what is not data", func(t *testing.T) {
		refusesValue(t, encoding.JSON[func()]{}, func() {}, "func()", "not data")
		refusesValue(t, encoding.JSON[chan int]{}, nil, "chan int", "not data")
		refusesValue(t, encoding.JSON[float64]{}, math.NaN(), "float64", `"NaN"`)
		refusesValue(t, encoding.JSON[*list]{}, ring, "*encoding_test.list", "holds itself")
		refusesValue(t, encoding.JSON[box[failing]]{}, box[failing]{}, "encoding_test.failing", "no")
	})
	t.Run("T6 what would come back as another value", func(t *testing.T) {
		refusesValue(t, encoding.JSON[string]{}, "a\xff", "string", "not UTF-8")
		refusesValue[any](t, encoding.JSON[any]{}, 1, "int", "another type")
		refusesValue[any](t, encoding.JSON[any]{}, []any{map[string]any{"x": &base{}}}, "*encoding_test.base", `at [0]["x"]`)
		refusesValue[error](t, encoding.JSON[error]{}, io.EOF, "*errors.errorString", "another type")
		refusesValue(t, encoding.JSON[secretiveResult]{}, secretiveResult{A: 1, b: 2}, "encoding_test.secretiveResult", "b is unexported")
		refusesValue(t, encoding.JSON[stamped]{}, stamped{N: 1}, "encoding_test.stamped", "leave out the fields beside")
		refusesValue(t, encoding.JSON[map[string]big.Int]{}, map[string]big.Int{"x": {}}, "big.Int", `at ["x"]: encoding/json does not use`)
		refusesValue(t, encoding.JSON[*[]int]{}, &nothing, "*[]int", "points to nil")
	})
}

type secretiveResult struct{ A, b int }

func TestJSONRefusesData(t *testing.T) {
	for _, data := range []string{
		"", " ", "{", `{"log":1}`, `{} {}`, `{}x`, `{}]`, `[]`, `{"log":"a"}` + "\x00", `{"New":1}`, `{"Hidden":1}`,
		strings.Repeat("[", 100_000), "\x00\xff", strings.Repeat("x", 100),
	} {
		t.Run("T7 bytes that do not decode", func(t *testing.T) { refusesData(t, encoding.JSON[result]{}, []byte(data)) })
	}
	t.Run("T7 a body of another type", func(t *testing.T) {
		refusesData(t, encoding.JSON[uint8]{}, []byte("256"))
		refusesData(t, encoding.JSON[int]{}, []byte("1.5"))
		refusesData(t, encoding.JSON[string]{}, []byte("{}"))
	})
	if got, err := (encoding.JSON[int]{}).Decode([]byte(" 7\n")); got != 7 || err != nil {
		t.Errorf("white space around the value: %v, %v; want 7", got, err)
	}
}

func TestUndecodableDoesNotKeepData(t *testing.T) {
	data := []byte("damaged")
	err := refusesData(t, encoding.JSON[int]{}, data)
	clear(data)
	var leaf *cacheerr.ValueUnPicklingError
	if errors.As(err, &leaf); string(leaf.First) != "damaged" {
		t.Errorf("First is %q after the data changed, want it as it was", leaf.First)
	}
}

// FuzzJSONDecode checks that what decodes goes round, and everything else is
// the documented error.
func FuzzJSONDecode(f *testing.F) {
	for _, seed := range []string{
		`{"Object":"AP8=","log":"x","Timings":{"a":1},"Next":{},"Any":[1,{}],"When":"2026-03-01T00:00:00Z"}`,
		`null`, `{}`, `{"LOG":"x"}`, `{"Next":{"Next":null}}`, `{} {}`, "\xff", `{"log":"\ud800"}`, `{"When":"2026-03-01T00:00:00+23:59"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		codec := encoding.JSON[result]{}
		value, err := codec.Decode(data)
		if err != nil {
			refusesData(t, codec, data)
			return
		}
		first, err := codec.Encode(value)
		if err != nil {
			return // nested too deep
		}
		again, err := codec.Decode(first)
		if err != nil {
			t.Fatalf("%q encodes as %q: %v", data, first, err)
		}
		if second, err := codec.Encode(again); err != nil || !bytes.Equal(second, first) {
			t.Errorf("%q encodes as %q and then %q, %v", data, first, second, err)
		}
	})
}
