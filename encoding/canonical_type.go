// SPDX-License-Identifier: Apache-2.0

package encoding

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	cacheerr "github.com/tiercecache/tierce/errors"
)

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// marshaling returns the interface whose method t, or a pointer to it, has to
// marshal itself, or nil.
func marshaling(t reflect.Type) reflect.Type {
	if t.PkgPath() == "" || t.Kind() == reflect.Interface {
		return nil // no methods but promoted ones
	}
	for _, method := range [...]reflect.Type{jsonMarshaler, textMarshaler} {
		if implements(t, method) && !promoted(t, method) {
			return method
		}
	}
	return nil
}

func implements(t, method reflect.Type) bool {
	return t.Implements(method) || reflect.PointerTo(t).Implements(method)
}

// promoted reports whether t may have the method from an embedded field.
func promoted(t, method reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		if field := t.Field(i); field.Anonymous && implements(field.Type, method) {
			return true
		}
	}
	return false
}

// eclipsed reports whether encoding/json may write a struct that has no method
// of its own by that of one of its fields.
func eclipsed(t reflect.Type) bool {
	return t.NumField() > 1 && (implements(t, jsonMarshaler) || implements(t, textMarshaler))
}

// hidden reports whether JSON leaves the field out. It does not leave out the
// fields of an embedded struct.
func hidden(field reflect.StructField) bool {
	plain := field.Anonymous && field.Type.Kind() == reflect.Struct && marshaling(field.Type) == nil
	return !field.IsExported() && !plain
}

// custom writes what v's own method returns.
func (w *canonical) custom(v reflect.Value, method reflect.Type) *refusal {
	if w.result && !v.CanAddr() && !v.Type().Implements(method) {
		return refuse(v, "encoding/json does not use its method here; keep a pointer to it")
	}
	if method == textMarshaler {
		text, err := addressable(v).Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			return refuse(v, "its MarshalText failed").because(err)
		}
		return w.text(v, string(text))
	}
	text, err := addressable(v).Interface().(json.Marshaler).MarshalJSON()
	if err != nil {
		return refuse(v, "its MarshalJSON failed").because(err)
	}
	compact := bytes.NewBuffer(w.buf)
	if err := json.Compact(compact, text); err != nil {
		return refuse(v, "its MarshalJSON returned no JSON").because(err)
	}
	w.buf = compact.Bytes()
	return nil
}

// addressable returns a pointer to v, or to a copy: whether a method with a
// pointer receiver is used must not depend on where the value is.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v.Addr()
	}
	pointer := reflect.New(v.Type())
	pointer.Elem().Set(v)
	return pointer
}

// typeName returns a name that no other type has, if there is one.
func typeName(t reflect.Type) (string, bool) {
	if t.Name() != "" {
		if t.PkgPath() == "" {
			return t.Name(), true
		}
		return t.PkgPath() + "." + t.Name(), true
	}
	prefix := ""
	switch t.Kind() {
	case reflect.Pointer:
		prefix = "*"
	case reflect.Slice:
		prefix = "[]"
	case reflect.Array:
		prefix = "[" + strconv.Itoa(t.Len()) + "]"
	case reflect.Map:
		key, ok := typeName(t.Key())
		if !ok {
			return "", false
		}
		prefix = "map[" + key + "]"
	case reflect.Interface:
		return "any", t.NumMethod() == 0
	default:
		return "", false
	}
	elem, ok := typeName(t.Elem())
	return prefix + elem, ok
}

// decoded reports whether t is what JSON decodes into when nobody names a type.
func decoded(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[bool](), reflect.TypeFor[float64](), reflect.TypeFor[string](),
		reflect.TypeFor[[]any](), reflect.TypeFor[map[string]any]():
		return true
	}
	return false
}

// refusal says why a value is not written, and where it is.
type refusal struct {
	path  string
	value reflect.Value
	why   string
	err   error
}

func refuse(v reflect.Value, why string) *refusal { return &refusal{value: v, why: why} }

func (r *refusal) because(err error) *refusal {
	r.err = err
	return r
}

// at adds the step by which the value was reached.
func (r *refusal) at(step string) *refusal {
	r.path = step + r.path
	return r
}

// Error implements error.
func (r *refusal) Error() string {
	text := r.why
	if r.path != "" {
		text = "at " + cacheerr.Shorten(r.path) + ": " + text
	}
	if r.err != nil {
		text += ": " + r.err.Error()
	}
	return text
}

// Unwrap returns the error of the value's own method, if it had one.
func (r *refusal) Unwrap() error { return r.err }

// offender returns the type and the shortened text of the value.
func (r *refusal) offender() (typ, value string) {
	switch v := r.value; v.Kind() {
	case reflect.Map, reflect.Slice, reflect.Array:
		value = strconv.Itoa(v.Len()) + " elements"
	case reflect.Struct, reflect.Pointer, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		value = "…" // may hold itself, or secrets, or be an address
	default:
		value = cacheerr.Shorten(fmt.Sprint(v))
	}
	return r.value.Type().String(), value
}
