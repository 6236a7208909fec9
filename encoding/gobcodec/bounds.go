// SPDX-License-Identifier: Apache-2.0

package gobcodec

import (
	"encoding"
	"encoding/gob"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// marshalers are the interfaces by which a type goes through gob on its
// own terms: the way there and the way back.
var marshalers = [...][2]reflect.Type{
	{reflect.TypeFor[gob.GobEncoder](), reflect.TypeFor[gob.GobDecoder]()},
	{reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler]()},
}

// bounded returns why t is nothing for this codec, or nil. The types in outer
// hold t.
func bounded(t reflect.Type, outer []reflect.Type) error {
	if slices.Contains(outer, t) {
		return fmt.Errorf("%v holds itself, and gob has no bound for how deep", t)
	}
	if len(outer) == 0 && t.Kind() == reflect.Pointer {
		return fmt.Errorf("%v may be nil, which gob does not tell from what it points to", t)
	}
	outer = append(outer, t)
	if opaque, err := marshals(t); opaque || err != nil {
		return err
	}
	switch t.Kind() {
	case reflect.Map:
		return fmt.Errorf("%v is a map, and gob makes room for as many elements as bytes claim", t)
	case reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return fmt.Errorf("%v says nothing of what it holds", t)
	case reflect.Slice, reflect.Array:
		return bounded(t.Elem(), outer)
	case reflect.Pointer:
		if opaque, _ := marshals(t.Elem()); !opaque && t.Elem().Kind() != reflect.Struct {
			return fmt.Errorf("%v comes back as nil when it points to a zero", t)
		}
		return bounded(t.Elem(), outer)
	case reflect.Struct:
		return boundedFields(t, outer)
	}
	return nil
}

func boundedFields(t reflect.Type, outer []reflect.Type) error {
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Name == "_" {
			continue
		}
		if !field.IsExported() {
			return fmt.Errorf("the field %s of %v is unexported and would be left out", field.Name, t)
		}
		if err := bounded(field.Type, outer); err != nil {
			return err
		}
	}
	return nil
}

// marshals reports whether t goes through gob on its own terms. A method that
// an embedded field may have given it knows nothing of the fields beside.
func marshals(t reflect.Type) (bool, error) {
	for _, pair := range marshalers {
		if t.Kind() == reflect.Interface || !implements(t, pair[0]) {
			continue
		}
		if field, ok := embedded(t, pair[0]); ok && t.NumField() > 1 {
			return false, fmt.Errorf("%v would be encoded as its field %s", t, field)
		}
		return implements(t, pair[1]), nil
	}
	return false, nil
}

// embedded returns the name of a field that may give its method to t.
func embedded(t, method reflect.Type) (string, bool) {
	for i := 0; t.Kind() == reflect.Struct && i < t.NumField(); i++ {
		if field := t.Field(i); field.Anonymous && implements(field.Type, method) {
			return field.Name, true
		}
	}
	return "", false
}

func implements(t, method reflect.Type) bool {
	return t.Implements(method) || reflect.PointerTo(t).Implements(method)
}

var errMessage = errors.New("it is not made of gob messages")

// messages checks that data is messages of gob, each as long as it claims:
// package gob makes room before it reads.
func messages(data []byte) error {
	for len(data) > 0 {
		size, head := uint64(data[0]), 1
		if data[0] > 0x7f { // minus the number of bytes, big endian, behind it
			head = 1 - int(int8(data[0]))
			if head > len(data) {
				return errMessage
			}
			size = 0
			for _, b := range data[1:head] {
				size = size<<8 | uint64(b)
			}
		}
		if size > uint64(len(data)-head) {
			return errMessage
		}
		data = data[head+int(size):]
	}
	return nil
}
