// SPDX-License-Identifier: Apache-2.0

package encoding_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

type level int

func (l level) MarshalText() ([]byte, error) { return []byte("level " + strconv.Itoa(int(l))), nil }

// secretive marshals itself through a pointer, as big.Int does.
type secretive struct{ n int }

func (s *secretive) MarshalJSON() ([]byte, error) {
	return []byte(" { \"n\" : " + strconv.Itoa(s.n) + " } "), nil
}

type failing struct{}

var errFailing = errors.New("no")

func (failing) MarshalJSON() ([]byte, error) { return nil, errFailing }

type babbling string

func (b babbling) MarshalJSON() ([]byte, error) { return []byte(b), nil }

// stamped has MarshalJSON from time.Time, which knows nothing of N.
type stamped struct {
	time.Time
	N int
}

type base struct{ A int }

type derived struct {
	base
	_ int
	B string
}

// marked is unexported and embedded below: its own method is out of reach.
type marked struct{ A int }

func (marked) MarshalText() ([]byte, error) { return nil, nil }

type holder struct {
	marked
	B int
}

// pinned must not be copied.
type pinned struct{ self *pinned }

func (p *pinned) MarshalText() ([]byte, error) {
	if p.self != p {
		return nil, errors.New("it was copied")
	}
	return []byte("pinned"), nil
}

type octet byte

func (o octet) MarshalText() ([]byte, error) { return strconv.AppendUint(nil, uint64(o), 2), nil }

type list struct{ Next *list }

type slice []slice

type params struct {
	Name    string `json:"-"`
	Flags   []string
	Env     map[string]string
	Digest  [3]byte
	Data    []byte
	Big     uint64
	Ratio   float64
	Small   float32
	Enabled bool
	Any     any
	Next    *params
	When    time.Time
	Levels  map[level]int
	Ports   map[uint16]string
}

func someParams() params {
	return params{
		Name:  "a<b>&\"\\\nü",
		Flags: []string{}, Env: map[string]string{"b": "2", "a": "1", "": "0"},
		Digest: [3]byte{1, 2, 255}, Data: []byte{0, 255}, Big: math.MaxUint64,
		Ratio: 1e21, Small: 0.1, Enabled: true,
		Any:    []any{1, 1.0, "1", nil, map[string]any{"x": level(1)}, netip.MustParseAddr("::1"), &base{}, big.NewInt(7)},
		Next:   &params{},
		When:   time.Date(2026, 3, 1, 0, 0, 0, 1, time.UTC),
		Levels: map[level]int{2: 2, 10: 10}, Ports: map[uint16]string{80: "http", 443: "https"},
	}
}

// canonicalGolden holds the format: a change here makes every recorded call
// run again.
const canonicalGolden = `{"Name":"a<b>&\"\\\u000aü","Flags":[],"Env":{"":"0","a":"1","b":"2"},"Digest":[1,2,255],"Data":"AP8=","Big":18446744073709551615,` +
	`"Ratio":1e+21,"Small":0.1,"Enabled":true,"Any":{"[]any":[{"int":1},{"float64":1},{"string":"1"},null,` +
	`{"map[string]any":{"x":{"github.com/tiercecache/tierce/encoding_test.level":"level 1"}}},{"net/netip.Addr":"::1"},` +
	`{"*github.com/tiercecache/tierce/encoding_test.base":{"A":0}},{"*math/big.Int":7}]},` +
	`"Next":{"Name":"","Flags":null,"Env":null,"Digest":[0,0,0],"Data":null,"Big":0,"Ratio":0,"Small":0,"Enabled":false,` +
	`"Any":null,"Next":null,"When":"0001-01-01T00:00:00Z","Levels":null,"Ports":null},` +
	`"When":"2026-03-01T00:00:00.000000001Z","Levels":{"level 10":10,"level 2":2},"Ports":{"443":"https","80":"http"}}`

func canon[P any](t *testing.T, params P) string {
	t.Helper()
	b, err := encoding.CanonicalJSON(params)
	if err != nil {
		t.Fatalf("CanonicalJSON(%T): %v", params, err)
	}
	return string(b)
}

func TestCanonicalGolden(t *testing.T) {
	got := canon(t, someParams())
	if got != canonicalGolden {
		t.Errorf("got  %s\nwant %s", got, canonicalGolden)
	}
	if !json.Valid([]byte(got)) {
		t.Error("it is not JSON")
	}
}

