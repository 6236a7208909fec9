// SPDX-License-Identifier: Apache-2.0

package encoding

import (
	"encoding/base64"
	"math"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"
)

// maxNesting is how many pointers, maps and slices may stand inside each other.
const maxNesting = 1000

// canonical writes values as JSON that has one form only; [CanonicalJSON] says
// which.
type canonical struct {
	buf  []byte
	path []container // those being written, the outermost first

	// result is set to find out whether encoding/json gives a value back as it
	// was. What an interface holds then has to be of the types that JSON itself
	// decodes into, and fields that a tag leaves out are left out.
	result bool
}

// container is a pointer, map or slice that may hold itself.
type container struct {
	address uintptr
	size    int
	typ     reflect.Type
}

func (w *canonical) value(v reflect.Value) *refusal {
	if method := marshaling(v.Type()); method != nil {
		return w.custom(v, method)
	}
	switch v.Kind() {
	case reflect.Bool:
		w.buf = strconv.AppendBool(w.buf, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		w.buf = strconv.AppendInt(w.buf, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		w.buf = strconv.AppendUint(w.buf, v.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		return w.float(v)
	case reflect.String:
		return w.text(v, v.String())
	case reflect.Interface:
		return w.dynamic(v)
	case reflect.Pointer, reflect.Map, reflect.Slice:
		return w.nilable(v)
	case reflect.Array:
		return w.list(v)
	case reflect.Struct:
		return w.fields(v)
	default:
		return refuse(v, "it is not data")
	}
	return nil
}

func (w *canonical) float(v reflect.Value) *refusal {
	f := v.Float()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return refuse(v, "JSON has no such number")
	}
	w.buf = strconv.AppendFloat(w.buf, f, 'g', -1, v.Type().Bits())
	return nil
}

// text writes s, which v stands for.
func (w *canonical) text(v reflect.Value, s string) *refusal {
	if !utf8.ValidString(s) {
		return refuse(v, "it is not UTF-8, which JSON is; use []byte")
	}
	const hex = "0123456789abcdef"
	w.buf = append(w.buf, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ':
			w.buf = append(w.buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c == '"', c == '\\':
			w.buf = append(w.buf, '\\', c)
		default:
			w.buf = append(w.buf, c)
		}
	}
	w.buf = append(w.buf, '"')
	return nil
}

// dynamic writes what an interface holds, under the name of its type.
func (w *canonical) dynamic(v reflect.Value) *refusal {
	if v.IsNil() {
		w.buf = append(w.buf, "null"...)
		return nil
	}
	held := v.Elem()
	if w.result {
		if !decoded(held.Type()) {
			return refuse(held, "out of an interface it comes back as another type; name the type in the struct")
		}
		return w.value(held)
	}
	name, ok := typeName(held.Type())
	if !ok {
		if err := w.value(held); err != nil {
			return err // says more
		}
		return refuse(held, "its type has no name, and in an interface the type counts")
	}
	w.buf = append(w.buf, '{')
	if err := w.text(held, name); err != nil {
		return err
	}
	w.buf = append(w.buf, ':')
	if err := w.value(held); err != nil {
		return err
	}
	w.buf = append(w.buf, '}')
	return nil
}

// nilable writes a pointer, map or slice.
func (w *canonical) nilable(v reflect.Value) *refusal {
	if v.IsNil() {
		w.buf = append(w.buf, "null"...)
		return nil
	}
	self := container{address: v.Pointer(), typ: v.Type()}
	if v.Kind() == reflect.Slice {
		self.size = v.Len() // a shorter slice of the same array is not the same
	}
	if slices.Contains(w.path, self) {
		return refuse(v, "it holds itself")
	}
	if len(w.path) >= maxNesting {
		return refuse(v, "it is nested too deep")
	}
	w.path = append(w.path, self)
	defer func() { w.path = w.path[:len(w.path)-1] }()
	switch v.Kind() {
	case reflect.Pointer:
		return w.target(v)
	case reflect.Map:
		return w.sorted(v)
	default:
		return w.list(v)
	}
}

// target writes what a pointer points to.
func (w *canonical) target(v reflect.Value) *refusal {
	start := len(w.buf)
	if err := w.value(v.Elem()); err != nil {
		return err
	}
	if string(w.buf[start:]) == "null" {
		return refuse(v, "it points to nil, which looks like nil itself")
	}
	return nil
}

// list writes a slice or an array; bytes in a slice as base64.
func (w *canonical) list(v reflect.Value) *refusal {
	if elem := v.Type().Elem(); v.Kind() == reflect.Slice && elem.Kind() == reflect.Uint8 && marshaling(elem) == nil {
		w.buf = append(w.buf, '"')
		w.buf = base64.StdEncoding.AppendEncode(w.buf, v.Bytes())
		w.buf = append(w.buf, '"')
		return nil
	}
	w.buf = append(w.buf, '[')
	for i := range v.Len() {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		if err := w.value(v.Index(i)); err != nil {
			return err.at("[" + strconv.Itoa(i) + "]")
		}
	}
	w.buf = append(w.buf, ']')
	return nil
}

func (w *canonical) fields(v reflect.Value) *refusal {
	if w.result && eclipsed(v.Type()) {
		return refuse(v, "the method of a field that it embeds would leave out the fields beside")
	}
	w.buf = append(w.buf, '{')
	first := true
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Name == "_" || w.result && field.Tag.Get("json") == "-" {
			continue
		}
		if hidden(field) {
			return refuse(v, "its field "+field.Name+" is unexported and would be left out")
		}
		if !first {
			w.buf = append(w.buf, ',')
		}
		first = false
		w.buf = append(w.buf, '"')
		w.buf = append(w.buf, field.Name...)
		w.buf = append(w.buf, `":`...)
		if err := w.value(v.Field(i)); err != nil {
			return err.at("." + field.Name)
		}
	}
	w.buf = append(w.buf, '}')
	return nil
}
