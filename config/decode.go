// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
)

var (
	nodeType     = reflect.TypeFor[node]()
	pathType     = reflect.TypeFor[Path]()
	secretType   = reflect.TypeFor[Secret]()
	urlType      = reflect.TypeFor[URL]()
	durationType = reflect.TypeFor[time.Duration]()
)

// decoder turns nodes into Go values, over what is in these already.
type decoder struct {
	lookup func(name string) (string, bool) // the environment, for secrets
}

// value sets v to what n has. name is the field's, for messages.
func (d decoder) value(name string, n node, v reflect.Value) error {
	switch v.Type() {
	case nodeType:
		return d.node(name, n, v)
	case pathType:
		return d.path(name, n, v)
	case secretType:
		return d.secret(name, n, v)
	case urlType:
		return d.secret(name, n, v.Field(0))
	}
	if unmarshaler, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return d.unmarshal(name, n, unmarshaler)
	}
	if isUnlimited(name, n, v) {
		v.SetZero()
		return nil
	}
	if v.Type() == durationType {
		return d.duration(name, n, v)
	}
	switch v.Kind() {
	case reflect.Struct:
		return d.structure(name, n, v)
	case reflect.Pointer:
		target := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			target.Elem().Set(v.Elem()) // the defaults stay as they are
		}
		v.Set(target)
		return d.value(name, n, target.Elem())
	case reflect.Slice:
		return d.slice(name, n, v)
	case reflect.Map:
		return d.mapping(name, n, v)
	default:
		return d.scalar(name, n, v)
	}
}

// node keeps a mapping for later.
func (d decoder) node(name string, n node, v reflect.Value) error {
	if n.kind != mapping && n.kind != null {
		return n.errorf(name, "want a mapping of fields, not %s", n.kind)
	}
	v.Set(reflect.ValueOf(n))
	return nil
}

func (d decoder) structure(name string, n node, v reflect.Value) error {
	if n.kind == null {
		return nil
	}
	if n.kind != mapping {
		return n.errorf(name, "want a mapping of fields, not %s", n.kind)
	}
	known := fieldsOf(v.Type())
	for _, f := range n.fields {
		i := slices.IndexFunc(known, func(k structField) bool { return k.name == f.name })
		if i < 0 {
			return f.errorf(name, "unknown field %q; %s", f.name, suggest(f.name, namesOf(known)))
		}
		if err := d.value(join(name, f.name), f.value, v.FieldByIndex(known[i].index)); err != nil {
			return err
		}
	}
	return nil
}

func (d decoder) slice(name string, n node, v reflect.Value) error {
	if n.kind != list {
		return n.errorf(name, "want a list, not %s", n.kind)
	}
	result := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		if err := d.value(fmt.Sprintf("%s[%d]", name, i), item, result.Index(i)); err != nil {
			return err
		}
	}
	v.Set(result)
	return nil
}

func (d decoder) mapping(name string, n node, v reflect.Value) error {
	if v.Type().Key().Kind() != reflect.String {
		return unsettable(name, n, v)
	}
	if n.kind != mapping {
		return n.errorf(name, "want a mapping, not %s", n.kind)
	}
	result := reflect.MakeMapWithSize(v.Type(), len(n.fields))
	for _, f := range n.fields {
		item := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(join(name, f.name), f.value, item); err != nil {
			return err
		}
		result.SetMapIndex(reflect.ValueOf(f.name).Convert(v.Type().Key()), item)
	}
	v.Set(result)
	return nil
}

// unsettable returns the error about a field of an Options struct that cannot
// be configured.
func unsettable(name string, n node, v reflect.Value) error {
	return n.errorf(name, "cannot be configured: the tier's Options has it as a Go %s", v.Type())
}

// structField is a field of a struct that can be configured.
type structField struct {
	name  string
	index []int // as [reflect.Value.FieldByIndex] takes it
}

// fieldsOf returns the fields of struct t, those of embedded structs among
// them. Functions, channels and interfaces are for Go code alone.
func fieldsOf(t reflect.Type) []structField {
	fields := make([]structField, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case f.Anonymous && f.Type.Kind() == reflect.Struct && tag == "":
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				fields = append(fields, inner)
			}
		case !f.IsExported() || tag == "-" || forCodeOnly(f.Type.Kind()):
		case tag != "":
			fields = append(fields, structField{name: tag, index: f.Index})
		default:
			fields = append(fields, structField{name: snakeCase(f.Name), index: f.Index})
		}
	}
	return fields
}

func forCodeOnly(k reflect.Kind) bool {
	return k == reflect.Func || k == reflect.Chan || k == reflect.Interface || k == reflect.UnsafePointer
}

func namesOf(fields []structField) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

// snakeCase returns a Go name as files have it: max_bytes for MaxBytes,
// tls_config for TLSConfig.
func snakeCase(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		begins := unicode.IsUpper(r) && i > 0 &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if begins {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func join(name, field string) string {
	if name == "" {
		return field
	}
	return name + "." + field
}
