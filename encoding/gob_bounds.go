// SPDX-License-Identifier: Apache-2.0

package encoding

import (
	"encoding"
	"encoding/gob"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// gobMarshalers are the interfaces by which a type goes through gob on its
// own terms: the way there and the way back.
var gobMarshalers = [...][2]reflect.Type{
	{reflect.TypeFor[gob.GobEncoder](), reflect.TypeFor[gob.GobDecoder]()},
	{reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler]()},
}

// gobable returns why t is nothing for a gob codec, or nil. The types in outer
// hold t.
func gobable(t reflect.Type, outer []reflect.Type) error {
	if slices.Contains(outer, t) {
		return fmt.Errorf("%v holds itself, and gob has no bound for how deep", t)
	}
	if len(outer) == 0 && t.Kind() == reflect.Pointer {
		return fmt.Errorf("%v may be nil, which gob does not tell from what it points to", t)
	}
	outer = append(outer, t)
	if marshals, err := gobMarshals(t); marshals || err != nil {
		return err
	}
	switch t.Kind() {
	case reflect.Map:
		return fmt.Errorf("%v is a map, and gob makes room for as many elements as bytes claim", t)
	case reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return fmt.Errorf("%v says nothing of what it holds", t)
	case reflect.Slice, reflect.Array:
		return gobable(t.Elem(), outer)
	case reflect.Pointer:
		if marshals, _ := gobMarshals(t.Elem()); !marshals && t.Elem().Kind() != reflect.Struct {
			return fmt.Errorf("%v comes back as nil when it points to a zero", t)
		}
		return gobable(t.Elem(), outer)
	case reflect.Struct:
		return gobableFields(t, outer)
	}
	return nil
}

func gobableFields(t reflect.Type, outer []reflect.Type) error {
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Name == "_" {
			continue
		}
		if !field.IsExported() {
			return fmt.Errorf("the field %s of %v is unexported and would be left out", field.Name, t)
		}
		if err := gobable(field.Type, outer); err != nil {
			return err
		}
	}
	return nil
}

// gobMarshals reports whether t goes through gob on its own terms. A method
// that an embedded field may have given it knows nothing of the fields beside.
func gobMarshals(t reflect.Type) (bool, error) {
	for _, pair := range gobMarshalers {
		if t.Kind() == reflect.Interface || !implements(t, pair[0]) {
			continue
		}
		if promoted(t, pair[0]) {
			return false, fmt.Errorf("%v would be encoded as the field it embeds", t)
		}
		return implements(t, pair[1]), nil
	}
	return false, nil
}

var errGobMessage = errors.New("it is not made of gob messages")

// gobMessages checks that data is messages of gob, each as long as it claims:
// package gob makes room before it reads.
func gobMessages(data []byte) error {
	for len(data) > 0 {
		size, head := uint64(data[0]), 1
		if data[0] > 0x7f { // minus the number of bytes, big endian, behind it
			head = 1 - int(int8(data[0]))
			if head > 9 || head > len(data) {
				return errGobMessage
			}
			size = 0
			for _, b := range data[1:head] {
				size = size<<8 | uint64(b)
			}
		}
		if size > uint64(len(data)-head) {
			return errGobMessage
		}
		data = data[head+int(size):]
	}
	return nil
}