func TestCanonicalEqual(t *testing.T) {
	one, uno := 1, 1
	wide, deep := map[string]int{}, map[string]int{}
	for i := range 100 {
		wide[strconv.Itoa(i)] = i
		deep[strconv.Itoa(99-i)] = 99 - i
	}
	now := time.Now()
	for name, pair := range map[string][2]any{
		"R2 equal parameters":         {someParams(), someParams()},
		"R2 maps filled in any order": {wide, deep},
		"pointers to equal values":    {&one, &uno},
		"the monotonic clock":         {now, now.Round(0)},
		"a blank field":               {derived{B: "b"}, derived{base{}, 1, "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			if a, b := canon(t, pair[0]), canon(t, pair[1]); a != b {
				t.Errorf("%s is not %s", a, b)
			}
		})
	}
}

// TestCanonicalDifferent has, in each row, values of one static type that all
// differ.
func TestCanonicalDifferent(t *testing.T) {
	zero := 0
	var nothing *int
	var none any
	for name, values := range map[string][]any{
		"types in an interface": {nil, 1, int64(1), uint8(1), 1.0, float32(1), "1", true, level(1), []byte("1"), []int{1}, [1]int{1},
			[]any{1}, []any{1.0}, &zero, 0, nothing, map[string]int{"int": 1}, map[string]any{"int": 1}, json.Number("1"), base{}, &base{}},
	} {
		t.Run(name, func(t *testing.T) { differ(t, values...) })
	}
	t.Run("nil and empty", func(t *testing.T) {
		differ(t, []int(nil), []int{}, []int{0})
		differ(t, []byte(nil), []byte{}, []byte{0})
		differ(t, map[int]int(nil), map[int]int{}, map[int]int{0: 0})
		differ(t, nothing, &zero)
		differ(t, []any{none}, []any{}, []any{nothing}, []any{none, none})
	})
	t.Run("numbers", func(t *testing.T) {
		differ(t, 0.0, math.Copysign(0, -1), 5e-324, 1.0, math.Nextafter(1, 2), 1e21, math.MaxFloat64)
		differ(t, uint64(math.MaxUint64), uint64(math.MaxUint64-1))
		differ(t, float32(0.1), math.Nextafter32(0.1, 1))
	})
	t.Run("strings", func(t *testing.T) {
		differ(t, "", "\"", "\\", "\\\"", "\n", "\\n", "\\u000a", "\x00", "<", "\\u003c", "\uFFFD", "\u2028")
	})
	t.Run("borders", func(t *testing.T) {
		differ(t, []string{"a,b"}, []string{"a", "b"}, []string{`a","b`})
		differ(t, [][]int{{1}, {2}}, [][]int{{1, 2}}, [][]int{{}, {1, 2}})
	})
	t.Run("fields that JSON tags hide", func(t *testing.T) { differ(t, params{Name: "a"}, params{Name: "b"}) })
	t.Run("fields beside an embedded marshaler", func(t *testing.T) {
		differ(t, stamped{N: 1}, stamped{N: 2}, stamped{time.Unix(1, 0), 1})
	})
	t.Run("embedded and own fields", func(t *testing.T) { differ(t, derived{base{1}, 0, ""}, derived{base{2}, 0, ""}) })
}

func differ[P any](t *testing.T, values ...P) {
	t.Helper()
	seen := map[string]int{}
	for i, value := range values {
		text := canon(t, value)
		if j, ok := seen[text]; ok {
			t.Errorf("%#v and %#v are both %s", values[j], value, text)
		}
		seen[text] = i
	}
}

func TestCanonicalOwnMethods(t *testing.T) {
	pin := new(pinned)
	pin.self = pin
	for name, test := range map[string]struct {
		got, want string
	}{
		"JSON before text, compacted": {canon(t, []*secretive{{7}}), `[{"n":7}]`},
		"pointer receiver of a value": {canon(t, []any{secretive{7}, &secretive{7}}),
			`[{"github.com/tiercecache/tierce/encoding_test.secretive":{"n":7}},{"*github.com/tiercecache/tierce/encoding_test.secretive":{"n":7}}]`},
		"a value in a map":    {canon(t, map[string]secretive{"a": {7}}), `{"a":{"n":7}}`},
		"a key of the module": {canon(t, interfaces.Key{}), `"` + strings.Repeat("0", 64) + `"`},
		"nil has no methods":  {canon(t, (*secretive)(nil)), `null`},
		"bytes with a method": {canon(t, []octet{1, 2}), `["1","10"]`},
		"an interface with the method": {canon(t, box[json.Marshaler]{&secretive{7}}),
			`{"V":{"*github.com/tiercecache/tierce/encoding_test.secretive":{"n":7}}}`},
		"a value that stays where it is": {canon(t, pin), `"pinned"`},
		"a nil interface":                {canon[error](t, nil), `null`},
		"generic type, by name": {canon[any](t, box[level]{1}),
			`{"github.com/tiercecache/tierce/encoding_test.box[github.com/tiercecache/tierce/encoding_test.level]":{"V":"level 1"}}`},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %s, want %s", name, test.got, test.want)
		}
	}
}

