// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// encode returns the node that decodes to v over standard, the default of the
// same type. name is the field's. v is addressable, so that methods of its
// address are found.
func encode(name string, v, standard reflect.Value) (node, error) {
	switch value := v.Interface().(type) {
	case Secret:
		return textNode(value.written()), nil
	case URL:
		return textNode(value.written()), nil
	case time.Duration:
		return node{kind: number, text: formatDuration(value)}, nil
	}
	if v.CanAddr() {
		if marshaler, ok := v.Addr().Interface().(encoding.TextMarshaler); ok {
			b, err := marshaler.MarshalText()
			return textNode(string(b)), err
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		return encodeStruct(v, standard)
	case reflect.Pointer:
		if standard.IsNil() {
			standard = reflect.New(v.Type().Elem())
		}
		return encode(name, v.Elem(), standard.Elem())
	case reflect.Slice:
		return encodeSlice(name, v)
	case reflect.Map:
		return encodeMap(v)
	default:
		return encodeScalar(name, v)
	}
}

// formatDuration returns d as people write it: 1h for 1h0m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func textNode(s string) node { return node{kind: text, text: s} }

// encodeStruct leaves out what is zero by default and now.
func encodeStruct(v, standard reflect.Value) (node, error) {
	result := node{kind: mapping}
	for _, f := range fieldsOf(v.Type()) {
		value, std := v.FieldByIndex(f.index), standard.FieldByIndex(f.index)
		if omit(f.name, value, std) {
			continue
		}
		n, err := encode(f.name, value, std)
		if err != nil {
			return node{}, fmt.Errorf("%s: %w", f.name, err)
		}
		result.fields = append(result.fields, field{name: f.name, value: n})
	}
	return result, nil
}

// omit reports whether a field need not be printed: it and its default are
// zero, or it is a path that follows from another field.
func omit(name string, v, standard reflect.Value) bool {
	if v.Type() == pathType {
		return v.String() == standard.String()
	}
	if v.Type() == durationType {
		return v.IsZero() && standard.IsZero()
	}
	return v.IsZero() && standard.IsZero() && !(isCap(name) && (v.CanInt() || v.CanUint()))
}

func encodeSlice(name string, v reflect.Value) (node, error) {
	result := node{kind: list}
	for i := range v.Len() {
		n, err := encode(name, v.Index(i), reflect.Zero(v.Type().Elem()))
		if err != nil {
			return node{}, err
		}
		result.items = append(result.items, n)
	}
	return result, nil
}

func encodeMap(v reflect.Value) (node, error) {
	result := node{kind: mapping}
	for key, value := range v.Seq2() {
		item := reflect.New(v.Type().Elem()).Elem()
		item.Set(value)
		n, err := encode(key.String(), item, reflect.Zero(v.Type().Elem()))
		if err != nil {
			return node{}, err
		}
		result.fields = append(result.fields, field{name: key.String(), value: n})
	}
	slices.SortFunc(result.fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	return result, nil
}

func encodeScalar(name string, v reflect.Value) (node, error) {
	switch {
	case v.IsZero() && isCap(name) && (v.CanInt() || v.CanUint()):
		return node{kind: number, text: unlimited}, nil
	case v.Kind() == reflect.Int64:
		return node{kind: number, text: formatSize(v.Int())}, nil
	case v.CanInt():
		return node{kind: number, text: strconv.FormatInt(v.Int(), 10)}, nil
	case v.CanUint():
		return node{kind: number, text: strconv.FormatUint(v.Uint(), 10)}, nil
	case v.CanFloat():
		return node{kind: number, text: strconv.FormatFloat(v.Float(), 'f', -1, v.Type().Bits())}, nil
	case v.Kind() == reflect.Bool:
		return node{kind: boolean, text: strconv.FormatBool(v.Bool())}, nil
	case v.Kind() == reflect.String:
		return textNode(v.String()), nil
	default:
		return node{}, fmt.Errorf("a Go %s cannot be printed", v.Type())
	}
}