type box[T any] struct{ V T }

func TestCanonicalRefuses(t *testing.T) {
	ring, other := &list{}, &list{}
	ring.Next, other.Next = other, ring
	var deep *list
	for range 1001 {
		deep = &list{deep}
	}
	self := slice{nil}
	self[0] = self
	loop := map[string]any{}
	loop["x"] = []any{loop}
	var nothing *int
	for name, test := range map[string]struct {
		value     any
		typ, text string // of the error
	}{
		"a function":               {func() {}, "func()", "it is not data"},
		"a nil function":           {params{Any: (func())(nil)}, "func()", "at .Any: "},
		"a channel":                {[]any{1, make(chan int)}, "chan int", "at [1]: "},
		"a complex number":         {1i, "complex128", "not data"},
		"an address":               {uintptr(1), "uintptr", "not data"},
		"NaN":                      {math.NaN(), "float64", `"NaN"`},
		"infinity":                 {map[string]float64{"x": math.Inf(-1)}, "float64", `at [\"x\"]: `},
		"not UTF-8":                {"a\xff", "string", "not UTF-8"},
		"a key that is not UTF-8":  {map[string]int{"\xff": 1}, "string", "not UTF-8"},
		"an unexported field":      {struct{ a int }{1}, "struct { a int }", "field a is unexported"},
		"in a slice of structs":    {[]box[errorString]{{}}, "encoding_test.errorString", "at [0].V: its field s"},
		"an error":                 {box[error]{errors.New("x")}, "errors.errorString", "at .V: its field s"},
		"a key of a struct type":   {map[base]int{{}: 1}, "encoding_test.base", "no key"},
		"a key that is an address": {map[uintptr]int{1: 1}, "uintptr", "no key"},
		"a method out of reach":    {holder{}, "encoding_test.holder", "field marked is unexported"},
		"an unnamed interface":     {[]any{[]fmt.Stringer{}, []interface{ M() }{}}, "[]interface { M() }", "at [1]: its type has no name"},
		"two keys of one text":     {map[clash]int{1: 1, 2: 2}, "map[encoding_test.clash]int", `same text "same"`},
		"a pointer to nil":         {&nothing, "**int", "points to nil"},
		"an unnamed struct":        {box[any]{struct{ A int }{}}, "struct { A int }", "no name"},
		"a ring of pointers":       {ring, "*encoding_test.list", "holds itself"},
		"a slice in itself":        {self, "encoding_test.slice", "holds itself"},
		"a map in itself":          {loop, "map[string]interface {}", `at [\"x\"][0]: it holds itself`},
		"nesting too deep":         {deep, "*encoding_test.list", "too deep"},
		"a method that fails":      {failing{}, "encoding_test.failing", "MarshalJSON failed: no"},
		"a method without JSON":    {babbling("{"), "encoding_test.babbling", "returned no JSON"},
	} {
		t.Run("T5 "+name, func(t *testing.T) {
			b, err := encoding.CanonicalJSON(test.value)
			var leaf *cacheerr.KeyPicklingError
			if !errors.As(err, &leaf) || b != nil {
				t.Fatalf("got %q, %v; want a KeyPicklingError", b, err)
			}
			if leaf.Type != test.typ || !strings.Contains(err.Error(), strings.ReplaceAll(test.text, `\"`, `"`)) {
				t.Errorf("type %s: %v\nwant type %s and %q", leaf.Type, err, test.typ, test.text)
			}
			if strings.HasPrefix(name, "a method that fails") != errors.Is(err, errFailing) {
				t.Errorf("the cause is %v", err)
			}
		})
	}
}

type errorString struct{ s string }

type clash int

func (clash) MarshalText() ([]byte, error) { return []byte("same"), nil }

func TestCanonicalNestingAllowed(t *testing.T) {
	var deep *list
	for range 1000 {
		deep = &list{deep}
	}
	canon(t, deep)
	shared := []int{1}
	canon(t, [][]int{shared, shared, shared[:1]}) // not a cycle
	canon(t, []slice{{}, {{}}})
	array := slice{nil, nil}
	array[1] = array[:1] // begins where array does
	canon(t, array)
}

func TestKeyErrorShortensValue(t *testing.T) {
	_, err := encoding.CanonicalJSON(strings.Repeat("x", 5000) + "\xff")
	var leaf *cacheerr.KeyPicklingError
	if !errors.As(err, &leaf) || len(leaf.Value) > 64 || !strings.HasPrefix(leaf.Value, "xxx") {
		t.Errorf("the error's value is %q, want the first few bytes", leaf.Value)
	}
}

func TestRawBytes(t *testing.T) {
	for _, want := range []string{"", "\x00\xff", "text"} {
		fromString, err1 := encoding.RawBytes(want)
		fromBytes, err2 := encoding.RawBytes([]byte(want))
		if string(fromString) != want || string(fromBytes) != want || err1 != nil || err2 != nil {
			t.Errorf("RawBytes(%q) = %q, %q, %v, %v", want, fromString, fromBytes, err1, err2)
		}
	}
}

// FuzzCanonicalJSON takes what JSON decodes to, and checks that the bytes are
// the same for an equal value made in another way, and that the value can be
// read out of them again.
func FuzzCanonicalJSON(f *testing.F) {
	for _, seed := range []string{
		`null`, `{"a":1,"b":[true,null,"x\u0000\n\""],"":{}}`, `-0`, `1e300`, `[[],{},"",0]`, `{"float64":1}`, `"\ud800"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var value, again any
		if json.Unmarshal(text, &value) != nil {
			return
		}
		first, err := encoding.CanonicalJSON(value)
		if err != nil {
			return // nested too deep
		}
		plain, err := json.Marshal(value)
		if err != nil || json.Unmarshal(plain, &again) != nil {
			t.Fatalf("%q does not go through JSON: %v", text, err)
		}
		if second := canon(t, again); second != string(first) {
			t.Errorf("%q gives %s and then %s", text, first, second)
		}
		var tagged any
		if err := json.Unmarshal(first, &tagged); err != nil {
			t.Fatalf("%s is not JSON: %v", first, err)
		}
		if got := untag(tagged); !reflect.DeepEqual(got, value) {
			t.Errorf("%s reads as %#v, want %#v", first, got, value)
		}
	})
}

// untag returns the value without the types that stand beside it.
func untag(tagged any) any {
	object, _ := tagged.(map[string]any)
	for name, value := range object {
		switch name {
		case "[]any":
			list := value.([]any)
			for i := range list {
				list[i] = untag(list[i])
			}
		case "map[string]any":
			members := value.(map[string]any)
			for key := range members {
				members[key] = untag(members[key])
			}
		}
		return value
	}
	return nil
}

// FuzzCanonicalPairs checks of typed parameters that equal bytes mean equal
// parameters.
func FuzzCanonicalPairs(f *testing.F) {
	type pair struct {
		Text string
		Data []byte
		Num  float64
		Any  any
		Map  map[string]int64
	}
	f.Add("a", []byte{}, 0.0, int64(1), "b", []byte(nil), 1.0, int64(-1))
	f.Fuzz(func(t *testing.T, s1 string, b1 []byte, f1 float64, i1 int64, s2 string, b2 []byte, f2 float64, i2 int64) {
		x := pair{s1, b1, f1, s2, map[string]int64{s1: i1, s2: i2}}
		y := pair{s2, b2, f2, s1, map[string]int64{s1: i2, s2: i1}}
		first, err1 := encoding.CanonicalJSON(x)
		second, err2 := encoding.CanonicalJSON(y)
		if err1 != nil || err2 != nil {
			return
		}
		equal := reflect.DeepEqual(x, y) && math.Signbit(f1) == math.Signbit(f2)
		if equal != (string(first) == string(second)) {
			t.Errorf("%#v is %s\n%#v is %s", x, first, y, second)
		}
	})
}

func BenchmarkCanonicalJSON(b *testing.B) {
	whole := someParams()
	small := struct {
		Package string
		Flags   []string
		Level   int
	}{"example.com/p", []string{"-O2", "-g"}, 3}
	b.Run("whole", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = encoding.CanonicalJSON(whole)
		}
	})
	b.Run("small", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = encoding.CanonicalJSON(small)
		}
	})
	b.Run("small json.Marshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = json.Marshal(small)
		}
	})
}
